"""Recipes: all that is needed to draw a picture again, carried inside the picture's own file.

A recipe starts from a seed or from a w. Steps follow in order: towards the w of another seed,
along a named slider, towards another character. :mod:`avatargan.recipe_latents` turns it into w.
Fields that a character does not use are left out of the JSON, so that recipes of the first format
are written as they always were; ``"format": 2`` is there where anything newer is.
"""

import base64
import binascii
import hashlib
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Self

import numpy as np
from PIL import Image, PngImagePlugin
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from avatargan.errors import OptionError, RecipeError
from avatargan.files import write_atomically
from avatargan.latents import LARGEST_SEED, FloatArray, check_seed
from avatargan.pictures import open_picture

#: Keyword of the PNG text chunk that holds the recipe as JSON.
PNG_KEYWORD = "avatargan"
#: Keyword of a second chunk, in pictures that were painted over a sketch. The sketch is not kept,
#: so their recipe draws the character that the painting began with, and not the picture.
PAINTED_KEYWORD = "avatargan painted"
LARGEST_PSI = 2.0
#: Each step is one interpolation; nobody walks further, and it bounds what a recipe can cost.
LONGEST_VARIATION = 32
#: Variations and steps of a character, those of the characters it leans towards included.
MOST_STEPS = 64
#: Other characters that a recipe may name, at any depth.
MOST_CHARACTERS = 8
#: Characters that lean towards characters that lean towards characters.
DEEPEST_RECIPE = 4
#: Characters of base64 of a w: two vectors of 256 numbers fit.
LONGEST_W = 1500
#: Beyond it a slider leaves what the generator can draw, whatever the slider.
LARGEST_AMOUNT = 100.0
#: The newest format that is read, and the one that is written where a new field is used.
NEWEST_FORMAT = 2

#: The name of an attribute or of a choice; those of weights are no longer either.
Word = Annotated[str, Field(max_length=40)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED, strict=True)]
Strength = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def encode_w(w: FloatArray) -> str:
    """Return w as a recipe holds it: little-endian fp16 in base64.

    Args:
        w: ``[w_dim]``, or ``[2, w_dim]``: one for the coarser half of the blocks of the synthesis
            and one for the finer half.

    Raises:
        OptionError: it does not fit, or holds what fp16 cannot.
    """
    with np.errstate(over="ignore"):
        halves = np.asarray(w, dtype="<f2")
    text = base64.b64encode(halves.tobytes()).decode("ascii")
    if not np.isfinite(halves).all() or halves.ndim not in (1, 2) or len(text) > LONGEST_W:
        raise OptionError("this w is no recipe's: it is too long, or not finite in half precision")
    return text


def decode_w(text: str) -> FloatArray:
    """Return the numbers of a recipe's w, ``[w_dim]`` or the rows one after the other.

    Raises:
        ValueError: it is not base64 of finite fp16 numbers.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("w is not base64") from None
    if not content or len(content) % 2:
        raise ValueError("w is not made of half-precision numbers")
    numbers = np.frombuffer(content, dtype="<f2").astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ValueError("w holds numbers that are not finite")
    return numbers


def _checked_w(text: str) -> str:
    decode_w(text)
    return text


class Variation(BaseModel):
    """One step around a character: z is moved along the great circle towards another seed's z."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Seed
    strength: Strength


class SeedStep(BaseModel):
    """A step towards the w of another seed, along the great circle around the mean of w.

    It does for any character what a :class:`Variation` does for one that has a z.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Seed
    strength: Strength


class SliderStep(BaseModel):
    """A step along a named slider of the directions file with this SHA-256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slider: Annotated[str, Field(max_length=40)]
    amount: Annotated[float, Field(ge=-LARGEST_AMOUNT, le=LARGEST_AMOUNT, allow_inf_nan=False)]
    directions: Digest


