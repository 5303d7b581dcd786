"""Nearest neighbours between features, with scikit-learn, in bounded memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Features = NDArray[np.floating[Any]]


def nearest(queries: Features, references: Features) -> tuple[Array, NDArray[np.int64]]:
    """Return the distance to the nearest reference of each query ``[N]``, and its index ``[N]``."""
    distances, indices = _search(references, 1).kneighbors(np.asarray(queries, np.float64))
    return distances[:, 0], indices[:, 0].astype(np.int64)


def radii(features: Features, neighbours: int) -> Array:
    """Return each point's distance to its k-th nearest neighbour among the others, ``[N]``."""
    distances, _ = _search(features, neighbours).kneighbors()  # without the points themselves
    result: Array = distances[:, -1]
    return result


def _search(references: Features, neighbours: int) -> Any:
    # Imported here: it takes a second, and commands ask for help more often than for neighbours.
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=neighbours, algorithm="brute")
    return search.fit(np.asarray(references, np.float64))
