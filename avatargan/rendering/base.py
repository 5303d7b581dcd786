"""What every renderer has in common."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from avatargan.latents import FloatArray

Pixels = NDArray[np.uint8]


class Renderer(Protocol):
    """Draws pictures from w and palette embeddings."""

    #: What the work runs on, in words for people.
    description: str
    #: How many pictures it is best given at a time.
    chunk: int

    def draw(self, w: Tensor, palette: Tensor, size: int) -> Pixels:
        """Return pictures ``[B, size, size, 3]`` (RGB) for w, truncated already.

        Args:
            w: ``[B, w_dim]``, or one for each block of the synthesis, ``[B, blocks, w_dim]``; on
                the CPU, float32.
            palette: the palette embeddings of each picture side by side, ``[B, palette_dim]``.
            size: the generator's resolution, twice or four times it.
        """
        ...

    def enlarge(self, image: FloatArray, size: int) -> Pixels:
        """Return a picture that came from elsewhere at another size, ``[size, size, 3]`` (RGB).

        Args:
            image: ``[3, S, S]`` in [-1, 1].
            size: what is larger than the picture comes from the upscaler, up to four times.
        """
        ...


def finish(image: FloatArray, upscaled: FloatArray | None, size: int) -> Pixels:
    """Turn what the networks gave into bytes.

    NumPy, and not torch, because it runs in one thread per picture: torch would spread each of
    these small steps over all cores, where other pictures are being drawn.

    Args:
        image: what the generator drew, ``[3, R, R]`` in about [-1, 1].
        upscaled: what the upscaler made of it, ``[3, 4R, 4R]`` in about [0, 1], where the size
            asks for it.
        size: side of the result; where it is between the two, areas are averaged.

    Returns:
        ``[size, size, 3]``, RGB.
    """
    planes = to_unit_range(image) if upscaled is None else np.clip(upscaled, 0, 1)
    factor = planes.shape[-1] // size
    if factor > 1:
        offsets = [(row, column) for row in range(factor) for column in range(factor)]
        parts = [planes[:, row::factor, column::factor] for row, column in offsets]
        planes = np.asarray(sum(parts) / len(parts), dtype=np.float32)
    levels = (planes * 255 + np.float32(0.5)).astype(np.uint8)
    pixels = np.empty((size, size, 3), np.uint8)
    for channel in range(3):  # four times as fast as transposing
        pixels[..., channel] = levels[channel]
    return pixels


def resized(image: FloatArray, upscaled: FloatArray | None, size: int) -> Pixels:
    """Return a picture from elsewhere at any size, in bytes; see :func:`finish`.

    Args:
        image: ``[3, S, S]`` in [-1, 1].
        upscaled: four times as large, in about [0, 1], where the size is beyond S.
        size: side of the result.
    """
    planes = to_unit_range(image) if upscaled is None else np.clip(upscaled, 0, 1)
    pixels = np.ascontiguousarray((planes.transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))
    if pixels.shape[0] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BOX))


def to_unit_range(image: FloatArray) -> FloatArray:
    """Clamp pictures to [-1, 1] and move them to [0, 1], where the upscaler works."""
    return np.asarray((np.clip(image, -1, 1) + 1) * np.float32(0.5), dtype=np.float32)
