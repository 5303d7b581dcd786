"""Sprite sheets: where each picture lies on which sheet, and the sheets' own pictures."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image, PngImagePlugin

from avatargan.export.plan import ExportPlan, SheetOptions
from avatargan.pictures import open_picture

#: Keyword of the PNG text chunk that says which sheet of which export this is.
STAMP_KEYWORD = "avatargan-sheet"


@dataclass(frozen=True)
class Frame:
    """A picture on a sheet: its file, and the corner it begins at, in pixels."""

    file: str
    x: int
    y: int


@dataclass(frozen=True)
class Sheet:
    """A sheet: its number from 0, its sides and the side of its pictures in pixels."""

    number: int
    width: int
    height: int
    side: int
    frames: tuple[Frame, ...]


def lay_out(plan: ExportPlan, files: Iterable[str]) -> Iterator[Sheet]:
    """Yield the sheets of a plan: rows from left to right, the last sheet as high as it needs."""
    options = plan.sheet
    if options is None:
        return
    pending = iter(files)
    number = 0
    while chunk := list(islice(pending, options.capacity)):
        columns = min(options.columns, len(chunk))
        rows = -(-len(chunk) // options.columns)
        step = plan.size + options.padding
        frames = tuple(
            Frame(
                file,
                options.padding + position % options.columns * step,
                options.padding + position // options.columns * step,
            )
            for position, file in enumerate(chunk)
        )
        width, height = (_side(count, plan.size, options) for count in (columns, rows))
        yield Sheet(number, width, height, plan.size, frames)
        number += 1


def encode_sheet(sheet: Sheet, folder: Path, stamp: str) -> bytes:
    """Return the PNG of a sheet from the pictures in a folder.

    Raises:
        PictureError: a picture cannot be read.
    """
    # Always with alpha: the padding is transparent even where the pictures are not.
    canvas = Image.new("RGBA", (sheet.width, sheet.height))
    for frame in sheet.frames:
        canvas.paste(open_picture(folder / frame.file), (frame.x, frame.y))
    info = PngImagePlugin.PngInfo()
    info.add_text(STAMP_KEYWORD, stamp)
    buffer = io.BytesIO()
    canvas.save(buffer, "png", pnginfo=info, compress_level=4)
    return buffer.getvalue()


def has_stamp(path: Path, stamp: str) -> bool:
    """Tell whether a file is the sheet of this stamp, from its header."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(STAMP_KEYWORD) == stamp
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _side(count: int, picture: int, options: SheetOptions) -> int:
    side = options.padding + count * (picture + options.padding)
    return 1 << (side - 1).bit_length() if options.power_of_two else side
