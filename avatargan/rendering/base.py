"""What every renderer has in common."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Pixels = NDArray[np.uint8]


class Renderer(Protocol):
    """Draws pictures from w and palette embeddings."""

    #: What the work runs on, in words for people.
    description: str
    #: How many pictures it is best given at a time.
    chunk: int

    def draw(self, w: Tensor, palette: Tensor, size: int) -> Pixels:
        """Return pictures ``[B, size, size, 3]`` (RGB) for w ``[B, w_dim]``, truncated already.

        Args:
            w: on the CPU, float32.
            palette: the palette embeddings of each picture side by side, ``[B, palette_dim]``.
            size: the generator's resolution, twice or four times it.
        """
        ...


def finish(image: Tensor, upscaled: Tensor | None, size: int) -> Tensor:
    """Turn what the networks gave into bytes.

    Args:
        image: what the generator drew, ``[B, 3, R, R]`` in about [-1, 1].
        upscaled: what the upscaler made of it, ``[B, 3, 4R, 4R]`` in about [0, 1], where the
            size asks for it.
        size: side of the result; where it is between the two, areas are averaged.

    Returns:
        ``[B, size, size, 3]``, uint8.
    """
    pixels = to_unit_range(image) if upscaled is None else upscaled.clamp(0, 1)
    if pixels.shape[-1] != size:
        pixels = functional.avg_pool2d(pixels, pixels.shape[-1] // size)
    return pixels.mul(255).add_(0.5).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def to_unit_range(image: Tensor) -> Tensor:
    """Clamp pictures to [-1, 1] and move them to [0, 1], where the upscaler works."""
    return image.clamp(-1, 1).add(1).mul(0.5)
