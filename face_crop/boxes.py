"""Boxes in pictures, one by one and as arrays of many."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Rows of x, y, width, height.
BoxArray = NDArray[np.float32]


@dataclass(frozen=True)
class Box:
    """An upright rectangle in pixels, from its upper left corner; fractions are allowed."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The first column on the right that is outside."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The first row below that is outside."""
        return self.y + self.height

    @property
    def centre(self) -> tuple[float, float]:
        """The middle, x and y."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    def iou(self, other: "Box") -> float:
        """Return the intersection with another box over their union, 0 to 1."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)

    def enlarged(self, factor: float) -> "Box":
        """Return a box with the same centre and sides ``factor`` times as long."""
        x, y = self.centre
        width, height = self.width * factor, self.height * factor
        return Box(x - width / 2, y - height / 2, width, height)


def boxes_to_array(boxes: list[Box]) -> BoxArray:
    """Return the boxes as rows of x, y, width, height."""
    rows = [(box.x, box.y, box.width, box.height) for box in boxes]
    return np.array(rows, np.float32).reshape(-1, 4)


def iou_matrix(first: BoxArray, second: BoxArray) -> NDArray[np.float32]:
    """Return the IoU of each box of ``first`` ``[N, 4]`` with each of ``second`` ``[M, 4]``."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(
        first[:, None, :2] + first[:, None, 2:], second[None, :, :2] + second[None, :, 2:]
    )
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = first[:, 2:].prod(-1)[:, None] + second[:, 2:].prod(-1)[None]
    overlap: NDArray[np.float32] = shared / np.maximum(areas - shared, 1e-9)
    return overlap


def non_maximum_suppression(
    boxes: BoxArray, scores: NDArray[np.floating], most_overlap: float
) -> NDArray[np.intp]:
    """Return the indices of the boxes that no better one covers, the best first.

    Args:
        boxes: ``[N, 4]``.
        scores: ``[N]``; of equal ones the first box counts as better.
        most_overlap: IoU with a better box above which a box is left out.
    """
    overlaps = iou_matrix(boxes, boxes)
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(waiting):
        best = int(waiting[0])
        kept.append(best)
        waiting = waiting[1:][overlaps[best, waiting[1:]] <= most_overlap]
    return np.array(kept, np.intp)


def rotated_about(
    x: float, y: float, centre: tuple[float, float], degrees: float
) -> tuple[float, float]:
    """Return a point turned clockwise, as one sees it, about a centre."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    across, down = x - centre[0], y - centre[1]
    return centre[0] + cos * across - sin * down, centre[1] + sin * across + cos * down
