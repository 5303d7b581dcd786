"""Settings that belong together, by name: ``train.py --recipe NAME``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from avatargan.errors import OptionError, did_you_mean


@dataclass(frozen=True)
class Recipe:
    """A named choice of settings.

    Attributes:
        description: one line for people.
        settings: by name; what is left out keeps its default, and options have the last word.
    """

    description: str
    settings: Mapping[str, Any]


RECIPES: Mapping[str, Recipe] = {
    "shipped": Recipe(
        "what the shipped 128 px weights were trained with, measured on held-out pictures",
        {
            "network": "avatar128",
            "batch": 128,
            "regularizer": "dragan",
            "penalty_weight": 0.5,
            "penalty_interval": 4,
            "learning_rate": 0.0025,
            "class_weight": 0.3,
            "quality_pictures": 1000,
        },
    ),
    "relativistic": Recipe(
        "the same with R3GAN's losses and adaptive augmentation: untried at full size",
        {
            "network": "avatar128",
            "batch": 128,
            "loss": "relativistic",
            "regularizer": "r1r2",
            "penalty_weight": 0.5,
            "penalty_interval": 8,
            "learning_rate": 0.0025,
            "class_weight": 0.3,
            "adapt": True,
            "quality_pictures": 1000,
        },
    ),
}


def recipe(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises:
        OptionError: there is none of that name.
    """
    if name not in RECIPES:
        raise OptionError(
            f"there is no recipe '{name}'{did_you_mean(name, RECIPES)} "
            f"(recipes: {', '.join(RECIPES)})"
        )
    return RECIPES[name]
