"""Making probabilities mean what they say: temperature scaling (arXiv 1706.04599)."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

#: Bins of the expected calibration error, of equal width.
BINS = 15
#: A temperature outside of these says that something else is wrong.
LEAST_TEMPERATURE, LARGEST_TEMPERATURE = 0.05, 20.0


def fit_temperature(scores: Tensor, labels: Tensor, *, doubt: float = 0.0) -> float:
    """Return the T for which ``softmax(scores / T)`` gives the labels the highest likelihood.

    The likelihood has one maximum in 1/T, which is found by golden-section search over log T.

    Args:
        scores: ``[N, choices]`` of pictures that the network was not trained on.
        labels: ``[N]``.
        doubt: part of each label that goes to all choices alike. Without it a few pictures that
            were all told right would make for certainty.

    Returns:
        1 where there are no labels to fit to.
    """
    if not len(labels):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = scores / math.exp(log_temperature)
        return float(functional.cross_entropy(scaled, labels, label_smoothing=doubt))

    low, high = math.log(LEAST_TEMPERATURE), math.log(LARGEST_TEMPERATURE)
    ratio = (5**0.5 - 1) / 2
    while high - low > 1e-3:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)


def calibrated(scores: Tensor, temperature: float) -> Tensor:
    """Return probabilities ``[N, choices]`` of scores of that shape."""
    return torch.softmax(scores.float() / temperature, dim=1)


def expected_calibration_error(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], bins: int = BINS
) -> float:
    """Return the mean distance between how sure the best choice is and how often it is right.

    In bins of equal width, each weighed by how many pictures are in it (arXiv 1706.04599, eq. 3).

    Args:
        probabilities: ``[N, choices]``.
        labels: ``[N]``.
        bins: how many.

    Returns:
        From 0 to 1; NaN where there are no labels.
    """
    if not len(labels):
        return float("nan")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    # Bins are open below and closed above, so that 1 is in the last.
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(places, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))
