"""What an export will take: disk space, known before it starts."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from avatargan.errors import OutputError
from avatargan.export.layout import number_of_sheets
from avatargan.export.plan import ExportPlan
from avatargan.export.studio import Studio

#: Pictures that are drawn to learn how large files are.
SAMPLES = 8
#: Files take whole blocks.
_BLOCK = 4096
#: A row of both manifests and of the preview page, and what the folder keeps of a name.
_BYTES_OF_A_ROW = 900
#: Sizes of single pictures vary; their sum hardly does.
_MARGIN = 1.1


@dataclass(frozen=True)
class Estimate:
    """What an export will take.

    Attributes:
        files: how many files.
        bytes: what they take on the disk, measured on a few pictures of the export.
        free_bytes: what the disk has left.
    """

    files: int
    bytes: int
    free_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.bytes <= self.free_bytes


def estimate(plan: ExportPlan, studio: Studio, folder: Path, finished: int = 0) -> Estimate:
    """Draw a few pictures of a plan and tell what the rest will take.

    Args:
        plan: what is to be exported.
        studio: what draws.
        folder: where to; it need not exist.
        finished: how many pictures are there already.
    """
    samples = [
        picture.recipe
        for character in range(min(SAMPLES, plan.count))
        for picture in plan.draft(character, next(plan.seeds(character)))[:1]
    ]
    sizes = [len(drawn.png) for drawn in studio.draw(samples)]
    mean = sum(sizes) / len(sizes)
    pictures = (plan.pictures - finished) * (mean * _MARGIN + _BLOCK / 2 + _BYTES_OF_A_ROW)
    sheets = plan.pictures * mean * _MARGIN if plan.sheet is not None else 0
    return Estimate(
        files=plan.pictures + _count_other_files(plan),
        bytes=int(pictures + sheets) + _BLOCK,
        free_bytes=shutil.disk_usage(_existing(folder)).free,
    )


def check_disk(needed: Estimate, folder: Path) -> None:
    """Find out before anything is written whether an export fits.

    Raises:
        OutputError: it does not.
    """
    if not needed.fits:
        raise OutputError(
            f"the export needs about {in_words(needed.bytes)}, and the disk of {folder} has "
            f"{in_words(needed.free_bytes)} free; export fewer or smaller pictures, or elsewhere"
        )


def in_words(number: float) -> str:
    """Return a number of bytes as people read it."""
    units = ["bytes", "KB", "MB", "GB", "TB", "PB"]
    while number >= 1000 and len(units) > 1:
        number /= 1000
        units.pop(0)
    return f"{number:.0f} {units[0]}" if number >= 100 else f"{number:.3g} {units[0]}"


def _count_other_files(plan: ExportPlan) -> int:
    # Plan, lock and licence are always there.
    texts = 3 + 2 * plan.manifest + (plan.renpy is not None) + plan.preview
    of_each_sheet = 3 if plan.sheet is not None and plan.sheet.atlas else 1
    multiatlas = plan.sheet is not None and plan.sheet.multiatlas
    return texts + of_each_sheet * number_of_sheets(plan) + multiatlas


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
