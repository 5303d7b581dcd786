"""Multi-block local binary patterns, as OpenCV computes them.

A feature is a grid of three by three equal blocks in the window; its code has one bit for each of
the eight outer blocks, set where the block is at least as light as the one in the middle ("Face
Detection Based on Multi-Block LBP Representation", Zhang et al. 2007).
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

#: Side of the window in pixels.
WINDOW = 24

#: Left, top, width and height of the first block of a feature.
Feature = tuple[int, int, int, int]
Windows = NDArray[np.uint8]

#: Column and row of the outer blocks, from the highest bit of the code to the lowest.
_OUTER = ((0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2), (0, 1))

#: What is computed together: as much as the processor's cache holds.
_WINDOWS_AT_ONCE = 512
_FEATURES_AT_ONCE = 32


def all_features(window: int = WINDOW) -> list[Feature]:
    """Return every feature that fits a window."""
    longest = window // 3
    return [
        (x, y, width, height)
        for height in range(1, longest + 1)
        for width in range(1, longest + 1)
        for y in range(window - 3 * height + 1)
        for x in range(window - 3 * width + 1)
    ]


def codes(windows: Windows, features: Sequence[Feature]) -> NDArray[np.uint8]:
    """Return the code of each feature in each window.

    Args:
        windows: grey, ``[N, S, S]``.
        features: that fit the windows.

    Returns:
        ``[F, N]``: the codes of one feature lie together.
    """
    sums = np.zeros((windows.shape[0], windows.shape[1] + 1, windows.shape[2] + 1), np.int32)
    windows.cumsum(1, dtype=np.int32).cumsum(2, out=sums[:, 1:, 1:])
    x, y, width, height = np.array(features, np.intp).reshape(-1, 4).T[:, :, None, None]
    down, across = np.arange(4)[:, None], np.arange(4)
    used = (y + down * height) * sums.shape[2] + x + across * width
    result = np.zeros((len(features), len(windows)), np.uint8)
    for first in range(0, len(windows), _WINDOWS_AT_ONCE):
        part = sums[first : first + _WINDOWS_AT_ONCE]
        # Corner by corner in memory: what is gathered below are whole rows.
        corners = np.ascontiguousarray(part.transpose(1, 2, 0)).reshape(-1, len(part))
        for start in range(0, len(features), _FEATURES_AT_ONCE):
            grid = corners[used[start : start + _FEATURES_AT_ONCE]]
            rows = grid[:, 1:] - grid[:, :-1]
            blocks = rows[:, :, 1:] - rows[:, :, :-1]
            code = result[start : start + _FEATURES_AT_ONCE, first : first + _WINDOWS_AT_ONCE]
            for bit, (column, row) in enumerate(_OUTER):
                lighter = (blocks[:, row, column] >= blocks[:, 1, 1]).view(np.uint8)
                code |= lighter << np.uint8(7 - bit)
    return result


def to_window(grey: NDArray[np.uint8]) -> Windows:
    """Return a grey square as a window, averaged down."""
    way = cv2.INTER_AREA if grey.shape[0] > WINDOW else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (WINDOW, WINDOW), interpolation=way), np.uint8)
