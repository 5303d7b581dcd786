"""The Fréchet distance between features; with Inception's features it is the FID."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Array = NDArray[np.float64]


class FeatureStatistics:
    """Mean and covariance of features that come in batches, in float64 and one pass.

    Batches are merged as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
    for computing sample variances" (1979): memory holds one matrix, however many there are.
    """

    def __init__(self, dimension: int) -> None:
        self.count = 0
        self.mean: Array = np.zeros(dimension)
        self._scatter: Array = np.zeros((dimension, dimension))

    @classmethod
    def of(cls, features: NDArray[np.floating[Any]]) -> "FeatureStatistics":
        """Return the statistics of features ``[N, F]``."""
        statistics = cls(features.shape[1])
        for start in range(0, len(features), 1024):  # they may be a map of a large file
            statistics.update(features[start : start + 1024])
        return statistics

    def update(self, features: NDArray[np.floating[Any]]) -> None:
        """Take in a batch ``[N, F]``."""
        if not len(features):
            return
        batch = np.asarray(features, np.float64)
        own_mean = batch.mean(0)
        centred = batch - own_mean
        delta = own_mean - self.mean
        total = self.count + len(batch)
        self._scatter += centred.T @ centred
        self._scatter += np.outer(delta, delta) * (self.count * len(batch) / total)
        self.mean = self.mean + delta * (len(batch) / total)
        self.count = total

    @property
    def covariance(self) -> Array:
        """The unbiased covariance, ``[F, F]``."""
        return self._scatter / (self.count - 1)


def frechet_distance(one: FeatureStatistics, other: FeatureStatistics) -> float:
    """Return ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`` (arXiv 1706.08500, equation 6).

    The trace of the root is that of ``(R S2 R)^(1/2)`` with ``R`` the root of ``S1``, which is
    symmetric: its eigenvalues are real and exact even where covariances are singular, as they are
    with fewer pictures than features.
    """
    root = _root(one.covariance)
    eigenvalues = eigh(root @ other.covariance @ root, eigvals_only=True)
    trace_of_root = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    difference = one.mean - other.mean
    traces = np.trace(one.covariance) + np.trace(other.covariance)
    # Rounding can take what is 0 a little below it.
    return max(0.0, float(difference @ difference + traces - 2 * trace_of_root))


def _root(covariance: Array) -> Array:
    values, vectors = eigh(covariance)
    result: Array = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return result
