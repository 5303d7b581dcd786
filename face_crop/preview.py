"""Contact sheets of pictures with the faces that were found drawn over them."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from avatargan.errors import OptionError, PictureError
from avatargan.files import atomic_writer
from avatargan.grids import contact_sheet
from face_crop.analysis import Analysis, Candidate, MakeAnalyser
from face_crop.boxes import rotated_about
from face_crop.options import CropOptions
from face_crop.records import NO_FACE
from face_crop.runner import Engine
from face_crop.sources import Source
from face_crop.workers import Lost

#: Side of a picture on the sheets.
CELL = 320
ON_A_SHEET = 30
COLUMNS = 6

#: Of boxes whose crop is kept, of those that are rejected, and of files without a picture.
PASSED, REJECTED, BROKEN = (38, 166, 91), (230, 145, 20), (190, 60, 60)
_PAPER = (236, 233, 228)
#: Edges are drawn this many times larger and reduced, which smooths them.
_SUPERSAMPLING = 2
#: Height of the plates that words stand on.
PLATE_HEIGHT = 17


@dataclass(frozen=True)
class Sheet:
    """One contact sheet and what is on it.

    Attributes:
        image: the sheet.
        names: of the files on it, in reading order.
        passed: how many faces on it pass.
        rejected: how many faces on it do not.
    """

    image: Image.Image
    names: tuple[str, ...]
    passed: int
    rejected: int


def choose(sources: Sequence[Source], limit: int) -> list[Source]:
    """Return ``limit`` files spread evenly over all, or all with a limit of 0."""
    if not limit or len(sources) <= limit:
        return list(sources)
    return [sources[index * len(sources) // limit] for index in range(limit)]


def sheet_files(out: Path, pictures: int) -> list[Path]:
    """Return where the sheets of so many pictures go.

    Args:
        out: a file that ends in ``.png``, or a folder.
        pictures: how many there are.

    Raises:
        OptionError: it ends like a file of another kind, or is a file and there are several.
    """
    sheets = math.ceil(pictures / ON_A_SHEET)
    if out.suffix.lower() == ".png" and not out.is_dir():
        if sheets > 1:
            raise OptionError(
                f"{pictures} pictures need {sheets} sheets: give a folder in place of {out}, "
                f"or --limit {ON_A_SHEET}"
            )
        return [out]
    if out.suffix and not out.is_dir():
        raise OptionError(f"{out}: sheets are PNG files; give a name in .png, or a folder")
    return [out / f"sheet-{number:03d}.png" for number in range(1, sheets + 1)]


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Write a sheet as a PNG.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_writer(path) as file:
        sheet.image.save(file, "png")


def draw_sheets(
    sources: Sequence[Source], options: CropOptions, engine: Engine
) -> Iterator[Sheet | None]:
    """Yield a sheet after every :data:`ON_A_SHEET` files and at the end, None after the others.

    A box is green where its crop would be kept and amber where it would be rejected, with the
    reason; the thin square around it is what would be cut out. Duplicates are not looked for.

    Args:
        sources: the files.
        options: what is asked for.
        engine: what analyses them.

    Raises:
        PictureError: there are no files.
    """
    if not sources:
        raise PictureError("there are no files to preview")
    cells: list[Image.Image] = []
    names: list[str] = []
    passed = rejected = 0
    analyses = engine.analyse(MakeAnalyser(options, overview=CELL), sources)
    for number, (source, analysis) in enumerate(zip(sources, analyses, strict=True), 1):
        cells.append(draw_cell(analysis))
        names.append(source.name)
        if isinstance(analysis, Analysis):
            kept = sum(candidate.rejected is None for candidate in analysis.candidates)
            passed += kept
            rejected += len(analysis.candidates) - kept
        if len(cells) == ON_A_SHEET or number == len(sources):
            columns = min(COLUMNS, math.ceil(math.sqrt(len(cells) * 1.4)))
            captions = [_caption(name, place) for place, name in enumerate(names, 1)]
            sheet = contact_sheet(cells, captions, columns=columns, cell=CELL)
            yield Sheet(sheet, tuple(names), passed, rejected)
            cells, names, passed, rejected = [], [], 0, 0
        else:
            yield None


def draw_cell(analysis: Analysis | Lost) -> Image.Image:
    """Return a square of :data:`CELL` pixels with the picture and its boxes, or the problem."""
    cell = Image.new("RGB", (CELL, CELL), _PAPER)
    if isinstance(analysis, Lost):
        return _with_problem(cell, analysis.reason)
    if analysis.quarantined is not None or analysis.overview is None:
        return _with_problem(cell, (analysis.quarantined or ("no picture", ""))[0])
    overview = analysis.overview
    left, top = (CELL - overview.width) // 2, (CELL - overview.height) // 2
    cell.paste(overview, (left, top))
    scale = overview.width / analysis.width
    lines = Image.new("RGBA", (CELL * _SUPERSAMPLING,) * 2, (0, 0, 0, 0))
    # The surest is drawn last, on top of the others.
    for candidate in reversed(analysis.candidates):
        _draw_boxes(ImageDraw.Draw(lines), candidate, scale, (left, top))
    lines = lines.resize((CELL, CELL), Image.Resampling.BOX)
    cell.paste(lines, (0, 0), lines)
    labels = ImageDraw.Draw(cell)
    for candidate in reversed(analysis.candidates):
        _draw_label(labels, candidate, scale, (left, top))
    if not analysis.candidates:
        _draw_plate(labels, (CELL // 2, top + 14), REJECTED, NO_FACE)
    return cell


def _caption(name: str, place: int) -> str:
    """Return what stands below a picture: its name, or its place where the font cannot write it."""
    return name if name.isprintable() and name.isascii() else f"no. {place}"


def _draw_boxes(
    draw: ImageDraw.ImageDraw, candidate: Candidate, scale: float, origin: tuple[int, int]
) -> None:
    colour = PASSED if candidate.rejected is None else REJECTED
    for box, width, alpha in ((candidate.square, 1, 200), (candidate.box, 3, 255)):
        corners = [
            rotated_about(x, y, box.centre, candidate.angle)
            for x, y in (
                (box.x, box.y),
                (box.right, box.y),
                (box.right, box.bottom),
                (box.x, box.bottom),
            )
        ]
        path = [
            (
                (origin[0] + x * scale) * _SUPERSAMPLING,
                (origin[1] + y * scale) * _SUPERSAMPLING,
            )
            for x, y in corners
        ]
        path += path[:2]
        if box is candidate.box:  # a white rim, for pictures of the same colour
            draw.line(path, (255, 255, 255, 230), (width + 3) * _SUPERSAMPLING, "curve")
        draw.line(path, (*colour, alpha), width * _SUPERSAMPLING, "curve")


def _draw_label(
    draw: ImageDraw.ImageDraw, candidate: Candidate, scale: float, origin: tuple[int, int]
) -> None:
    """Write score or reason on a plate above the box, or wherever there is room near it."""
    if candidate.rejected is None:
        colour, text = PASSED, _score(candidate)
    else:
        colour, text = REJECTED, candidate.rejected[0]
    width = _plate_width(text)
    left = round(origin[0] + candidate.box.x * scale)
    top = round(origin[1] + candidate.box.y * scale) - PLATE_HEIGHT
    left = min(max(left, 1), CELL - width - 1)
    if top < 1:
        top = min(round(origin[1] + candidate.box.bottom * scale), CELL - PLATE_HEIGHT - 1)
    _draw_plate(draw, (left + width // 2, top + PLATE_HEIGHT // 2), colour, text)


def _plate_width(text: str) -> int:
    return math.ceil(_font(13).getlength(text)) + 8


def _draw_plate(
    draw: ImageDraw.ImageDraw, middle: tuple[int, int], colour: tuple[int, int, int], text: str
) -> None:
    width = _plate_width(text)
    left, top = middle[0] - width // 2, middle[1] - PLATE_HEIGHT // 2
    draw.rounded_rectangle((left, top, left + width, top + PLATE_HEIGHT), 3, colour)
    draw.text(middle, text, "white", _font(13), anchor="mm")


def _score(candidate: Candidate) -> str:
    probability = candidate.scores.get("second_look")
    if probability is not None:
        return f"{probability:.2f}"
    return f"{candidate.scores['cascade']:.0f}"


def _with_problem(cell: Image.Image, problem: str) -> Image.Image:
    draw = ImageDraw.Draw(cell)
    middle, half = CELL // 2, CELL // 12
    for sign in (1, -1):
        draw.line(
            (middle - half, middle - 20 - sign * half, middle + half, middle - 20 + sign * half),
            BROKEN,
            4,
        )
    draw.text((middle, middle + half + 14), problem, BROKEN, _font(16), anchor="mm")
    return cell


@functools.lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # sizes are for scalable fonts only
    return font
