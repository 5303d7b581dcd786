"""What sliders are measured by: landmarks and masses of a character, read off its own recolourings.

A character is drawn with black hair and blue eyes, with white hair, and with red eyes
(:data:`avatargan.editing.training.samples.MEASURED_PALETTES`). What changes with the hair is hair,
what turns from blue to red is an iris: masks that no detector could give as exactly. Lengths are
in pixels of a picture of 128 px; everything that depends on how close the face is is divided by
the distance of the eyes.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from avatargan.rendering.base import Pixels

Array = NDArray[np.float64]

#: In the order of the columns that :func:`measure` returns.
MEASURES = (
    "turn",
    "tilt",
    "closeness",
    "height in the picture",
    "place in the picture",
    "hair length",
    "hair width",
    "fringe",
    "eye size",
    "eye shape",
    "skin brightness",
    "blush",
    "mouth",
    "smile",
    "background",
    "hair brightness",
    "contrast",
    "clothes brightness",
)
#: An iris turns from blue to red by more than this, out of 255.
IRIS_CHANGE = 45.0
#: What black hair and white hair differ by where it is nothing but hair.
HAIR_CHANGE = 160.0
_SMALLEST_IRIS = 12
_LUMA = np.array([0.299, 0.587, 0.114])


def measure(pictures: Pixels) -> Array:
    """Return the measures of one character, ``[measures]``; all NaN where no two eyes are found.

    Args:
        pictures: ``[3, 128, 128, 3]``: black hair and blue eyes, white hair, red eyes.
    """
    nothing = np.full(len(MEASURES), np.nan)
    dark, light, red = pictures.astype(np.float64)
    hair = np.clip(np.abs(light - dark).mean(2) / HAIR_CHANGE, 0, 1)
    eyes = _irises(dark, red)
    if eyes is None:
        return nothing
    (left, right) = eyes
    middle = (left.centre + right.centre) / 2
    across = right.centre - left.centre
    d = float(np.hypot(*across))
    if not 14 < d < 80:
        return nothing
    y, x = float(middle[0]), float(middle[1])
    luma = dark @ _LUMA
    rows, columns = np.mgrid[0:128, 0:128].astype(np.float64)

    def box(top: float, bottom: float, start: float, end: float) -> tuple[slice, slice]:
        """Return a box around the middle of the eyes, in distances of the eyes."""
        limits = np.clip(np.rint([y + top * d, y + bottom * d, x + start * d, x + end * d]), 0, 128)
        a, b, e, f = (int(value) for value in limits)
        return slice(a, max(b, a + 1)), slice(e, max(f, e + 1))

    def mean(of: Array, *limits: float) -> float:
        part = of[box(*limits)]
        return float(part.mean()) if part.size else float("nan")

    above = hair * (rows < y)
    weight = above.sum(0)
    if weight.sum() < 50:
        return nothing
    spread = np.cumsum(weight) / weight.sum()
    head = (np.interp(0.04, spread, np.arange(128)) + np.interp(0.96, spread, np.arange(128))) / 2
    chin = min(y + 1.15 * d, 118.0)
    below = hair[int(chin) :, :]
    cheeks = dark[box(0.25, 0.55, -0.35, 0.35)].reshape(-1, 3)
    skin = np.median(cheeks, axis=0)
    skin_luma = float(skin @ _LUMA)
    mouth = box(0.5, 0.85, -0.35, 0.35)
    darkness = np.clip(skin_luma - luma[mouth] - 12, 0, None)
    darkness *= 1 - np.clip(hair[mouth] * 2, 0, 1)
    total = darkness.sum() + 1e-6
    mouth_x = (columns[mouth] * darkness).sum() / total
    off = np.abs(columns[mouth] - mouth_x)
    width = (off * darkness).sum() / total + 1e-6
    outer, inner = darkness * (off > width), darkness * (off <= width)
    curve = (rows[mouth] * inner).sum() / (inner.sum() + 1e-6) - (rows[mouth] * outer).sum() / (
        outer.sum() + 1e-6
    )
    border = np.zeros((128, 128), bool)
    border[:40, :10] = border[:40, -10:] = border[:6] = True
    ground = border & (hair < 0.12)
    paper = luma[ground].mean() if ground.sum() > 30 else np.nan
    solid = hair > 0.55
    clothes = np.zeros((128, 128), bool)
    clothes[116:, 20:108] = True
    clothes &= (hair < 0.15) & (np.abs(dark - skin).mean(2) > 25)
    cloth = luma[clothes].mean() if clothes.sum() > 40 else np.nan
    return np.array(
        [
            (x - head) / d,
            float(np.degrees(np.arctan2(across[0], across[1]))),
            np.log(d),
            y,
            head,
            below.mean(),
            mean(hair, -0.1, 0.5, -1.6, -0.75) + mean(hair, -0.1, 0.5, 0.75, 1.6),
            mean(hair, -0.8, -0.3, -0.45, 0.45),
            np.log((left.area + right.area) / d**2),
            np.log((left.height + right.height) / (left.width + right.width)),
            skin_luma,
            float(skin[0] - skin[1]),
            np.log(total / d**2 + 0.3),
            float(curve / d) if total > 60 else np.nan,
            paper,
            (light @ _LUMA)[solid].mean() if solid.sum() > 100 else np.nan,
            float(luma.std()),
            cloth,
        ]
    )


class _Iris:
    """One iris: a blob of what turns from blue to red."""

    def __init__(self, mask: NDArray[np.bool_], weight: Array) -> None:
        rows, columns = np.nonzero(mask)
        weights = weight[rows, columns]
        self.area = float(weights.sum())
        self.centre = np.array(
            [(rows * weights).sum() / self.area, (columns * weights).sum() / self.area]
        )
        self.height = (
            float(np.sqrt(((rows - self.centre[0]) ** 2 * weights).sum() / self.area)) + 0.3
        )
        self.width = (
            float(np.sqrt(((columns - self.centre[1]) ** 2 * weights).sum() / self.area)) + 0.3
        )


def _irises(blue: Array, red: Array) -> tuple[_Iris, _Iris] | None:
    """Return the left and the right iris of the picture, None where there are no two."""
    change = ((red[..., 0] - blue[..., 0]) + (blue[..., 2] - red[..., 2])) / 2
    smooth = ndimage.uniform_filter(change, 3)
    labels, count = ndimage.label(smooth > IRIS_CHANGE)
    if count < 2:
        return None
    weight = np.clip(change / 120, 0, 1)
    index = np.arange(1, count + 1)
    masses = ndimage.sum_labels(np.clip(change, 0, None), labels, index)
    places = ndimage.center_of_mass(np.clip(change, 0, None) + 1e-9, labels, index)
    best: tuple[float, int, int] | None = None
    likely = np.argsort(masses)[::-1][:6]
    for i in likely:
        for j in likely:
            dy, dx = places[j][0] - places[i][0], places[j][1] - places[i][1]
            if dx < 14 or abs(dy) > 0.5 * dx or not (30 < places[i][0] < 105):
                continue
            score = min(masses[i], masses[j]) * 2 + max(masses[i], masses[j]) * 0.3
            if best is None or score > best[0]:
                best = (score, int(index[i]), int(index[j]))
    if best is None:
        return None
    masks = [labels == best[1], labels == best[2]]
    if min(mask.sum() for mask in masks) < _SMALLEST_IRIS:
        return None
    first, second = (_Iris(mask, weight) for mask in masks)
    return first, second
