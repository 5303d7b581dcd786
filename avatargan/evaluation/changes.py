"""The same characters with one attribute changed: what leakage and identity are measured on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from avatargan.evaluation.features import Pixels
from avatargan.evaluation.progress import Progress
from avatargan.evaluation.samples import SamplePlan


@dataclass(frozen=True)
class Change:
    """A character in all choices of one attribute.

    Attributes:
        character: index of the sample.
        attribute: what is changed.
        choices: its choices.
        own: index of the choice that the sample has.
        pictures: one per choice, ``[C, R, R, 3]``.
    """

    character: int
    attribute: str
    choices: tuple[str, ...]
    own: int
    pictures: Pixels


def changeable(plan: SamplePlan) -> tuple[str, ...]:
    """Return the attributes that have more than one choice."""
    attributes = plan.pipeline.attributes
    return tuple(name for name in attributes if len(attributes.offered(name)) > 1)


def count_changes(plan: SamplePlan, attributes: Sequence[str]) -> int:
    """Return how many pictures :func:`draw_changes` draws of each character."""
    return sum(len(plan.pipeline.attributes.offered(name)) for name in attributes)


def draw_changes(
    plan: SamplePlan, characters: int, attributes: Sequence[str], progress: Progress
) -> Iterator[Change]:
    """Draw the first characters of a plan in every choice of every attribute, the rest held."""
    offered = {name: plan.pipeline.attributes.offered(name) for name in attributes}
    wanted = [
        (index, name, choice)
        for index in range(characters)
        for name in attributes
        for choice in offered[name]
    ]
    recipes = (plan.recipe(index, {name: choice}) for index, name, choice in wanted)
    drawn = progress(plan.pictures(recipes), len(wanted), unit="changed sample")
    for index in range(characters):
        for name in attributes:
            choices = offered[name]
            yield Change(
                character=index,
                attribute=name,
                choices=choices,
                own=choices.index(plan.choices(index)[name]),
                pictures=np.stack([next(drawn) for _ in choices]),
            )
