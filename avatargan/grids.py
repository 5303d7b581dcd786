"""Contact sheets and X/Y grids: many pictures on one, with headings."""

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from PIL import Image, ImageChops, ImageDraw, ImageFont

from avatargan.errors import OptionError
from avatargan.pictures import LARGEST_PICTURE_PIXELS

Colour = tuple[int, int, int]

SMALLEST_CELL = 32
LARGEST_CELL = 1024
#: Edges are drawn this many times larger and reduced, which smooths them.
SUPERSAMPLING = 4


@dataclass(frozen=True)
class Theme:
    """Colours of what surrounds the pictures."""

    background: Colour
    text: Colour
    faint: Colour


#: Warm paper, and its night: neither glares on a page of the other kind.
LIGHT = Theme(background=(247, 245, 242), text=(46, 42, 51), faint=(140, 132, 146))
DARK = Theme(background=(30, 28, 34), text=(236, 232, 240), faint=(146, 138, 156))


@dataclass(frozen=True)
class Axis:
    """What changes along one direction of a grid.

    Attributes:
        name: such as "hair".
        values: its headings, such as "pink" and "blue".
    """

    name: str
    values: Sequence[str]


def contact_sheet(
    pictures: Sequence[Image.Image],
    captions: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    cell: int = 256,
    theme: Theme = LIGHT,
) -> Image.Image:
    """Return the pictures side by side in reading order, each with its caption below.

    Args:
        pictures: of any size, square; they are fitted to the cells.
        captions: one for each picture.
        columns: how many pictures in a row; by default the sheet is about square.
        cell: side of a picture on the sheet, in pixels.
        theme: colours.

    Raises:
        OptionError: there are no pictures, more or fewer captions than pictures, or the sheet
            would be larger than 25 megapixels.
    """
    if not pictures:
        raise OptionError("a contact sheet needs at least one picture")
    if captions is not None and len(captions) != len(pictures):
        raise OptionError(f"{len(captions)} captions do not fit {len(pictures)} pictures")
    _check_cell(cell)
    columns = min(columns or _balanced_columns(len(pictures)), len(pictures))
    rows = math.ceil(len(pictures) / columns)
    gap, margin = _gap(cell), _margin(cell)
    size = max(12, round(cell * 0.06))
    caption_height = round(size * 1.9) if captions is not None else 0
    width = 2 * margin + columns * cell + (columns - 1) * gap
    height = 2 * margin + rows * (cell + caption_height) + (rows - 1) * gap
    sheet = _canvas(width, height, theme)
    draw = ImageDraw.Draw(sheet)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        left = margin + column * (cell + gap)
        top = margin + row * (cell + caption_height + gap)
        _place(sheet, picture, left, top, cell)
        if captions is not None:
            text, font = _fit(captions[index], size, cell)
            place = (left + cell // 2, top + cell + caption_height // 2)
            draw.text(place, text, theme.faint, font, anchor="mm")
    return sheet


def xy_grid(
    pictures: Iterable[Image.Image],
    x: Sequence[Axis],
    y: Sequence[Axis],
    *,
    cell: int = 256,
    theme: Theme = LIGHT,
) -> Image.Image:
    """Return a table of pictures with headings, in which axes may be nested.

    Args:
        pictures: row after row; they are taken as they come, so that they need not all be in
            memory. Of any size, square; they are fitted to the cells.
        x: what changes from column to column, the outermost axis first; may be empty.
        y: what changes from row to row, the outermost axis first; may be empty.
        cell: side of a picture in the grid, in pixels.
        theme: colours.

    Raises:
        OptionError: an axis has no values, the number of pictures is not that of the cells, or
            the grid would be larger than 25 megapixels.
    """
    layout = _Layout(x, y, cell)
    grid = _canvas(layout.width, layout.height, theme)
    _draw_headings(ImageDraw.Draw(grid), layout, theme)
    remaining = iter(pictures)
    for top, left in product(layout.tops, layout.lefts):
        picture = next(remaining, None)
        if picture is None:
            raise OptionError("a grid needs a picture for each cell; there are too few")
        _place(grid, picture, left, top, cell)
    if next(remaining, None) is not None:
        raise OptionError("a grid needs a picture for each cell; there are too many")
    return grid


class _Layout:
    """Where everything of a grid goes, in pixels."""

    def __init__(self, x: Sequence[Axis], y: Sequence[Axis], cell: int) -> None:
        _check_cell(cell)
        for axis in (*x, *y):
            if not axis.values:
                raise OptionError(f"the axis {axis.name} of a grid has no values")
        self.x, self.y, self.cell = x, y, cell
        self.gap = _gap(cell)
        self.text_size = max(14, round(cell * 0.085))
        self.name_size = max(12, round(self.text_size * 0.8))
        margin = _margin(cell)
        # A column of headings for each axis of the rows, each as wide as its longest text.
        self.heading_lefts = []
        left = margin
        for axis in y:
            self.heading_lefts.append(left)
            texts = [(value, self.text_size) for value in axis.values]
            texts.append((axis.name, self.name_size))
            longest = max(_font(size).getlength(text) for text, size in texts)
            left += math.ceil(longest) + round(1.2 * self.text_size)
        # Two lines for each axis of the columns: its name and its values.
        self.line = round(1.5 * self.text_size)
        top = margin + 2 * self.line * len(x)
        if y and not x:
            top += self.line  # the names of the rows' axes need a line
        self.margin = margin
        self.header_bottom = top
        top += self.gap
        self.lefts = [left + offset for offset in _offsets(x, cell, self.gap)]
        self.tops = [top + offset for offset in _offsets(y, cell, self.gap)]
        self.width = self.lefts[-1] + cell + margin
        self.height = self.tops[-1] + cell + margin


def _draw_headings(draw: ImageDraw.ImageDraw, layout: _Layout, theme: Theme) -> None:
    name_font = _font(layout.name_size)
    for level, axis in enumerate(layout.x):
        name_middle = layout.margin + layout.line * 2 * level + layout.line // 2
        for start, end, value in _spans(layout.x, level, layout.lefts, layout.cell):
            text, font = _fit(value, layout.text_size, end - start)
            middle = ((start + end) // 2, name_middle + layout.line)
            draw.text(middle, text, theme.text, font, anchor="mm")
        for start, end in _groups(layout.x, level, layout.lefts, layout.cell):
            middle = ((start + end) // 2, name_middle)
            draw.text(middle, axis.name, theme.faint, name_font, anchor="mm")
    value_font = _font(layout.text_size)
    for level, (axis, left) in enumerate(zip(layout.y, layout.heading_lefts, strict=True)):
        place = (left, layout.header_bottom - layout.line // 2)
        draw.text(place, axis.name, theme.faint, name_font, anchor="lm")
        for start, end, value in _spans(layout.y, level, layout.tops, layout.cell):
            draw.text((left, (start + end) // 2), value, theme.text, value_font, anchor="lm")


def _offsets(axes: Sequence[Axis], cell: int, gap: int) -> list[int]:
    """Return where each cell along nested axes starts; outer steps leave more room."""
    offsets = [0]
    for index in range(1, math.prod(len(axis.values) for axis in axes)):
        inner = 1
        steps = 0  # how many axes take a step at this index
        for axis in reversed(axes):
            steps += 1
            inner *= len(axis.values)
            if index % inner:
                break
        offsets.append(offsets[-1] + cell + gap * (3 * steps - 2))
    return offsets


def _spans(
    axes: Sequence[Axis], level: int, starts: Sequence[int], cell: int
) -> Iterator[tuple[int, int, str]]:
    """Yield start and end of each value of one of nested axes, and the value."""
    length = math.prod(len(axis.values) for axis in axes[level + 1 :])
    values = axes[level].values
    for index in range(len(starts) // length):
        first = index * length
        end = starts[first + length - 1] + cell
        yield starts[first], end, values[index % len(values)]


def _groups(
    axes: Sequence[Axis], level: int, starts: Sequence[int], cell: int
) -> Iterator[tuple[int, int]]:
    """Yield start and end of each run through all values of one of nested axes."""
    length = math.prod(len(axis.values) for axis in axes[level:])
    for first in range(0, len(starts), length):
        yield starts[first], starts[first + length - 1] + cell


def _balanced_columns(count: int) -> int:
    """Return how many columns make a sheet about square, without gaps in the last row if it can."""
    square = math.ceil(math.sqrt(count))
    wide = range(square, math.floor(1.6 * math.sqrt(count)) + 1)
    return next((columns for columns in wide if count % columns == 0), square)


def _canvas(width: int, height: int, theme: Theme) -> Image.Image:
    if width * height > LARGEST_PICTURE_PIXELS:
        raise OptionError(
            f"{width} x {height} pixels are more than the limit of 25 megapixels; "
            "take fewer pictures or smaller cells"
        )
    return Image.new("RGB", (width, height), theme.background)


def _check_cell(cell: int) -> None:
    if not SMALLEST_CELL <= cell <= LARGEST_CELL:
        raise OptionError(f"a cell must be from {SMALLEST_CELL} to {LARGEST_CELL} px, got {cell}")


def _gap(cell: int) -> int:
    return max(2, cell // 24)


def _margin(cell: int) -> int:
    return max(12, cell // 6)


def _place(sheet: Image.Image, picture: Image.Image, left: int, top: int, cell: int) -> None:
    if picture.size != (cell, cell):
        picture = picture.resize((cell, cell), Image.Resampling.LANCZOS)
    mask = _rounded_square(cell)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        mask = ImageChops.multiply(mask, picture.getchannel("A"))
    sheet.paste(picture, (left, top), mask)


@functools.lru_cache(maxsize=4)
def _rounded_square(cell: int) -> Image.Image:
    """Return a mask that rounds the corners of a picture a little."""
    side = cell * SUPERSAMPLING
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, side - 1, side - 1), side // 28, 255)
    return mask.resize((cell, cell), Image.Resampling.BOX)


@functools.lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # sizes are for scalable fonts only
    return font


def _fit(text: str, size: int, width: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Return the text and a font with which it fits into the width: smaller, then shortened."""
    smallest = max(9, size // 2)
    while size > smallest and _font(size).getlength(text) > width:
        size -= 1
    font = _font(size)
    shortened = text
    for kept in range(len(text) - 1, 0, -1):
        if font.getlength(shortened) <= width:
            break
        shortened = text[: (kept + 1) // 2] + "..." + text[len(text) - kept // 2 :]
    return shortened, font
