"""Histograms of oriented gradients: what is drawn where, whatever its colours.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection" (CVPR 2005): gradients of
the luminance, by direction in cells of 8 x 8 px, normalised in blocks of 2 x 2 cells. OpenCV and
scikit-image have them too, but training machines need neither.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

#: Side of the pictures that it looks at.
SHAPE_SIZE = 64
#: Side of a cell in pixels.
CELL = 8
#: Directions from 0 to 180 degrees: a line has no front.
DIRECTIONS = 9
#: Of red, green and blue in the luminance (ITU-R BT.601).
LUMINANCE = (0.299, 0.587, 0.114)
#: Normalised histograms are cut off here and normalised again, so that no single edge rules.
MOST_IN_BLOCK = 0.2
EPSILON = 1e-3
#: How many numbers a picture gives: 4 histograms for each of the blocks.
LENGTH = (SHAPE_SIZE // CELL - 1) ** 2 * 4 * DIRECTIONS


def oriented_gradients(pictures: Tensor) -> Tensor:
    """Return histograms ``[B, LENGTH]``, block after block.

    Args:
        pictures: ``[B, 3, 64, 64]`` in [-1, 1].
    """
    weights = torch.tensor(LUMINANCE).reshape(1, 3, 1, 1)
    gray = functional.pad((pictures * weights).sum(1, keepdim=True), (1, 1, 1, 1), "replicate")
    across = gray[:, :, 1:-1, 2:] - gray[:, :, 1:-1, :-2]
    down = gray[:, :, 2:, 1:-1] - gray[:, :, :-2, 1:-1]
    strength = torch.hypot(across, down)
    place = torch.atan2(down, across) / math.pi * DIRECTIONS - 0.5
    directions = torch.arange(DIRECTIONS).reshape(1, -1, 1, 1)
    # Shared between the two nearest directions; the distance is that around a circle.
    distance = (place - directions).remainder(DIRECTIONS)
    share = (1 - torch.minimum(distance, DIRECTIONS - distance)).clamp(min=0)
    cells = _cells(strength * share)  # [B, 9, 8, 8]
    blocks = functional.unfold(cells, 2)  # [B, 36, 49]
    blocks = functional.normalize(blocks, dim=1, eps=EPSILON).clamp(max=MOST_IN_BLOCK)
    return functional.normalize(blocks, dim=1, eps=EPSILON).flatten(1)


def _cells(votes: Tensor) -> Tensor:
    """Sum what is in each cell; each place counts for the nearest cells, the nearer the more."""
    ramp = 1 - torch.arange(-CELL + 0.5, CELL).abs() / CELL  # [2 * CELL]
    window = (ramp[:, None] * ramp / ramp.sum() ** 2).expand(DIRECTIONS, 1, -1, -1).contiguous()
    return functional.conv2d(votes, window, stride=CELL, padding=CELL // 2, groups=DIRECTIONS)
