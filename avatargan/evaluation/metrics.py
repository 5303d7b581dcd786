"""The metrics by name, and how many pictures each looks at."""

from collections.abc import Sequence
from dataclasses import dataclass

from avatargan.errors import OptionError, did_you_mean

FID = "fid"
KID = "kid"
PRECISION_RECALL = "precision-recall"
ACCURACY = "accuracy"
LEAKAGE = "leakage"
IDENTITY = "identity"
PATH_LENGTH = "path-length"
MEMORISATION = "memorisation"

METRICS = (FID, KID, PRECISION_RECALL, ACCURACY, LEAKAGE, IDENTITY, PATH_LENGTH, MEMORISATION)
#: These compare with the real pictures of the split.
COMPARISONS = (FID, KID, PRECISION_RECALL)
#: These look at the same characters with one attribute changed.
CHANGES = (LEAKAGE, IDENTITY)

DEFAULT_SAMPLES = 5000
#: With fewer pictures, drawn or real, figures are noise.
LEAST_SAMPLES = 100
LEAST_REAL = 50
MOST_SAMPLES = 100_000
_LEAST_CHARACTERS = 10
_LEAST_PATHS = 20


@dataclass(frozen=True)
class Counts:
    """How many pictures are looked at.

    Attributes:
        samples: for everything that looks at samples as they are.
        characters: how many of them are drawn again with each attribute changed.
        paths: how many pairs of them the path length is measured between.
    """

    samples: int
    characters: int
    paths: int


def counts_for(samples: int) -> Counts:
    """Return what goes with a number of samples: a fiftieth as characters, a tenth as paths.

    Raises:
        OptionError: there are too few for any figure, or more than there is room for.
    """
    if samples < LEAST_SAMPLES:
        raise OptionError(
            f"{samples} samples are too few for figures that mean anything; "
            f"take at least {LEAST_SAMPLES}"
        )
    if samples > MOST_SAMPLES:
        raise OptionError(f"{samples} samples are more than the limit of {MOST_SAMPLES}")
    return Counts(samples, max(_LEAST_CHARACTERS, samples // 50), max(_LEAST_PATHS, samples // 10))


def check_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """Return metrics in their usual order.

    Raises:
        OptionError: there is none, or one is unknown.
    """
    for name in names:
        if name not in METRICS:
            raise OptionError(
                f"there is no metric '{name}'{did_you_mean(name, METRICS)} "
                f"(metrics: {', '.join(METRICS)})"
            )
    if not names:
        raise OptionError(f"name at least one metric (metrics: {', '.join(METRICS)})")
    return tuple(name for name in METRICS if name in names)
