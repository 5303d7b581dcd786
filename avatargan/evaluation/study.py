"""Studies of a generator that need no pictures but its own: leakage, identity, path length.

The same definitions as in an evaluation, on seeds and labels drawn evenly instead of a dataset's:

- leakage: characters in every choice of every attribute; the probabilities of a judge for each
  attribute before and after, as total variation (:mod:`avatargan.evaluation.leakage`);
- identity: how many edges move when a colour changes (:mod:`avatargan.evaluation.identity`);
- path: ``E[d^2 / e^2]`` along paths in z and in w, d being the distance of the judge's features
  (:mod:`avatargan.evaluation.path_length`).
"""

from typing import Any

import numpy as np

from avatargan.errors import OptionError, did_you_mean
from avatargan.evaluation.change_meter import ChangeMeter
from avatargan.evaluation.changes import changeable, draw_changes
from avatargan.evaluation.features import AttributeJudge, TaggerFeatures
from avatargan.evaluation.gallery import Gallery
from avatargan.evaluation.identity import identity_drift
from avatargan.evaluation.leakage import leakage
from avatargan.evaluation.path_length import SPACES, draw_steps, path_length
from avatargan.evaluation.progress import Progress, no_progress
from avatargan.evaluation.samples import MOST_SEEDS, SamplePlan, batches
from avatargan.pipeline import DEFAULT_PSI, AvatarPipeline

STUDIES = ("leakage", "identity", "path")
MOST_CHARACTERS = 100_000


def study(
    pipeline: AvatarPipeline,
    what: str,
    judge: AttributeJudge,
    *,
    characters: int = 64,
    seed: int = 0,
    psi: float = DEFAULT_PSI,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Return the figures of a study, ready for JSON, with what they were made from.

    Args:
        pipeline: what draws.
        what: one of :data:`STUDIES`.
        judge: the tagger.
        characters: how many; for "path", how many paths in each space.
        seed: of the characters' seeds and labels.
        psi: truncation.
        progress: shows how far the work has come.

    Raises:
        OptionError: there is no such study, or a number is out of range.
    """
    if what not in STUDIES:
        raise OptionError(
            f"there is no study '{what}'{did_you_mean(what, STUDIES)} "
            f"(studies: {', '.join(STUDIES)})"
        )
    if not 2 <= characters <= MOST_CHARACTERS:
        raise OptionError(f"a study takes from 2 to {MOST_CHARACTERS} characters, got {characters}")
    plan = even_samples(pipeline, 2 * characters if what == "path" else characters, seed, psi)
    found = {
        "leakage": _study_leakage,
        "identity": _study_identity,
        "path": _study_path,
    }[what](plan, judge, characters, seed, progress)
    return {
        "study": what,
        "characters": characters,
        "seed": seed,
        "psi": psi,
        "weights_sha256": pipeline.weights_sha256,
        "judge_sha256": judge.sha256,
        **found,
    }


def even_samples(pipeline: AvatarPipeline, count: int, seed: int, psi: float) -> SamplePlan:
    """Return samples with every choice equally likely; the first are the same for every count."""
    numbers = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed])))
    seeds = numbers.integers(0, MOST_SEEDS, size=count).tolist()
    labels: dict[str, list[str]] = {}
    for name in pipeline.attributes:
        labels[name] = [pipeline.attributes.resolve({name: "any"}, one)[name] for one in seeds]
    plan = SamplePlan(pipeline, seeds, labels, psi)
    plan.recipe(0)  # is psi what it may be?
    return plan


def _study_leakage(
    plan: SamplePlan, judge: AttributeJudge, characters: int, seed: int, progress: Progress
) -> dict[str, Any]:
    taxonomy = plan.pipeline.attributes
    judged = {name: judge.attributes.offered(name) for name in taxonomy if name in judge.attributes}
    if not judged:
        raise OptionError("the judge knows none of the attributes of these weights")
    attributes = changeable(plan)
    meter = ChangeMeter(attributes, [], judge, judged, None)
    for change in draw_changes(plan, characters, attributes, progress):
        meter.take(change, Gallery())
    found = leakage(
        {
            changed: {seen: np.stack(rows) for seen, rows in per_attribute.items()}
            for changed, per_attribute in meter.probabilities.items()
        },
        {name: np.array(rows) for name, rows in meter.own.items()},
        {name: taxonomy.offered(name) for name in attributes},
        judged,
    )
    return {"drift": found.drift, "other_verdicts": found.verdicts, "by_choice": found.by_choice}


def _study_identity(
    plan: SamplePlan, judge: AttributeJudge, characters: int, seed: int, progress: Progress
) -> dict[str, Any]:
    taxonomy = plan.pipeline.attributes
    colours = [name for name in changeable(plan) if name in taxonomy.palette]
    if not colours:
        raise OptionError("no attribute of the palette has more than one choice")
    meter = ChangeMeter(colours, colours, None, {}, None)
    for change in draw_changes(plan, characters, colours, progress):
        meter.take(change, Gallery())
    ((measure, distances),) = meter.distances.items()
    drift = identity_drift(
        {name: np.stack(rows) for name, rows in distances.items()},
        {name: taxonomy.offered(name) for name in colours},
        np.array(meter.other_characters[measure]),
    )
    return {
        "measure": measure.name,
        "by_attribute": drift.by_attribute,
        "by_choice": drift.by_choice,
        "other_characters": drift.other_characters,
    }


def _study_path(
    plan: SamplePlan, judge: AttributeJudge, characters: int, seed: int, progress: Progress
) -> dict[str, Any]:
    features = TaggerFeatures(judge)
    lengths = {}
    for space in SPACES:
        squared = []
        for batch in batches(draw_steps(plan, space, characters, seed, progress)):
            before, after = (
                features.features(np.stack([step[end] for step in batch])).astype(np.float64)
                for end in (0, 1)
            )
            squared.append(np.square(before - after).sum(1))
        lengths[space] = path_length(space, np.concatenate(squared)).value
    return {"features": features.name, "length": lengths}
