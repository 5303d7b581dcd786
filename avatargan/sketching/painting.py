"""Painting a sketch: the painter's network, and what is done before and after it."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from avatargan.errors import WeightsError
from avatargan.sketching.following import at_size, gaussian_blur
from avatargan.sketching.painter import PAINTED_SIZE, Painter
from avatargan.sketching.reading import Sketch
from avatargan.weights import read_weights, write_weights
from avatargan.weights_header import SHIPPED_SKETCH_PAINTER, SKETCH_PAINTER_ROLE, shipped_weights

Bytes = NDArray[np.uint8]

#: The guide's size in pixels where the lines are followed least, and where they are followed most.
SHARPEST_GUIDE, SOFTEST_GUIDE = 36, 7
#: How much of the ink is seen, from where lines are followed least to most, and how dark it is.
FAINTEST_INK, STRONGEST_INK = 0.15, 0.9
INK_TONE = 0.22
#: Above this only what was painted is left of the picture, below some of the clean character. It
#: is low: half-way between two faces there are four eyes.
PAINTED_FROM = 0.2
#: So far around a dab its colour spreads in the guide, and is corrected in what was painted.
SPREAD = 2.5


@torch.no_grad()
def paint(painter: Painter, sketch: Sketch, character: Tensor, follow: float) -> Tensor:
    """Return a picture ``[1, 3, 128, 128]`` in [-1, 1] with the lines of a sketch.

    Args:
        painter: see there.
        sketch: what was drawn.
        character: one much like it, ``[1, 3, 128, 128]`` in [-1, 1].
        follow: how strictly: the character's picture guides the colours, in as many pixels as
            this leaves of it. What the guide does not show, the lines decide.
    """
    guide = guide_of(character, sketch, follow)
    picture = painter(sketch.strokes, guide, sketch.dabbed).clamp(-1, 1)
    picture = torch.lerp(character, picture, min(1.0, follow / PAINTED_FROM))
    return _with_colours_kept(picture, sketch)


def with_ink(pixels: Bytes, sketch: Sketch, follow: float) -> Bytes:
    """Return a picture ``[S, S, 3]`` with the strokes themselves laid over it, as dark ink.

    Ink darkens the colour that is there, the more the more strictly lines are followed.
    """
    ink = at_size(sketch.ink, pixels.shape[0])[0, 0].numpy()[..., None]
    opacity = FAINTEST_INK + (STRONGEST_INK - FAINTEST_INK) * follow
    darker = pixels * np.float32(INK_TONE)
    mixed = pixels + (darker - pixels) * (ink * np.float32(opacity))
    return np.asarray(mixed + 0.5, dtype=np.uint8)


def guide_of(character: Tensor, sketch: Sketch, follow: float) -> Tensor:
    """Return the guide ``[1, 3, 128, 128]``: the character blurred, the dabs on it."""
    size = round(SHARPEST_GUIDE * (SOFTEST_GUIDE / SHARPEST_GUIDE) ** follow)
    small = functional.interpolate(character, (size, size), mode="area")
    guide = functional.interpolate(
        small, (PAINTED_SIZE, PAINTED_SIZE), mode="bicubic", align_corners=False
    ).clamp(-1, 1)
    return torch.lerp(guide, sketch.hints * 2 - 1, sketch.dabbed)


def _with_colours_kept(picture: Tensor, sketch: Sketch) -> Tensor:
    """Move the colours of what was dabbed to those that were asked for; lines stay."""
    if not bool(sketch.dabbed.any()):
        return picture
    weight = gaussian_blur(sketch.dabbed, SPREAD).clamp(min=1e-4)
    wanted = sketch.hints * 2 - 1
    # Ink is no colour: it would make what is between look too dark.
    share = sketch.dabbed * (1 - sketch.strokes)
    off = (wanted - picture) * share
    blurred = torch.cat([gaussian_blur(off[:, index : index + 1], SPREAD) for index in range(3)], 1)
    known = gaussian_blur(share, SPREAD).clamp(min=1e-3)
    return (picture + blurred / known * weight.sqrt().clamp(max=1) * sketch.dabbed).clamp(-1, 1)


def save_painter(
    path: str | os.PathLike[str], painter: Painter, remarks: Mapping[str, str] | None = None
) -> None:
    """Write a painter as fp16 weights.

    Raises:
        OutputError: the file cannot be written.
    """
    metadata = {
        **(remarks or {}),
        "role": SKETCH_PAINTER_ROLE,
        "resolution": str(PAINTED_SIZE),
    }
    write_weights(Path(path), painter.state_dict(), metadata)


def load_painter(path: str | os.PathLike[str] | None = None) -> Painter:
    """Return the painter of a weights file (the shipped one by default).

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    weights = read_weights(
        Path(path) if path is not None else shipped_weights(SHIPPED_SKETCH_PAINTER),
        SKETCH_PAINTER_ROLE,
    )
    if weights.integer("resolution") != PAINTED_SIZE:
        raise WeightsError(f"{weights.path}: the resolution in the header is not {PAINTED_SIZE}")
    widths = [weights.shape("enter.weight", 4)[0]]
    while f"down.{len(widths) - 1}.weight" in weights.shapes:
        widths.append(weights.shape(f"down.{len(widths) - 1}.weight", 4)[0])
    with torch.device("meta"):
        painter = Painter(widths)
    weights.give_to(painter)
    return painter.eval().requires_grad_(False)
