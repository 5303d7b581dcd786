"""What an evaluation is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from avatargan.dataset import TEST, TRAIN
from avatargan.evaluation.metrics import DEFAULT_SAMPLES

#: The whole dataset, beside its two splits.
ALL = "all"
SPLITS = (TEST, TRAIN, ALL)


@dataclass(frozen=True)
class EvaluationOptions:
    """What to evaluate, and on how much.

    Attributes:
        samples: how many pictures of the generator.
        seed: of everything random.
        psi: truncation; 1, none, is what the field reports.
        split: which real pictures to compare with: test, train or all.
        metrics: by name; all that can be had by default.
        fixed: choices that all samples have.
        resolution: side at which samples and real pictures are compared; by default the smaller
            of the generator's and of the real pictures'.
        cache_folder: where features of real pictures are kept.
    """

    samples: int = DEFAULT_SAMPLES
    seed: int = 0
    psi: float = 1.0
    split: str = TEST
    metrics: tuple[str, ...] | None = None
    fixed: Mapping[str, str] = field(default_factory=dict)
    resolution: int | None = None
    cache_folder: Path | None = None
