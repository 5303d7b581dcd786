"""Cutting a square out of a picture: which one, what lies outside, and resampling."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatargan.errors import OptionError, did_you_mean
from face_crop.boxes import Box, rotated_about

#: How much larger than the face a crop is: hair belongs to it.
ENLARGEMENT = 1.5
#: What becomes of a crop that sticks out of the picture.
EDGES = ("drop", "reflect", "pad")
#: What "pad" pads with.
PADDING = 255
#: Pixels around a crop that interpolation looks at.
_SUPPORT = 2
_PROBES = 64


def check_edge(edge: str) -> str:
    """Return the name of a way to treat edges if there is one.

    Raises:
        OptionError: there is none of this name.
    """
    if edge not in EDGES:
        raise OptionError(
            f"there is no edge '{edge}'{did_you_mean(edge, EDGES)} (edges: {', '.join(EDGES)})"
        )
    return edge


def crop_square(face: Box) -> Box:
    """Return the square to cut for a face: 1.5 times its longer side, about its middle."""
    side = max(face.width, face.height) * ENLARGEMENT
    x, y = face.centre
    return Box(x - side / 2, y - side / 2, side, side)


def outside_share(square: Box, angle: float, width: int, height: int) -> float:
    """Return how much of a square lies outside a picture, 0 to 1.

    Args:
        square: the square before it is turned.
        angle: degrees by which it is turned clockwise about its middle.
        width: of the picture.
        height: of the picture.
    """
    steps = (np.arange(_PROBES) + 0.5) / _PROBES
    across, down = np.meshgrid(square.x + steps * square.width, square.y + steps * square.height)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = square.centre
    columns = x + cos * (across - x) - sin * (down - y)
    rows = y + sin * (across - x) + cos * (down - y)
    inside = (columns >= 0) & (columns <= width) & (rows >= 0) & (rows <= height)
    return 1.0 - float(inside.mean())


def cut(
    picture: NDArray[np.uint8], square: Box, angle: float, size: int, edge: str = "reflect"
) -> Image.Image:
    """Return a square of a picture, upright, ``size`` pixels wide.

    Shrinking averages areas, enlarging is bicubic. What lies outside the picture is its mirror
    image, or white with ``edge="pad"``.

    Args:
        picture: ``[H, W, 3]``.
        square: what to cut, before it is turned; it overlaps the picture.
        angle: degrees by which the square is turned clockwise about its middle.
        size: side of the result in pixels.
        edge: see :data:`EDGES`; "drop" is for the caller to act on, here it is as "reflect".
    """
    corners = [
        rotated_about(x, y, square.centre, angle)
        for x in (square.x, square.right)
        for y in (square.y, square.bottom)
    ]
    left = math.floor(min(x for x, _ in corners)) - _SUPPORT
    top = math.floor(min(y for _, y in corners)) - _SUPPORT
    right = math.ceil(max(x for x, _ in corners)) + _SUPPORT
    bottom = math.ceil(max(y for _, y in corners)) + _SUPPORT
    region = Image.fromarray(_region(picture, left, top, right, bottom, edge))
    if not angle:
        shrinks = square.width >= size
        return region.resize(
            (size, size),
            Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC,
            box=(square.x - left, square.y - top, square.right - left, square.bottom - top),
        )
    # Turned at a multiple of the size at which nothing is lost, then averaged.
    multiple = max(1, math.ceil(square.width / size))
    side = multiple * size
    step = square.width / side
    cos, sin = step * math.cos(math.radians(angle)), step * math.sin(math.radians(angle))
    x, y = square.centre[0] - left, square.centre[1] - top
    half = side / 2
    matrix = (cos, -sin, x - cos * half + sin * half, sin, cos, y - sin * half - cos * half)
    turned = region.transform(
        (side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )
    return turned.reduce(multiple)


def _region(
    picture: NDArray[np.uint8], left: int, top: int, right: int, bottom: int, edge: str
) -> NDArray[np.uint8]:
    """Return a part of a picture that may stick out of it."""
    height, width = picture.shape[:2]
    inside = picture[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    missing = (
        (max(-top, 0), max(bottom - height, 0)),
        (max(-left, 0), max(right - width, 0)),
        (0, 0),
    )
    if not any(any(pair) for pair in missing):
        return np.ascontiguousarray(inside)
    if edge == "pad":
        return np.pad(inside, missing, constant_values=PADDING)
    return np.pad(inside, missing, mode="symmetric")
