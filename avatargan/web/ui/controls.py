"""The controls of the Create tab: what to draw, and their way from and to recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from avatargan.attributes import Taxonomy
from avatargan.errors import OptionError
from avatargan.latents import LARGEST_SEED
from avatargan.pipeline import DEFAULT_PSI
from avatargan.recipe import LONGEST_VARIATION, Recipe, Variation
from avatargan.web.service import AvatarService
from avatargan.web.ui import widgets

#: Pictures drawn unless asked otherwise: fills a grid of two, three or four columns.
DEFAULT_COUNT = 12
#: Above this pictures fall apart more often than they surprise; the API goes further.
WILDEST_PSI = 1.2
LONGEST_SEED_TEXT = 40


@dataclass(frozen=True)
class Controls:
    """The components, and the order in which events take and give their values.

    Attributes:
        attributes: one per attribute of the weights.
        seed: the seed as text, whether it is locked, and the steps of a variation.
        psi: truncation.
        count: how many pictures.
        size: side in pixels, as text.
    """

    attributes: Mapping[str, gr.HTML]
    seed: gr.HTML
    psi: gr.HTML
    count: gr.HTML
    size: gr.HTML

    @property
    def components(self) -> list[gr.HTML]:
        """All of them, in the order of the values of :func:`read` and :func:`values_of`."""
        return [*self.attributes.values(), self.seed, self.psi, self.count, self.size]


@dataclass(frozen=True)
class Wishes:
    """What the controls ask for, checked.

    Attributes:
        attributes: a choice or "any" for each.
        seed: of the first picture; None to roll one.
        variation: steps that every picture takes away from its seed.
        psi: truncation.
        count: how many.
        size: side in pixels.
    """

    attributes: dict[str, str]
    seed: int | None
    variation: tuple[Variation, ...]
    psi: float
    count: int
    size: int


def build_controls(service: AvatarService) -> Controls:
    """Make the controls, for whatever attributes the weights have."""
    taxonomy = service.attributes
    attributes = {
        name: widgets.choice(name, taxonomy.offered(name), taxonomy.default(name))
        for name in taxonomy
    }
    widgets.disclosure("more_settings", "more-settings")
    with gr.Column(elem_id="more-settings", min_width=0):
        seed = widgets.seed()
        psi = widgets.slider(
            "psi", DEFAULT_PSI, 0.0, WILDEST_PSI, 0.05, low="psi_low", high="psi_high"
        )
        count = widgets.slider("count", DEFAULT_COUNT, 1, service.limits.pictures, 1)
        sizes = [str(size) for size in service.sizes]
        size = widgets.short_choice("size", sizes, str(service.default_size))
    return Controls(attributes, seed, psi, count, size)


def read(service: AvatarService, values: list[Any]) -> Wishes:
    """Check what the page sent for :attr:`Controls.components`.

    Raises:
        OptionError: a value is not one that the controls could have sent.
    """
    names = list(service.attributes)
    if len(values) != len(names) + 4:
        raise OptionError("the page does not fit these weights; reload it")
    seed_value, psi, count, size = values[len(names) :]
    seed, variation = read_seed(seed_value)
    return Wishes(
        attributes={
            name: service.attributes.check(name, str(choice))
            for name, choice in zip(names, values, strict=False)
        },
        seed=seed,
        variation=variation,
        psi=_number(psi, "psi"),
        count=read_integer(count, "the number of pictures", 1, service.limits.pictures),
        size=read_integer(size, "the size", 1, max(service.sizes)),
    )


def recipes_of(service: AvatarService, wishes: Wishes) -> list[Recipe]:
    """Return what is to be drawn, one recipe per picture.

    Raises:
        OptionError: there is no such choice or size.
    """
    recipes = service.recipes(
        seeds_from(service, wishes.seed, wishes.count),
        wishes.attributes,
        psi=wishes.psi,
        size=wishes.size,
    )
    return [recipe.model_copy(update={"variation": wishes.variation}) for recipe in recipes]


def seeds_from(service: AvatarService, seed: int | None, count: int) -> list[int]:
    """Return a seed (rolled where there is none) and those that follow it.

    They follow each other also where they are rolled, so that a lock that is set afterwards
    holds all pictures, not the first alone.
    """
    first = service.random_seeds(1)[0] if seed is None else seed
    # Counting on from the largest starts again at 0.
    return [(first + index) % (LARGEST_SEED + 1) for index in range(count)]


def values_of(service: AvatarService, recipe: Recipe) -> list[Any]:
    """Return the values with which :attr:`Controls.components` would draw a recipe again.

    A choice that the weights do not have, of a recipe made with others, becomes the default.
    """
    taxonomy = service.attributes
    sizes = service.sizes
    return [
        *(_choice_of(taxonomy, name, recipe) for name in taxonomy),
        seed_value(recipe),
        recipe.psi,
        1,
        str(recipe.size if recipe.size in sizes else service.default_size),
    ]


def seed_value(recipe: Recipe, *, locked: bool = True) -> dict[str, Any]:
    """Return a value of the seed's control. Seeds are text: see :mod:`avatargan.web.ui.cards`."""
    return {
        "seed": str(recipe.number),
        "locked": locked,
        "variation": [
            {"seed": str(step.seed), "strength": step.strength} for step in recipe.variation
        ],
    }


def _choice_of(taxonomy: Taxonomy, name: str, recipe: Recipe) -> str:
    choice = recipe.attributes.get(name)
    return choice if choice in taxonomy.offered(name) else taxonomy.default(name)


def read_seed(value: Any) -> tuple[int | None, tuple[Variation, ...]]:
    """Read a value of the seed's control: the seed, or None to roll one, and a variation's steps.

    Raises:
        OptionError: it is not one that the control could have sent.
    """
    if not isinstance(value, dict):
        raise OptionError("the seed is missing")
    steps = value.get("variation", [])
    if not isinstance(steps, list) or len(steps) > LONGEST_VARIATION:
        raise OptionError("the steps of the variation are not a list that a recipe could have")
    if not value.get("locked"):
        return None, ()
    return parse_seed(value.get("seed")), tuple(_read_step(step) for step in steps)


def _read_step(step: Any) -> Variation:
    if not isinstance(step, dict):
        raise OptionError("a step of the variation has no seed")
    strength = _number(step.get("strength"), "the strength of a variation")
    if not 0 <= strength <= 1:
        raise OptionError("the strength of a variation must be from 0 to 1")
    return Variation(seed=parse_seed(step.get("seed")), strength=strength)


def parse_seed(text: object) -> int:
    """Read a seed that somebody typed.

    Raises:
        OptionError: it is not an integer from 0 to 2^63-1.
    """
    digits = str(text if text is not None else "").strip()
    # Digits of other scripts are digits to int(), but not to the pages of other tools.
    if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_SEED_TEXT):
        shown = digits[:LONGEST_SEED_TEXT]
        raise OptionError(f"a seed must be an integer from 0 to 2^63-1, got '{shown}'")
    seed = int(digits)
    if seed > LARGEST_SEED:
        raise OptionError(f"a seed must be from 0 to 2^63-1 ({LARGEST_SEED}), got {seed}")
    return seed


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise OptionError(f"{name} must be a number") from None


def read_integer(value: Any, name: str, smallest: int, largest: int) -> int:
    """Read a number that a slider or chips sent.

    Raises:
        OptionError: it is not an integer within the bounds.
    """
    number = _number(value, name)
    if not (smallest <= number <= largest and number == int(number)):
        raise OptionError(f"{name} must be an integer from {smallest} to {largest}")
    return int(number)
