"""The plan of a morph: keyframes, schedules and timing, checked, and small enough to store."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from avatargan.errors import OptionError, RecipeError, did_you_mean
from avatargan.morph.easing import EASINGS
from avatargan.morph.keyframes import Keyframe, keyframe_recipes
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import Recipe

Space = Literal["z", "w"]
Path = Literal["straight", "spline"]
EasingName = Literal["linear", "smooth", "smoother", "hold"]

#: Seven minutes at 24 frames a second; more is a slip of the keyboard.
LARGEST_FRAME_COUNT = 10_000
#: Screens show no more.
LARGEST_FPS = 60.0
MOST_STOPS = 1000

Stops = Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_STOPS)]


class Morph(BaseModel):
    """What an animation is drawn from: the same morph and weights give the same frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keyframes: Annotated[tuple[Recipe, ...], Field(min_length=2, max_length=MOST_STOPS)]
    schedules: Annotated[dict[str, Stops], Field(max_length=100)] = Field(
        default={},
        description="by attribute, choices spread evenly over the time; every other attribute "
        "changes with the keyframes",
    )
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    fps: Annotated[float, Field(gt=0, le=LARGEST_FPS, allow_inf_nan=False)]
    loop: bool = False
    space: Space = "z"
    path: Path = "straight"
    easing: EasingName = "smooth"
    equal_speed: bool = False
    transparent: bool = False
    size: Annotated[int, Field(ge=8, le=4096, strict=True)]

    @model_validator(mode="after")
    def _check(self) -> "Morph":
        if not 2 <= self.frame_count <= LARGEST_FRAME_COUNT:
            raise ValueError(
                f"{self.seconds:g} seconds at {self.fps:g} frames a second are "
                f"{self.frame_count} frames; a morph has from 2 to {LARGEST_FRAME_COUNT}"
            )
        if self.equal_speed and self.easing != "linear":
            raise ValueError(
                f"equal speed leaves nothing to ease; leave out the easing '{self.easing}'"
            )
        return self

    @property
    def frame_count(self) -> int:
        """How many frames there are, ``seconds * fps`` to the nearest integer."""
        return round(self.seconds * self.fps)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Morph":
        """Read a morph from JSON.

        Raises:
            RecipeError: the text is not a morph; the message names the first thing wrong.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise RecipeError(f"not a morph: {_first_problem(error)}") from error

    def to_json(self) -> str:
        """Return the morph as one line of ASCII JSON."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=True)


def plan_morph(
    pipeline: AvatarPipeline,
    keyframes: Iterable[Keyframe],
    *,
    seconds: float = 6.0,
    fps: float = 24.0,
    loop: bool = False,
    space: str = "z",
    path: str = "straight",
    easing: str | None = None,
    equal_speed: bool = False,
    transparent: bool = False,
    size: int | None = None,
    psi: float | None = None,
    attributes: Mapping[str, str | Sequence[str]] | None = None,
    **named_attributes: str | Sequence[str],
) -> Morph:
    """Plan an animation through characters.

    Args:
        pipeline: what will draw it.
        keyframes: two or more seeds, recipes, or paths of PNG files with recipes, in order.
        seconds: how long it plays.
        fps: frames a second, up to 60; there are ``seconds * fps`` frames.
        loop: go back from the last keyframe to the first and play for ever.
        space: "z": along great circles, every frame as typical as a seed; "w": linear.
        path: "straight" from keyframe to keyframe, or one "spline" through all of them, which
            passes them without stopping.
        easing: of each segment, one of :data:`avatargan.morph.EASINGS`; by default "smooth" on
            straight paths and "linear" on splines.
        equal_speed: time the frames so that neighbours look equally different.
        transparent: cut the background out.
        size: side in pixels; the pipeline's largest by default.
        psi: truncation of the keyframes; by default 0.7 for seeds, and their own for recipes.
        attributes: by name, choices that are spread evenly over the time, as many as wanted, or
            one choice for all of it. "any" is drawn from the seed of the keyframe with that
            number. What is left out changes with the keyframes: recipes keep theirs, seeds take
            the default of the attribute.
        named_attributes: the same as keywords: ``hair=["pink", "blue"]``.

    Raises:
        OptionError: a value is out of range, misspelt or contradicts another.
        RecipeError: a PNG holds no recipe, or one of other weights.
        PictureError: a PNG cannot be read.
    """
    _check_word("space", space, get_args(Space))
    _check_word("path", path, get_args(Path))
    if easing is None:
        easing = "linear" if equal_speed or path == "spline" else "smooth"
    _check_word("easing", easing, EASINGS)
    size = pipeline.default_size if size is None else size
    recipes = keyframe_recipes(pipeline, keyframes, psi=psi, size=size)
    if len(recipes) < 2:
        raise OptionError(f"a morph needs two keyframes or more, got {len(recipes)}")
    recipes, schedules = _schedule(pipeline, recipes, {**(attributes or {}), **named_attributes})
    try:
        return Morph.model_validate(
            {
                "keyframes": recipes,
                "schedules": schedules,
                "seconds": seconds,
                "fps": fps,
                "loop": loop,
                "space": space,
                "path": path,
                "easing": easing,
                "equal_speed": equal_speed,
                "transparent": transparent,
                "size": size,
            }
        )
    except ValidationError as error:
        raise OptionError(_first_problem(error)) from error


def _schedule(
    pipeline: AvatarPipeline,
    recipes: list[Recipe],
    attributes: Mapping[str, str | Sequence[str]],
) -> tuple[list[Recipe], dict[str, tuple[str, ...]]]:
    """Return the keyframes with the choices that move with them, and the schedules of the rest.

    One choice for all, or as many as there are keyframes, move as the keyframes do.
    """
    schedules: dict[str, tuple[str, ...]] = {}
    for name, given in attributes.items():
        choices = [given] * len(recipes) if isinstance(given, str) else list(given)
        if not 1 <= len(choices) <= MOST_STOPS:
            raise OptionError(f"{name} needs from 1 to {MOST_STOPS} choices, got {len(choices)}")
        if len(choices) == 1:
            choices *= len(recipes)
        resolved = [
            pipeline.attributes.resolve({name: choice}, recipes[stop % len(recipes)].number)[name]
            for stop, choice in enumerate(choices)
        ]
        if len(resolved) == len(recipes):
            recipes = [
                recipe.model_copy(update={"attributes": recipe.attributes | {name: choice}})
                for recipe, choice in zip(recipes, resolved, strict=True)
            ]
        else:
            schedules[name] = tuple(resolved)
    return recipes, schedules


def _check_word(option: str, word: str, words: Iterable[str]) -> None:
    words = list(words)
    if word not in words:
        raise OptionError(
            f"there is no {option} '{word}'{did_you_mean(word, words)} "
            f"(choices: {', '.join(words)})"
        )


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message} (got {first['input']!r})" if place else message
