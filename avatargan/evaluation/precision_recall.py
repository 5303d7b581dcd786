"""Precision and recall of a generator by nearest neighbours in features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatargan.evaluation.neighbours import Array, Features, radii

#: Neighbours that the paper recommends.
NEIGHBOURS = 3
#: Distances in memory at a time, in mebibytes.
_WORKING_MEMORY = 64


@dataclass(frozen=True)
class PrecisionRecall:
    """How two sets of pictures overlap.

    Attributes:
        precision: share of the drawn pictures that lie among real ones: are they good?
        recall: share of the real pictures that lie among drawn ones: is everything there?
    """

    precision: float
    recall: float


def precision_recall(
    real: Features, fake: Features, neighbours: int = NEIGHBOURS
) -> PrecisionRecall:
    """Return precision and recall (arXiv 1904.06991).

    A point lies among a set if it is in the ball of one of its points, which reaches as far as
    the k-th nearest other point of the set. Give as many real as drawn pictures: balls shrink
    with numbers.

    Args:
        real: ``[M, F]``, M above k.
        fake: ``[N, F]``, N above k.
        neighbours: k.
    """
    return PrecisionRecall(
        precision=_share_inside(fake, real, radii(real, neighbours)),
        recall=_share_inside(real, fake, radii(fake, neighbours)),
    )


def _share_inside(points: Features, centres: Features, reach: Array) -> float:
    from sklearn.metrics import pairwise_distances_chunked

    def inside_any(distances: Array, _: int) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = np.any(distances <= reach, axis=1)
        return inside

    chunks: Any = pairwise_distances_chunked(
        np.asarray(points, np.float64),
        np.asarray(centres, np.float64),
        reduce_func=inside_any,
        working_memory=_WORKING_MEMORY,
    )
    return float(np.concatenate(list(chunks)).mean())
