"""Where rectangles of many sizes go on a sheet: skyline packing.

Each rectangle goes where its upper edge ends up lowest on the outline of those that lie already
(bottom-left skyline; Jylänki, "A Thousand Ways to Pack the Bin", 2010), the tallest first. A few
widths are tried, and the sheet with the least area is taken. The same rectangles always give the
same sheet.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: How many widths are tried, between that of a square and about twice it.
_WIDTHS = 8


@dataclass(frozen=True)
class Place:
    """Where a rectangle lies: its corner, and whether it is turned by a quarter."""

    x: int
    y: int
    rotated: bool = False


@dataclass(frozen=True)
class Packing:
    """Sides of the area that is used, and the place of each rectangle, in the order given."""

    width: int
    height: int
    places: tuple[Place, ...]


def pack(
    sizes: Sequence[tuple[int, int]], *, rotate: bool, most: int, power_of_two: bool = False
) -> Packing | None:
    """Return the smallest packing that is found, None where none fits.

    Args:
        sizes: width and height of each rectangle, its share of the space between them included.
        rotate: whether rectangles may be turned.
        most: the longest side.
        power_of_two: whether areas are compared as they are once enlarged to powers of two.
    """
    widest = max(min(size) if rotate else size[0] for size in sizes)
    square = math.isqrt(sum(width * height for width, height in sizes))
    widths = sorted(
        {min(most, max(widest, round(square * (0.9 + step / _WIDTHS)))) for step in range(_WIDTHS)}
    )
    if power_of_two:
        widths = sorted({*widths, *(min(most, _enlarged(width)) for width in widths)})
    found = (_pack_into(sizes, width, rotate) for width in widths)
    fitting = [packing for packing in found if max(packing.width, packing.height) <= most]

    def area(packing: Packing) -> tuple[int, int]:
        width, height = packing.width, packing.height
        if power_of_two:
            width, height = _enlarged(width), _enlarged(height)
        return width * height, max(width, height)

    return min(fitting, key=area, default=None)


def _pack_into(sizes: Sequence[tuple[int, int]], width: int, rotate: bool) -> Packing:
    order = sorted(range(len(sizes)), key=lambda index: (-max(sizes[index]), -min(sizes[index])))
    outline = [(0, 0, width)]  # from left to right: x, y and width of each step
    places: dict[int, Place] = {}
    used_width = used_height = 0
    for index in order:
        ways = [(*sizes[index], False)]
        if rotate and sizes[index][0] != sizes[index][1]:
            ways.append((sizes[index][1], sizes[index][0], True))
        best: tuple[int, int, int, int, int, bool] | None = None
        for across, down, turned in ways:
            for step, (x, _, _) in enumerate(outline):
                if x + across > width:
                    break
                y = _height_over(outline, step, across)
                candidate = (y + down, x, y, across, down, turned)
                if best is None or candidate < best:
                    best = candidate
        assert best is not None  # every rectangle is at most as wide as the sheet
        bottom, x, y, across, _, turned = best
        places[index] = Place(x, y, turned)
        outline = _raised(outline, x, across, bottom)
        used_width, used_height = max(used_width, x + across), max(used_height, bottom)
    return Packing(used_width, used_height, tuple(places[index] for index in range(len(sizes))))


def _height_over(outline: list[tuple[int, int, int]], step: int, across: int) -> int:
    """Return how low a rectangle can lie that begins with a step of the outline."""
    height = 0
    for _, y, width in outline[step:]:
        height = max(height, y)
        across -= width
        if across <= 0:
            break
    return height


def _raised(
    outline: list[tuple[int, int, int]], x: int, across: int, bottom: int
) -> list[tuple[int, int, int]]:
    """Return the outline with a rectangle on it, neighbours of one height joined."""
    end = x + across
    pieces = []
    for left, y, width in outline:
        right = left + width
        if right <= x or left >= end:
            pieces.append((left, y, width))
            continue
        if left <= x:
            if left < x:
                pieces.append((left, y, x - left))
            pieces.append((x, bottom, across))
        if right > end:
            pieces.append((end, y, right - end))
    joined = pieces[:1]
    for left, y, width in pieces[1:]:
        before = joined[-1]
        if before[1] == y:
            joined[-1] = (before[0], y, before[2] + width)
        else:
            joined.append((left, y, width))
    return joined


def _enlarged(side: int) -> int:
    return 1 << (side - 1).bit_length()
