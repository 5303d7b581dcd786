"""Boosting one stage of a cascade: stumps over LBP codes, each a split of the 256 codes in two."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_crop.training.lbp import Feature
from face_crop.training.lbp_cascade import Stage, Stump

#: Examples of the least weight, together this share of it, are left out of a round.
_TRIMMED = 0.02
_SMALLEST = 1e-12


def boost_stage(
    features: Sequence[Feature],
    faces: NDArray[np.uint8],
    others: NDArray[np.uint8],
    hit_rate: float,
    false_alarms: float,
    most_stumps: int,
    features_per_round: int,
    random: np.random.Generator,
) -> Stage:
    """Add stumps by gentle AdaBoost until a stage rejects enough of what is no face.

    Args:
        features: what may be looked at.
        faces: codes of the features in windows of faces, ``[F, P]``.
        others: the same in windows of anything else, ``[F, N]``.
        hit_rate: share of the faces that the stage must let pass.
        false_alarms: share of the others that it may let pass.
        most_stumps: after so many it ends anyway.
        features_per_round: how many features, drawn at random, compete for each stump.
        random: draws them.
    """
    count = faces.shape[1]
    is_face = np.arange(count + others.shape[1]) < count
    wanted = np.where(is_face, 1.0, -1.0)
    weights = np.where(is_face, 0.5 / count, 0.5 / max(others.shape[1], 1))
    sums = np.zeros(len(wanted), np.float32)
    stumps: list[Stump] = []
    threshold = 0.0
    while len(stumps) < most_stumps:
        heavy = _heavy(weights)
        chosen = random.choice(len(features), min(features_per_round, len(features)), replace=False)
        face_rows, other_rows = heavy[heavy < count], heavy[heavy >= count] - count
        histograms = np.stack(
            [
                _histograms(faces[chosen][:, face_rows], weights[face_rows]),
                _histograms(others[chosen][:, other_rows], weights[other_rows + count]),
            ]
        )
        best, subset, inside, outside = _best_split(*histograms)
        feature = int(chosen[best])
        stumps.append(Stump(features[feature], subset, inside, outside))
        votes = np.where(subset, inside, outside).astype(np.float32)
        row = np.concatenate([votes[faces[feature]], votes[others[feature]]])
        sums += row
        weights *= np.exp(-wanted * row)
        weights /= weights.sum()
        # What is written has seven digits: the threshold stays on the safe side of them.
        passing = np.sort(sums[:count])[int(np.floor((1 - hit_rate) * count))]
        threshold = float(passing) - 1e-4
        if (sums[count:] >= threshold).mean() <= false_alarms:
            break
    return Stage(tuple(stumps), threshold)


def _heavy(weights: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the indices of the examples that have nearly all of the weight."""
    order = np.argsort(weights)
    light = int(np.searchsorted(weights[order].cumsum(), _TRIMMED * weights.sum()))
    return np.sort(order[light:])


def _histograms(codes: NDArray[np.uint8], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weight on each code of each feature, ``[F, 256]``, of codes ``[F, N]``."""
    return np.stack([np.bincount(row, weights, minlength=256) for row in codes.astype(np.intp)])


def _best_split(
    faces: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[int, NDArray[np.bool_], float, float]:
    """Return the feature, the codes inside, and the votes of the split of least squared error.

    Sorted by their share of faces, the best two groups of codes are a beginning and an end of
    the row (Breiman et al., "Classification and Regression Trees", 1984).
    """
    total = faces + others
    order = np.argsort((faces - others) / np.maximum(total, _SMALLEST), axis=1)
    margin = np.take_along_axis(faces - others, order, 1).cumsum(1)
    mass = np.take_along_axis(total, order, 1).cumsum(1)
    rest_margin, rest_mass = margin[:, -1:] - margin, mass[:, -1:] - mass
    explained = margin**2 / np.maximum(mass, _SMALLEST) + rest_margin**2 / np.maximum(
        rest_mass, _SMALLEST
    )
    feature, end = np.unravel_index(int(explained.argmax()), explained.shape)
    subset = np.zeros(256, bool)
    subset[order[feature, : end + 1]] = True
    inside = margin[feature, end] / max(mass[feature, end], _SMALLEST)
    outside = rest_margin[feature, end] / max(rest_mass[feature, end], _SMALLEST)
    # As they will be read from the file.
    return int(feature), subset, float(f"{inside:.7g}"), float(f"{outside:.7g}")
