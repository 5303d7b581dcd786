"""Which characters are drawn well: a predictor on w, learnt from verdicts on pictures.

The file ``quality.safetensors`` has the role ``quality``. For each style it holds a logistic
regression on the truncated w, standardised, and on its squares:

    logit = bias + x @ weight + (x^2 - 1) @ square_weight,    x = (w - mean) / deviation

``mean``, ``deviation``, ``weight`` and ``square_weight`` are ``[styles, w_dim]``, ``bias`` and
``threshold`` ``[styles]``. In the header, ``w_space`` names the generators that it holds for, as
in :mod:`avatargan.editing.directions`, and ``auc`` how well it told held-out verdicts.

A seed always draws what it drew: the predictor chooses among seeds that nobody has asked for.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from avatargan.errors import WeightsError
from avatargan.latents import FloatArray

if TYPE_CHECKING:
    from avatargan.networks import ConditionalGenerator

#: So many seeds are tried before the best of them has to do.
MOST_TRIES = 50
_TENSORS = ("mean", "deviation", "weight", "square_weight", "bias", "threshold")


class Quality:
    """Predicts from w whether a character is drawn well.

    Args:
        arrays: the tensors of a file as described above, by name.
        w_space: what they hold for.
        sha256: identifies the file.
    """

    def __init__(self, arrays: dict[str, FloatArray], w_space: str, sha256: str) -> None:
        self.arrays = arrays
        self.w_space = w_space
        self.sha256 = sha256

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Quality":
        """Read a file.

        Raises:
            WeightsError: it is missing, damaged, or its parts do not fit together.
        """
        from avatargan.weights import read_weights
        from avatargan.weights_header import QUALITY_ROLE

        file = read_weights(os.fspath(path), QUALITY_ROLE)
        for name in _TENSORS:
            if name not in file.tensors:
                raise WeightsError(f"{path}: the tensor '{name}' is missing")
        arrays = {name: file.tensors[name].float().numpy() for name in _TENSORS}
        shape = arrays["mean"].shape
        for name, array in arrays.items():
            expected = shape[:1] if name in ("bias", "threshold") else shape
            if len(shape) != 2 or array.shape != expected or not np.isfinite(array).all():
                raise WeightsError(f"{path}: the tensor '{name}' does not fit the others")
        return cls(arrays, file.metadata.get("w_space", ""), file.sha256)

    def probabilities(self, w: FloatArray, styles: Sequence[int]) -> NDArray[np.float32]:
        """Return how likely each character is drawn well, ``[N]``.

        Args:
            w: truncated, ``[N, w_dim]``.
            styles: the index of each one's style.
        """
        own = {name: array[list(styles)] for name, array in self.arrays.items()}
        x = (w - own["mean"]) / own["deviation"]
        logits = (x * own["weight"] + (x**2 - 1) * own["square_weight"]).sum(1) + own["bias"]
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)

    def threshold(self, style: int) -> float:
        """Return the probability from which on characters of a style are good enough."""
        return float(self.arrays["threshold"][style])


def find_quality(generator: "ConditionalGenerator") -> Quality | None:
    """Return the shipped predictor if it holds for a generator, else None.

    Raises:
        WeightsError: the file is damaged.
    """
    from avatargan.editing.directions import w_space_sha256
    from avatargan.weights_header import SHIPPED_QUALITY, shipped_weights

    path = shipped_weights(SHIPPED_QUALITY)
    if not path.exists():
        return None
    quality = Quality.load(path)
    return quality if quality.w_space == w_space_sha256(generator) else None


def choose_seeds(
    seeds: Iterable[int],
    count: int,
    score: Callable[[int], tuple[float, bool]],
    most_tries: int = MOST_TRIES,
) -> Iterator[int]:
    """Yield ``count`` of some seeds, leaving out those whose characters are likely misfits.

    Args:
        seeds: candidates, in order; as many as are asked for.
        count: how many to choose.
        score: of a seed: how likely its character is drawn well, and whether that is enough.
        most_tries: after so many candidates in a row that are not, the best of them is taken.
    """
    candidates = iter(seeds)
    for _ in range(count):
        best: tuple[float, int] | None = None
        for _ in range(most_tries):
            seed = next(candidates)
            probability, is_enough = score(seed)
            if best is None or probability > best[0]:
                best = (probability, seed)
            if is_enough:
                break
        assert best is not None
        yield best[1]
