"""Exports for visitors: the folder of ``avatargan export`` as a ZIP, drawn through the service."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from avatargan.errors import OptionError, OutputError
from avatargan.export import (
    Exporter,
    ExportFolder,
    ExportPlan,
    LocalStudio,
    SheetOptions,
    create_finisher,
    create_plan,
    estimate,
    write_zip,
)
from avatargan.export.layout import number_of_sheets
from avatargan.pipeline import Avatar
from avatargan.recipe import Recipe
from avatargan.transparency import can_remove_backgrounds
from avatargan.web.service import AvatarService

#: Pictures that are decided on together: few, so that progress is seen.
WINDOW = 16
#: Pictures side by side on a sheet, where they fit.
SHEET_COLUMNS = 8
#: In pixels; many phones' graphics stop there.
SHEET_SIDE = 4096
SHEET_PADDING = 2
#: The folder, the ZIP, and the copy of it that is handed out.
COPIES = 3

#: Wraps what is drawn, for example to stop it.
Watch = Callable[[Iterable[Avatar]], Iterator[Avatar]]


@dataclass(frozen=True)
class ExportWishes:
    """What a visitor asks for.

    Attributes:
        attributes: a choice or "any" for each.
        first_seed: of the first character; the others follow.
        count: how many characters.
        size: side in pixels.
        name: template of the file names.
        manifest: whether manifests are written.
        sheets: whether sprite sheets with their atlas are.
        transparent: whether backgrounds are cut away.
        any_quality: keep characters, too, that are likely drawn badly; see ``create_plan``.
    """

    attributes: Mapping[str, str]
    first_seed: int
    count: int
    size: int
    name: str
    manifest: bool
    sheets: bool
    transparent: bool
    any_quality: bool = True


def plan_export(service: AvatarService, wishes: ExportWishes) -> ExportPlan:
    """Return the plan of an export that the service can make.

    Raises:
        OptionError: it is more than one export may be, a value is out of range, or names of files
            cannot be as the template says.
    """
    limits = service.limits
    if not 1 <= wishes.count <= limits.export_pictures:
        raise OptionError(f"one export here has from 1 to {limits.export_pictures} pictures")
    if wishes.count * wishes.size**2 > limits.export_pixels:
        most = limits.export_pixels // wishes.size**2
        raise OptionError(f"one export here has at most {most} pictures of {wishes.size} px")
    if wishes.transparent and not can_remove_backgrounds():
        raise OptionError("transparent backgrounds cannot be had here")
    return create_plan(
        service.pipeline,
        count=wishes.count,
        first_seed=wishes.first_seed,
        wanted=wishes.attributes,
        size=wishes.size,
        transparent=wishes.transparent,
        name=wishes.name,
        with_manifest=wishes.manifest,
        sheet=_sheet(wishes.size) if wishes.sheets else None,
        any_quality=wishes.any_quality,
    )


def first_file(plan: ExportPlan) -> str:
    """Return the name of a plan's first file, unless another seed will be drawn for it."""
    return plan.draft(0, next(plan.seeds(0)))[0].file


def steps_of(plan: ExportPlan) -> int:
    """Return how many files :func:`export_zip` will name."""
    return plan.pictures + number_of_sheets(plan)


def export_zip(
    service: AvatarService, plan: ExportPlan, folder: Path, target: Path, watch: Watch
) -> Iterator[str]:
    """Carry out a plan; yield each picture and sheet once it is written, and write the ZIP.

    Args:
        service: what draws, in turns with other requests.
        plan: from :func:`plan_export`.
        folder: a temporary one that is not there yet.
        target: the ZIP, outside the folder.
        watch: wraps what is drawn.

    Raises:
        OutputError: the disk has no room, or a character looks like others with every seed.
        OptionError: the seeds run past their range.
        BusyError: as for :meth:`AvatarService.in_turns`.
    """
    studio = LocalStudio(_TurnTaker(service, watch), create_finisher(plan), WINDOW)
    needed = estimate(plan, studio, folder)
    if needed.bytes * COPIES > needed.free_bytes:
        raise OutputError(
            "the server has no room for an export of this size; ask for fewer or smaller pictures"
        )
    exporter = Exporter(plan, ExportFolder(folder), studio, service.pipeline.is_good)
    with closing(exporter.run()) as files:
        yield from files
    write_zip(folder, target)


class _TurnTaker:
    """Draws as the pipeline does, in turns with others."""

    def __init__(self, service: AvatarService, watch: Watch) -> None:
        self._service = service
        self._watch = watch

    def draw(self, recipes: Iterable[Recipe]) -> Iterator[Avatar]:
        """Yield an avatar for each recipe, in order."""
        return self._watch(self._service.in_turns(self._service.pipeline.draw(recipes)))


def _sheet(size: int) -> SheetOptions:
    fit = max(1, (SHEET_SIDE - SHEET_PADDING) // (size + SHEET_PADDING))
    side = min(SHEET_COLUMNS, fit)
    return SheetOptions(columns=side, rows=side, padding=SHEET_PADDING, atlas=True)
