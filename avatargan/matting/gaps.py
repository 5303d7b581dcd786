"""White between strands of hair that the matting network takes for hair.

On a white ground the ends of strands enclose slivers of it, a few pixels wide, which the network
seldom sees as such; on any other ground they shine. They are found by colour: near-white, joined
to the ground, and with hair all around. Shirts, eyes and highlights are none of these, and pale
hair, of which nobody can tell by colour, is left alone.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Darkness of the darkest channel, 0 to 1, up to which a pixel counts as white, and a ground.
_NEAR_WHITE, _WHITE_GROUND = 0.14, 0.06
#: Alpha below which a pixel is ground, and share of the picture that must be.
_GROUND, _LEAST_GROUND = 0.05, 0.005
#: The upper part of a portrait, as a share of its height, shows the colour of the hair.
_TOP = 0.12
#: Lab: lightness above which and chroma below which hair is too pale to be told from white.
_PALE, _COLOURLESS = 62.0, 25.0
#: Lab: lightness up to which anything may be a line of hair, how much lighter than in the middle it
#: may be, and how far its colour may be off.
_LINE, _LIGHTER, _OFF = 35.0, 25.0, 18.0
#: Share of what surrounds a gap that must be hair.
_ENCLOSED = 0.8
#: Width of that surrounding, and the least and largest area of a gap, in pixels at a side of 512.
_RIM, _LEAST_AREA, _LARGEST_AREA = 3, 6, 2500
#: Alpha of the pixels beside a gap, for which the edge is to be found anew.
_SOFT = 0.98


def open_gaps(picture: Tensor, alpha: Tensor) -> Tensor:
    """Return alpha without the gaps between strands; see above.

    Args:
        picture: ``[3, H, W]`` in [0, 1].
        alpha: ``[H, W]`` in [0, 1].
    """
    gaps = find_gaps(
        np.ascontiguousarray(picture.permute(1, 2, 0).numpy(), np.float32), alpha.numpy()
    )
    if not gaps.any():
        return alpha
    beside = cv2.dilate(gaps.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    opened = torch.where(torch.from_numpy(beside), alpha.clamp(max=_SOFT), alpha)
    return opened.masked_fill(torch.from_numpy(gaps), 0)


def find_gaps(picture: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels ``[H, W]`` of a picture ``[H, W, 3]`` in [0, 1] are such gaps."""
    height, width = alpha.shape
    nothing = np.zeros_like(alpha, dtype=np.bool_)
    darkness = 1 - picture.min(-1)
    ground = alpha < _GROUND
    if ground.mean() < _LEAST_GROUND or np.median(darkness[ground]) > _WHITE_GROUND:
        return nothing
    white = darkness < _NEAR_WHITE
    hair = _hair(picture, alpha, white)
    if hair is None:
        return nothing
    scale = height / 512
    rim = max(2, round(_RIM * scale))
    wide = np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats((white & ~ground).astype(np.uint8))
    beside = cv2.dilate(ground.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    gaps = nothing
    for label in np.unique(labels[beside & (labels > 0)]):
        left, top, across, down, area = boxes[label]
        if not _LEAST_AREA <= area / scale**2 <= _LARGEST_AREA:
            continue
        near = np.s_[
            max(0, top - rim) : min(height, top + down + rim),
            max(0, left - rim) : min(width, left + across + rim),
        ]
        gap = labels[near] == label
        around = (cv2.dilate(gap.astype(np.uint8), wide) > 0) & ~white[near] & ~ground[near]
        if around.any() and hair[near][around].mean() > _ENCLOSED:
            gaps[near] |= gap
    return gaps


def _hair(
    picture: NDArray[np.float32], alpha: NDArray[np.float32], white: NDArray[np.bool_]
) -> NDArray[np.bool_] | None:
    """Return which pixels have the colour of the hair, None where it is pale or not to be seen."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    top = slice(0, max(1, int(len(alpha) * _TOP)))
    sample = lab[top][(alpha[top] > 1 - _GROUND) & ~white[top]]
    if len(sample) < alpha[top].size // 100:
        return None
    lightness, *colour = np.median(sample, axis=0)
    if lightness > _PALE and np.hypot(*colour) < _COLOURLESS:
        return None
    off = np.hypot(lab[..., 1] - colour[0], lab[..., 2] - colour[1])
    like_hair = (off < _OFF) & (lab[..., 0] < lightness + _LIGHTER)
    found: NDArray[np.bool_] = (like_hair | (lab[..., 0] < _LINE)) & ~white
    return found
