"""Which characters are drawn well: a predictor learnt from verdicts on pictures.

Misfits are decided early: the features at 8 px, before any colour, tell them apart, at a fiftieth
of the cost of a picture. The file ``quality.safetensors`` has the role ``quality``. For each style
it holds a logistic regression on those features, flattened to ``[D]``:

    logit = bias + (features - mean) @ weight

``mean`` and ``weight`` are ``[styles, D]``, ``bias`` and ``threshold`` ``[styles]``. In the header,
``size`` is that of the features, ``w_space`` names the generators that it holds for, as in
:mod:`avatargan.editing.directions`, and ``auc`` tells how well it told held-out verdicts.

A seed always draws what it drew: the predictor chooses among seeds that nobody has asked for.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from avatargan.errors import WeightsError
from avatargan.latents import FloatArray

if TYPE_CHECKING:
    from avatargan.networks import ConditionalGenerator

#: So many seeds are tried before the best of them has to do.
MOST_TRIES = 50
_TENSORS = ("mean", "weight", "bias", "threshold")


class Quality:
    """Predicts from early features whether a character is drawn well.

    Args:
        arrays: the tensors of a file as described above, by name.
        size: of the features, in pixels.
        w_space: what they hold for.
        sha256: identifies the file.
    """

    def __init__(self, arrays: dict[str, FloatArray], size: int, w_space: str, sha256: str) -> None:
        self.arrays = arrays
        self.size = size
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
        size, w_space = file.integer("size"), file.metadata.get("w_space", "")
        return cls(arrays, size, w_space, file.sha256)

    def probability(self, features: FloatArray, style: int) -> float:
        """Return how likely a character is drawn well.

        Args:
            features: ``[D]``, see :meth:`avatargan.networks.generator.Generator.features_at`.
            style: the index of its style.
        """
        own = {name: array[style] for name, array in self.arrays.items()}
        logit = float((features - own["mean"]) @ own["weight"] + own["bias"])
        return float(1 / (1 + np.exp(-logit)))

    def threshold(self, style: int) -> float:
        """Return the probability from which on characters of a style are good enough."""
        return float(self.arrays["threshold"][style])


def find_quality(generator: "ConditionalGenerator") -> Quality | None:
    """Return the shipped predictor if it holds for a generator, else None.

    Raises:
        WeightsError: the file is damaged.
    """
    from avatargan.editing.directions import w_space_sha256
    from avatargan.networks.generator import Generator
    from avatargan.weights_header import SHIPPED_QUALITY, shipped_weights

    path = shipped_weights(SHIPPED_QUALITY)
    if not path.exists() or not isinstance(generator, Generator):
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
