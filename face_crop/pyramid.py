"""A picture at half its size, a quarter, and so on: what is made small must be averaged first."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray


class Pyramid:
    """A picture and its halvings, each made when it is first asked for.

    Args:
        picture: uint8 ``[H, W, C]``.
    """

    def __init__(self, picture: NDArray[np.uint8]) -> None:
        self._levels = [picture]

    def for_scale(self, scale: float) -> tuple[NDArray[np.uint8], tuple[float, float]]:
        """Return the level from which a warp to ``scale`` times the size skips no pixels.

        Returns:
            The level, and how many pixels of the picture are in one of its, across and down.
        """
        wanted = max(math.floor(math.log2(1 / max(scale, 1e-6))), 0)
        while len(self._levels) <= wanted and min(self._levels[-1].shape[:2]) > 1:
            height, width = self._levels[-1].shape[:2]
            size = (max(width // 2, 1), max(height // 2, 1))
            half = cv2.resize(self._levels[-1], size, interpolation=cv2.INTER_AREA)
            self._levels.append(np.asarray(half, np.uint8))
        picture, level = self._levels[0], self._levels[min(wanted, len(self._levels) - 1)]
        return level, (
            picture.shape[1] / level.shape[1],
            picture.shape[0] / level.shape[0],
        )
