"""The 256 colours of a GIF, shared by all its frames."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Colours at the edge of what is there. Dithering mixes what lies between colours but cannot
#: reach beyond them: with means of clusters alone, eyes and bright hair turn grey.
EXTREMES = 96
#: Enough to find small things of their own colour, such as eyes.
PIXELS = 16_000
#: Rounds of k-means; more change nothing that one sees.
ROUNDS = 8

Colours = NDArray[np.float32]


def choose_palette(pixels: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return ``count`` colours, ``[count, 3]``, that suit the pixels ``[N, 3]`` when dithered."""
    chosen = pixels[:: max(1, len(pixels) // PIXELS)].astype(np.float32)
    extremes = _farthest_points(chosen, EXTREMES)
    start = chosen[np.linspace(0, len(chosen) - 1, count - EXTREMES).round().astype(int)]
    colours = np.concatenate([extremes, _k_means(chosen, start)])
    return np.asarray(colours.round(), dtype=np.uint8)


def palette_image(colours: NDArray[np.uint8]) -> Image.Image:
    """Return a picture with this palette, as :meth:`PIL.Image.Image.quantize` wants it."""
    image = Image.new("P", (1, 1))
    image.putpalette(colours.tobytes())
    return image


def visible_pixels(frames: Sequence[Image.Image], opaque_from: int) -> NDArray[np.uint8]:
    """Return the colours ``[N, 3]`` of all pixels with at least so much alpha."""
    pixels = np.concatenate([np.asarray(frame.convert("RGBA")).reshape(-1, 4) for frame in frames])
    visible = pixels[pixels[:, 3] >= opaque_from, :3]
    return visible if len(visible) else pixels[:1, :3]


def _farthest_points(pixels: Colours, count: int) -> Colours:
    """Return colours each of which is the farthest from all before it (Gonzalez 1985)."""
    found = [pixels[0]]
    distance = np.square(pixels - found[0]).sum(axis=1)
    while len(found) < count:
        found.append(pixels[distance.argmax()])
        distance = np.minimum(distance, np.square(pixels - found[-1]).sum(axis=1))
    return np.stack(found)


def _k_means(pixels: Colours, centres: Colours) -> Colours:
    for _ in range(ROUNDS):
        distance = np.square(centres).sum(axis=1) - 2 * pixels @ centres.T  # [N, count]
        nearest = distance.argmin(axis=1)
        sizes = np.bincount(nearest, minlength=len(centres))[:, None]
        sums = np.stack(
            [np.bincount(nearest, channel, len(centres)) for channel in pixels.T], axis=1
        )
        centres = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres).astype(np.float32)
    return centres
