"""Equal-speed timing: neighbouring frames look equally different all along a morph.

Equal steps in z or w do not look equal: a mouth opens in one frame, and nothing seems to happen in
the next ten. Here the frames' times are moved until the differences that a viewer sees are equal.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatargan.morph.easing import Times
from avatargan.morph.schedule import even_times

#: Each draws every frame once, small.
ROUNDS = 4

# sRGB (IEC 61966-2-1) to CIE XYZ, divided by the white point D65.
_SRGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])
_LIGHT = np.where(
    np.arange(256) / 255 <= 0.04045,
    np.arange(256) / 255 / 12.92,
    ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4,
).astype(np.float32)


def equal_speed_times(
    count: int, loop: bool, draw: Callable[[Times], Iterable[Image.Image]]
) -> Times:
    """Return times ``[count]`` from 0 to 1 at which neighbouring frames look equally different.

    Args:
        count: how many frames.
        loop: whether the last frame leads back to the first.
        draw: draws frames at given times; small ones will do.
    """
    even = even_times(count, loop)
    grid = np.append(even, 1.0) if loop else even
    if count < 3:
        return even
    times = grid
    for _ in range(ROUNDS):
        travelled = np.concatenate([[0.0], np.cumsum(perceptual_steps(draw(times)))])
        if travelled[-1] == 0:  # nothing moves
            return even
        wanted = np.linspace(0, travelled[-1], len(times))
        times = np.interp(wanted, travelled, times)
        times[0], times[-1] = 0, 1
    return times[:count]


def perceptual_steps(frames: Iterable[Image.Image]) -> NDArray[np.float64]:
    """Return how different each frame looks from the one before it, ``[N - 1]``.

    The mean over the pixels of the CIE 1976 colour difference (the distance in CIELAB).
    """
    return np.array(
        [
            float(np.linalg.norm(after - before, axis=-1).mean())
            for before, after in pairwise(_in_lab(frames))
        ]
    )


def unevenness(steps: NDArray[np.float64]) -> float:
    """Return the coefficient of variation of steps: 0 where all are equal."""
    return float(steps.std() / steps.mean()) if steps.mean() > 0 else 0.0


def _in_lab(frames: Iterable[Image.Image]) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        xyz = _LIGHT[np.asarray(frame.convert("RGB"))] @ _SRGB_TO_XYZ.T.astype(np.float32)
        f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
        x, y, z = f[..., 0], f[..., 1], f[..., 2]
        yield np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