class TowardsStep(BaseModel):
    """A step towards another character, a straight line in w.

    Attributes:
        towards: its recipe, or its w as :func:`encode_w` writes it, not truncated any more.
        strength: 0 nothing, 1 all of it.
        layers: the first and the last block of the synthesis that takes part, from 0 (4 px);
            all of them where it is left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    towards: "Recipe | Annotated[str, Field(max_length=LONGEST_W)]"
    strength: Strength
    layers: tuple[Annotated[int, Field(ge=0, le=31)], Annotated[int, Field(ge=0, le=31)]] | None = (
        None
    )

    @field_validator("towards")
    @classmethod
    def _check_towards(cls, towards: "Recipe | str") -> "Recipe | str":
        return _checked_w(towards) if isinstance(towards, str) else towards

    @model_validator(mode="after")
    def _check_layers(self) -> Self:
        if self.layers is not None and self.layers[0] > self.layers[1]:
            raise ValueError("the first layer comes before the last")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_unused(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        if self.layers is None:
            fields.pop("layers", None)
        return fields


def _kind_of_step(step: Any) -> str | None:
    """Tell steps apart by the field that names their aim."""
    for kind in ("seed", "slider", "towards"):
        if (kind in step) if isinstance(step, dict) else hasattr(step, kind):
            return kind
    return None


Step = Annotated[
    Annotated[SeedStep, Tag("seed")]
    | Annotated[SliderStep, Tag("slider")]
    | Annotated[TowardsStep, Tag("towards")],
    Discriminator(
        _kind_of_step,
        custom_error_type="step",
        custom_error_message="a step has a seed, a slider, or a character to go towards",
    ),
]


class Recipe(BaseModel):
    """What a picture was drawn from: the same recipe and weights give the same picture.

    Attributes:
        seed: what z is drawn from; None for a character that starts from ``w``.
        w: where a character starts that no seed gives, before truncation; see :func:`encode_w`.
        attributes: every attribute of the weights with its choice.
        psi: truncation of where it starts, and of the seeds it steps towards.
        variation: steps in z, before all others.
        steps: steps in w, in order.
        size: side in pixels.
        transparent: whether the background is cut out.
        weights_sha256: SHA-256 of the generator's file.
        version: version of avatargan.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Seed | None = None
    w: Annotated[str, Field(max_length=LONGEST_W)] | None = None
    attributes: Annotated[dict[Word, Word], Field(max_length=32)] = Field(
        description="every attribute with its choice; 'any' is resolved already"
    )
    psi: Annotated[float, Field(ge=0, le=LARGEST_PSI, allow_inf_nan=False)]
    variation: Annotated[tuple[Variation, ...], Field(max_length=LONGEST_VARIATION)] = ()
    steps: Annotated[tuple[Step, ...], Field(max_length=MOST_STEPS)] = ()
    size: Annotated[int, Field(ge=8, le=4096, strict=True)]
    transparent: Annotated[bool, Field(strict=True)] = False
    weights_sha256: Digest
    version: Annotated[str, Field(max_length=40)]

    @model_validator(mode="before")
    @classmethod
    def _check_format(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or "format" not in fields:
            return fields
        fields = dict(fields)
        number = fields.pop("format")
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError("the format is not a number")
        if number > NEWEST_FORMAT:
            raise ValueError(
                f"made by a newer avatargan (recipe format {number}, this one reads up to "
                f"{NEWEST_FORMAT}); update"
            )
        return fields

    @field_validator("w")
    @classmethod
    def _check_w(cls, w: str | None) -> str | None:
        return w if w is None else _checked_w(w)

    @model_validator(mode="after")
    def _check_start(self) -> Self:
        if (self.seed is None) == (self.w is None):
            raise ValueError("a recipe starts from a seed or from a w, one of them")
        if self.w is not None and self.variation:
            raise ValueError("variation moves the z of a seed; from a w, use steps")
        others = list(self.characters())
        if len(others) > MOST_CHARACTERS:
            raise ValueError(f"a recipe names {MOST_CHARACTERS} other characters at most")
        recipes: list[Recipe] = [self, *(each for each in others if isinstance(each, Recipe))]
        if sum(len(each.steps) + len(each.variation) for each in recipes) > MOST_STEPS:
            raise ValueError(f"a recipe has {MOST_STEPS} steps at most, all in all")
        if self._depth() > DEEPEST_RECIPE:
            raise ValueError(f"recipes stand inside each other {DEEPEST_RECIPE} deep at most")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_unused(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        for name, unused in (("seed", None), ("w", None), ("steps", ()), ("transparent", False)):
            if getattr(self, name) == unused:
                fields.pop(name, None)
        return fields if self.format == 1 else {"format": self.format, **fields}

    @property
    def format(self) -> int:
        """The oldest format that can say this."""
        return 2 if self.w is not None or self.steps or self.transparent else 1

    @property
    def number(self) -> int:
        """The seed, or for a character without one a number that follows from its w.

        For whatever is to differ between characters and stay the same for one: the choices that
        "any" stands for, the name of a file.
        """
        if self.seed is not None:
            return self.seed
        assert self.w is not None
        return int.from_bytes(hashlib.sha256(self.w.encode()).digest()[:4], "big")

    def characters(self) -> "Iterator[Recipe | str]":
        """Yield the other characters that the steps lean towards, theirs included."""
        for step in self.steps:
            if isinstance(step, TowardsStep):
                yield step.towards
                if isinstance(step.towards, Recipe):
                    yield from step.towards.characters()

    def _depth(self) -> int:
        others = [step.towards for step in self.steps if isinstance(step, TowardsStep)]
        return 1 + max((o._depth() for o in others if isinstance(o, Recipe)), default=0)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Recipe":
        """Read a recipe from JSON.

        Raises:
            RecipeError: the text is not a recipe; the message names the first thing wrong.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise RecipeError(f"not a recipe: {_first_problem(error)}") from error

    def to_json(self) -> str:
        """Return the recipe as one line of JSON."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=True)


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the recipe"
    return f"{place}: {first['msg'].removeprefix('Value error, ')}"


def vary(recipe: Recipe, strength: float, n: int, *, start: int = 0) -> list[Recipe]:
    """Return n recipes of characters that look like this one.

    The seeds of the steps follow from the recipe, so that the same call gives the same
    variations; ``start`` continues a series.

    Args:
        recipe: the character to step around; it may be a variation itself, and have steps.
        strength: 0 gives the same picture, 1 unrelated characters; 0.1 to 0.4 is a family.
        n: how many.
        start: index of the first.

    Raises:
        OptionError: strength is not from 0 to 1, n or start is negative, or the character is
            already ``LONGEST_VARIATION`` steps away from its seed.
    """
    if not 0 <= strength <= 1:
        raise OptionError(f"the strength of a variation must be from 0 to 1, got {strength}")
    if n < 0 or start < 0:
        raise OptionError("the number and the start of variations must not be negative")
    in_w = recipe.w is not None or bool(recipe.steps)
    path = [recipe.number, *(step.seed for step in recipe.variation)]
    if in_w:
        path.append(int.from_bytes(hashlib.sha256(_identity(recipe)).digest()[:8], "big"))
    if len(recipe.variation) >= LONGEST_VARIATION and not in_w:
        raise OptionError(f"a variation of a variation goes {LONGEST_VARIATION} steps deep at most")
    variations = []
    for index in range(start, start + n):
        entropy = np.random.SeedSequence([*path, index])
        seed = int(entropy.generate_state(1, np.uint64)[0]) & LARGEST_SEED
        if in_w:
            variations.append(with_steps(recipe, SeedStep(seed=seed, strength=strength)))
        else:
            step = Variation(seed=seed, strength=strength)
            variations.append(recipe.model_copy(update={"variation": (*recipe.variation, step)}))
    return variations


def with_steps(recipe: Recipe, *steps: SeedStep | SliderStep | TowardsStep) -> Recipe:
    """Return a character with steps after those it has.

    Raises:
        OptionError: that would be more than a recipe holds.
    """
    return changed(recipe, steps=(*recipe.steps, *steps))


def changed(recipe: Recipe, **fields: object) -> Recipe:
    """Return a recipe with other values in some fields.

    Raises:
        OptionError: a value is of the wrong type or out of range; the message names it.
    """
    kept = {name: getattr(recipe, name) for name in Recipe.model_fields}
    try:
        return Recipe.model_validate(kept | fields)
    except ValidationError as error:
        raise OptionError(_first_problem(error)) from error


def _identity(recipe: Recipe) -> bytes:
    """Return what decides who a character is, as text that can be hashed."""
    names = ("seed", "w", "psi", "variation", "steps")
    fields = recipe.model_dump(mode="json")
    return json.dumps({name: fields.get(name) for name in names}).encode()


def recipe_from(seed: int, **fields: object) -> Recipe:
    """Build a recipe from values a user gave.

    Raises:
        OptionError: a value is of the wrong type or out of range; the message names it.
    """
    check_seed(seed)
    try:
        return Recipe.model_validate({"seed": int(seed), **fields})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise OptionError(f"{place}: {first['msg']} (got {first['input']!r})") from error


def encode_png(image: Image.Image, recipe: Recipe | None = None, *, painted: bool = False) -> bytes:
    """Return a PNG file with the recipe in a text chunk.

    Compression level 4 takes under half the time of Pillow's default, for files 5 % larger.

    Args:
        image: the picture.
        recipe: what it was drawn from.
        painted: say that the picture was painted over what the recipe draws.
    """
    info = PngImagePlugin.PngInfo()
    if recipe is not None:
        info.add_text(PNG_KEYWORD, recipe.to_json())
    if painted:
        info.add_text(PAINTED_KEYWORD, "over a sketch that is not kept in this file")
    buffer = io.BytesIO()
    image.save(buffer, "png", pnginfo=info, compress_level=4)
    return buffer.getvalue()


def read_recipe(source: str | os.PathLike[str] | bytes | BinaryIO) -> Recipe:
    """Return the recipe inside a PNG.

    Raises:
        PictureError: as for :func:`avatargan.pictures.open_picture`.
        RecipeError: the picture holds no recipe (a screenshot, or a file that a chat recompressed),
            or a malformed one.
    """
    return recipe_of(open_picture(source), str(source) if isinstance(source, str | Path) else "")


def recipe_of(image: Image.Image, name: str = "") -> Recipe:
    """Return the recipe of a picture that ``open_picture`` decoded; errors as above."""
    prefix = f"{name}: " if name else ""
    text = image.info.get(PNG_KEYWORD)
    if not isinstance(text, str):
        raise RecipeError(
            f"{prefix}no recipe in this picture; use a PNG as avatargan saved it "
            "(chats and editors strip recipes out)"
        )
    try:
        return Recipe.from_json(text)
    except RecipeError as error:
        raise RecipeError(f"{prefix}{error}") from error


def save_png(
    path: str | os.PathLike[str], image: Image.Image, recipe: Recipe, *, overwrite: bool = False
) -> None:
    """Write a PNG with its recipe, in one step.

    Raises:
        OutputError: the file exists already (unless ``overwrite``), or cannot be written.
    """
    write_atomically(path, encode_png(image, recipe), overwrite=overwrite)
