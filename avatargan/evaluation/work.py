"""What an evaluation will take, known before it starts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from avatargan.dataset import TEST, TRAIN
from avatargan.evaluation.changes import changeable, count_changes
from avatargan.evaluation.evaluation import Evaluation
from avatargan.evaluation.metrics import (
    ACCURACY,
    CHANGES,
    COMPARISONS,
    IDENTITY,
    LEAKAGE,
    MEMORISATION,
    PATH_LENGTH,
)
from avatargan.evaluation.path_length import SPACES
from avatargan.evaluation.samples import fitted
from avatargan.evaluation.threads import one_torch_thread

JUDGE = "judge"
_TIMED_PICTURES = 64


@dataclass(frozen=True)
class Work:
    """What an evaluation will do.

    Attributes:
        drawn: pictures of the generator.
        looks: pictures, or pairs of them, by what looks at them; those whose features are in the
            cache already included.
        seconds: about how long that takes on this machine.
    """

    drawn: int
    looks: Mapping[str, int]
    seconds: float


def estimate_work(evaluation: Evaluation) -> Work:
    """Draw and look at a few pictures, and tell what the whole will take."""
    with one_torch_thread():
        return _estimate(evaluation)


def _estimate(evaluation: Evaluation) -> Work:
    drawn, looks = count_drawn(evaluation), count_looks(evaluation)
    plan = evaluation.plan
    recipes = [plan.recipe(index) for index in range(_TIMED_PICTURES)]
    pictures = np.stack(list(plan.pictures(recipes)))  # a first time, for what is made ready once
    seconds = drawn * _seconds(lambda: list(plan.pictures(recipes))) / len(recipes)
    small = fitted(pictures, evaluation.resolution)
    calls: dict[str, Callable[[], object]] = {
        extractor.name: partial(extractor.features, small)
        for extractor in (*evaluation.extractors, *evaluation.copy_finders)
    }
    calls[JUDGE] = partial(evaluation.judge.probabilities, pictures)
    if evaluation.lpips is not None:
        calls[evaluation.lpips.name] = partial(evaluation.lpips.distances, pictures, pictures)
    for name, count in looks.items():
        calls[name]()
        seconds += count * _seconds(calls[name]) / len(pictures)
    return Work(drawn, looks, seconds)


def count_drawn(evaluation: Evaluation) -> int:
    """Return how many pictures are drawn."""
    counts, drawn = evaluation.counts, 0
    if evaluation.views() or ACCURACY in evaluation.metrics:
        drawn += counts.samples
    if evaluation.any_of(CHANGES):
        drawn += _changed(evaluation)
    if PATH_LENGTH in evaluation.metrics:
        drawn += counts.paths * len(SPACES) * 2
    return drawn


def count_looks(evaluation: Evaluation) -> dict[str, int]:
    """Return how many pictures, or pairs, each of the networks looks at."""
    looks: dict[str, int] = {}

    def add(name: str, count: int) -> None:
        looks[name] = looks.get(name, 0) + count

    metrics, counts = evaluation.metrics, evaluation.counts
    for name, _ in evaluation.views():
        add(name, counts.samples)
    steps = counts.paths * len(SPACES)
    for extractor in evaluation.extractors:
        if evaluation.any_of(COMPARISONS):
            add(extractor.name, len(evaluation.real) + len(evaluation.training))
        if PATH_LENGTH in metrics:
            add(extractor.name, 2 * steps)
    if MEMORISATION in metrics:
        training, unseen = (len(evaluation.splits[split]) for split in (TRAIN, TEST))
        for finder in evaluation.copy_finders:
            add(finder.name, training + 2 * unseen)
    if ACCURACY in metrics:
        add(JUDGE, counts.samples + len(evaluation.real))
    if LEAKAGE in metrics:
        add(JUDGE, _changed(evaluation))
    if evaluation.lpips is not None:
        if IDENTITY in metrics:
            add(evaluation.lpips.name, _changed(evaluation))
        if PATH_LENGTH in metrics:
            add(evaluation.lpips.name, steps)
    return looks


def _changed(evaluation: Evaluation) -> int:
    plan = evaluation.plan
    return evaluation.counts.characters * count_changes(plan, changeable(plan))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
