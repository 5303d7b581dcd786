"""Memorisation: are samples nearer to training pictures than unseen real pictures are?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatargan.evaluation.neighbours import Array, Features, nearest

#: A sample is suspicious when it is nearer to a training picture than all but this share of the
#: test pictures are; this share of the samples would be so by chance.
SUSPICIOUS = 0.01
#: Pictures whose grids of mean colours correlate more than this are copies of each other.
COPY_CORRELATION = 0.99


@dataclass(frozen=True)
class Neighbours:
    """The nearest training picture of each of some pictures.

    Attributes:
        distances: ``[N]``.
        indices: which training picture, ``[N]``.
    """

    distances: Array
    indices: NDArray[np.int64]


@dataclass(frozen=True)
class Copies:
    """How many pictures are copies of a training picture, as they are or mirrored.

    Attributes:
        samples: how many of the samples.
        test_pictures: how many of the test pictures. These say nothing about how near an unseen
            picture comes to training pictures, and are not taken as such.
    """

    samples: int
    test_pictures: int


@dataclass(frozen=True)
class Memorisation:
    """How near samples are to training pictures, beside how near unseen pictures are.

    Unseen are test pictures that are no copies of training pictures.

    Attributes:
        median_of_samples: median distance of a sample to its nearest training picture.
        median_of_unseen: the same of unseen pictures.
        nearer_than_unseen: the probability that a sample is nearer than an unseen one: 0.5 is
            what unseen pictures would have, 1 is copying.
        suspicious: share of the samples that are nearer than all but 1 % of the unseen ones.
        samples: how many samples.
        unseen: how many unseen test pictures.
        training: how many training pictures.
    """

    median_of_samples: float
    median_of_unseen: float
    nearer_than_unseen: float
    suspicious: float
    samples: int
    unseen: int
    training: int


def nearest_training(views: Sequence[Features], training: Features) -> Neighbours:
    """Return the nearest training picture, whichever way round the picture is.

    Args:
        views: features of the pictures as they are and mirrored, ``[N, F]`` each: training on
            mirrored pictures must not hide copies.
        training: features of the training pictures, ``[M, F]``.
    """
    found = [nearest(view, training) for view in views]
    distances = np.stack([distance for distance, _ in found])
    indices = np.stack([index for _, index in found])
    best = distances.argmin(0)[None]
    return Neighbours(
        np.take_along_axis(distances, best, 0)[0], np.take_along_axis(indices, best, 0)[0]
    )


def are_copies(pixel_distances: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Tell which pictures are copies, from distances in :class:`PixelFeatures`, ``[N]``."""
    result: NDArray[np.bool_] = 1 - np.square(pixel_distances) / 2 > COPY_CORRELATION
    return result


def memorisation(
    samples: NDArray[np.floating[Any]], unseen: NDArray[np.floating[Any]], training: int
) -> Memorisation:
    """Compare distances to nearest training pictures.

    Args:
        samples: of the samples, ``[N]``.
        unseen: of test pictures that are no copies, ``[M]``.
        training: how many training pictures there are.
    """
    ordered = np.sort(unseen)
    # For each sample: unseen pictures that are farther, and half of those that are as far.
    farther = len(ordered) - np.searchsorted(ordered, samples, "right")
    as_far = np.searchsorted(ordered, samples, "right") - np.searchsorted(ordered, samples, "left")
    limit = np.quantile(unseen, SUSPICIOUS)
    return Memorisation(
        median_of_samples=float(np.median(samples)),
        median_of_unseen=float(np.median(unseen)),
        nearer_than_unseen=float((farther + as_far / 2).mean() / len(unseen)),
        suspicious=float((samples < limit).mean()),
        samples=len(samples),
        unseen=len(unseen),
        training=training,
    )
