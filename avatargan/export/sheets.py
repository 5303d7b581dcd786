"""Sprite sheets: where each picture lies on which sheet, and the sheets' own pictures."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from avatargan.export.packing import pack
from avatargan.export.plan import LARGEST_SHEET, ExportPlan, SheetOptions
from avatargan.pictures import open_picture

#: Keyword of the PNG text chunk that says which sheet of which export this is.
STAMP_KEYWORD = "avatargan-sheet"


#: Left, top, right and bottom of a part of a picture.
Part = tuple[int, int, int, int]


@dataclass(frozen=True)
class Frame:
    """A picture on a sheet, in pixels.

    Attributes:
        file: its file.
        x: where it begins on the sheet, as does ``y``.
        part: what of the picture lies there; all of it where this is None.
        rotated: whether it was turned clockwise by a quarter.
    """

    file: str
    x: int
    y: int
    part: Part | None = None
    rotated: bool = False


@dataclass(frozen=True)
class Sheet:
    """A sheet: its number from 0, its sides and the side of its pictures in pixels.

    Around each frame the pixels of its rim are repeated ``extrude`` times.
    """

    number: int
    width: int
    height: int
    side: int
    frames: tuple[Frame, ...]
    extrude: int = 0


def lay_out(
    plan: ExportPlan, files: Iterable[str], part_of: Callable[[str], Part] | None = None
) -> Iterator[Sheet]:
    """Yield the sheets of a plan: rows from left to right, the last sheet as high as it needs.

    Args:
        plan: what to lay out, and how.
        files: the pictures.
        part_of: returns what of a picture is to be kept (:func:`visible_part`); asked where the
            plan wants pictures trimmed, which are then packed tightly.
    """
    options = plan.sheet
    if options is None:
        return
    pending = iter(files)
    number = 0
    while chunk := list(islice(pending, options.capacity)):
        columns = min(options.columns, len(chunk))
        rows = -(-len(chunk) // options.columns)
        grid = _in_rows(number, chunk, plan.size, columns, rows, options)
        packed = None
        if options.trim and part_of is not None:
            packed = _packed(number, chunk, plan.size, [part_of(file) for file in chunk], options)
        if packed is not None and packed.width * packed.height <= grid.width * grid.height:
            yield packed
        else:
            yield grid
        number += 1


def visible_part(path: Path) -> Part:
    """Return the smallest part of a picture outside which nothing is to be seen.

    Raises:
        PictureError: the picture cannot be read.
    """
    image = open_picture(path)
    if not image.has_transparency_data:
        return (0, 0, image.width, image.height)
    # At least a pixel, which every engine takes.
    return image.convert("RGBA").getchannel("A").getbbox() or (0, 0, 1, 1)


def encode_sheet(sheet: Sheet, folder: Path, stamp: str) -> bytes:
    """Return the PNG of a sheet from the pictures in a folder.

    Raises:
        PictureError: a picture cannot be read.
    """
    # Always with alpha: the padding is transparent even where the pictures are not.
    canvas = Image.new("RGBA", (sheet.width, sheet.height))
    for frame in sheet.frames:
        picture = open_picture(folder / frame.file).convert("RGBA").crop(frame.part)
        if frame.rotated:
            picture = picture.transpose(Image.Transpose.ROTATE_270)
        rim = sheet.extrude
        if rim:
            pixels = np.pad(np.asarray(picture), ((rim, rim), (rim, rim), (0, 0)), mode="edge")
            picture = Image.fromarray(pixels)
        canvas.paste(picture, (frame.x - rim, frame.y - rim))
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


def _in_rows(
    number: int, files: list[str], side: int, columns: int, rows: int, options: SheetOptions
) -> Sheet:
    step = side + 2 * options.extrude + options.padding
    begin = options.padding + options.extrude
    frames = tuple(
        Frame(
            file,
            begin + position % options.columns * step,
            begin + position // options.columns * step,
        )
        for position, file in enumerate(files)
    )
    width, height = (_side(options.padding + count * step, options) for count in (columns, rows))
    return Sheet(number, width, height, side, frames, options.extrude)


def _packed(
    number: int, files: list[str], side: int, parts: list[Part], options: SheetOptions
) -> Sheet | None:
    between = 2 * options.extrude + options.padding
    packing = pack(
        [(right - left + between, bottom - top + between) for left, top, right, bottom in parts],
        rotate=options.rotate,
        most=LARGEST_SHEET - options.padding,
        power_of_two=options.power_of_two,
    )
    if packing is None:
        return None
    begin = options.padding + options.extrude
    frames = tuple(
        Frame(file, begin + place.x, begin + place.y, part, place.rotated)
        for file, part, place in zip(files, parts, packing.places, strict=True)
    )
    width, height = (
        _side(options.padding + used, options) for used in (packing.width, packing.height)
    )
    return Sheet(number, width, height, side, frames, options.extrude)


def _side(side: int, options: SheetOptions) -> int:
    return 1 << (side - 1).bit_length() if options.power_of_two else side
