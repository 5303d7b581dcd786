"""Identity drift: what moves in the drawing when only a colour should change."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from avatargan.evaluation.features import Pixels

#: The share of a picture's pixels that are its edges: the strongest ones, whatever the contrast,
#: so that lighter hair with fainter outlines has the same edges.
EDGE_SHARE = 0.2
#: An edge that moved by no more than this, in pixels, has not moved.
TOLERANCE = 1


@dataclass(frozen=True)
class IdentityDrift:
    """How far pictures of one character in other colours are from each other.

    Attributes:
        by_attribute: the mean over all changes of an attribute.
        by_choice: by attribute and by what it was changed to.
        other_characters: the same measure between different characters, to compare with.
        characters: how many characters were changed.
    """

    by_attribute: dict[str, float]
    by_choice: dict[str, dict[str, float]]
    other_characters: float
    characters: int


def edge_map(picture: Pixels) -> NDArray[np.bool_]:
    """Return where the edges of a picture are, ``[H, W]``.

    They are where the Sobel gradient, in whichever channel it is largest, is among the strongest
    fifth of the picture; what is plain has none.
    """
    planes = picture.astype(np.float32)
    vertical, horizontal = (ndimage.sobel(planes, axis) for axis in (0, 1))
    strength = np.hypot(vertical, horizontal).max(-1)
    edges: NDArray[np.bool_] = (strength > 0) & (strength >= np.quantile(strength, 1 - EDGE_SHARE))
    return edges


def edge_drift(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return how much of two edge maps is not in the other: 0 the same lines, 1 none in common.

    It is one minus the F measure with a tolerance of a pixel, as boundaries are compared
    (Martin, Fowlkes and Malik, "Learning to detect natural image boundaries", 2004).
    """
    if not one.any() and not other.any():
        return 0.0
    if not one.any() or not other.any():
        return 1.0
    square = np.ones((2 * TOLERANCE + 1, 2 * TOLERANCE + 1), bool)
    found = (one & ndimage.binary_dilation(other, square)).sum() / one.sum()
    kept = (other & ndimage.binary_dilation(one, square)).sum() / other.sum()
    return float(1 - 2 * found * kept / (found + kept)) if found + kept else 1.0


def identity_drift(
    distances: dict[str, NDArray[np.floating[Any]]],
    settings: dict[str, tuple[str, ...]],
    other_characters: NDArray[np.floating[Any]],
) -> IdentityDrift:
    """Summarise distances between each character and its changed pictures.

    Args:
        distances: by changed attribute, ``[characters, settings]``; NaN where nothing changed.
        settings: the choices of each attribute.
        other_characters: distances between different characters.
    """
    return IdentityDrift(
        {name: _mean(values) for name, values in distances.items()},
        {
            name: {to: _mean(values[:, row]) for row, to in enumerate(settings[name])}
            for name, values in distances.items()
        },
        _mean(other_characters),
        max((len(values) for values in distances.values()), default=0),
    )


def _mean(values: NDArray[np.floating[Any]]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
