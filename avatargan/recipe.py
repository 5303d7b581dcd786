"""Recipes: all that is needed to draw a picture again, carried inside the picture's own file."""

import io
import json
import os
from pathlib import Path
from typing import Annotated, BinaryIO

import numpy as np
from PIL import Image, PngImagePlugin
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avatargan.errors import OptionError, RecipeError
from avatargan.files import write_atomically
from avatargan.latents import LARGEST_SEED, check_seed
from avatargan.pictures import open_picture

#: Keyword of the PNG text chunk that holds the recipe as JSON.
PNG_KEYWORD = "avatargan"
LARGEST_PSI = 2.0
#: Each step is one interpolation; nobody walks further, and it bounds what a recipe can cost.
LONGEST_VARIATION = 32

#: The name of an attribute or of a choice; those of weights are no longer either.
Word = Annotated[str, Field(max_length=40)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED, strict=True)]


class Variation(BaseModel):
    """One step around a character: z is moved along the great circle towards another seed's z."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Seed
    strength: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Recipe(BaseModel):
    """What a picture was drawn from: the same recipe and weights give the same picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Seed
    attributes: Annotated[dict[Word, Word], Field(max_length=32)] = Field(
        description="every attribute with its choice; 'any' is resolved already"
    )
    psi: Annotated[float, Field(ge=0, le=LARGEST_PSI, allow_inf_nan=False)]
    variation: Annotated[tuple[Variation, ...], Field(max_length=LONGEST_VARIATION)] = ()
    size: Annotated[int, Field(ge=8, le=4096, strict=True)]
    weights_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    version: Annotated[str, Field(max_length=40)]

    @classmethod
    def from_json(cls, text: str | bytes) -> "Recipe":
        """Read a recipe from JSON.

        Raises:
            RecipeError: the text is not a recipe; the message names the first thing wrong.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the recipe"
            raise RecipeError(f"not a recipe: {place}: {first['msg']}") from error

    def to_json(self) -> str:
        """Return the recipe as one line of JSON."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=True)


def vary(recipe: Recipe, strength: float, n: int, *, start: int = 0) -> list[Recipe]:
    """Return n recipes of characters that look like this one.

    The seeds of the steps follow from the recipe, so that the same call gives the same
    variations; ``start`` continues a series.

    Args:
        recipe: the character to step around; it may be a variation itself.
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
    if len(recipe.variation) >= LONGEST_VARIATION:
        raise OptionError(f"a variation of a variation goes {LONGEST_VARIATION} steps deep at most")
    path = [recipe.seed, *(step.seed for step in recipe.variation)]
    variations = []
    for index in range(start, start + n):
        entropy = np.random.SeedSequence([*path, index])
        seed = int(entropy.generate_state(1, np.uint64)[0]) & LARGEST_SEED
        step = Variation(seed=seed, strength=strength)
        variations.append(recipe.model_copy(update={"variation": (*recipe.variation, step)}))
    return variations


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


def encode_png(image: Image.Image, recipe: Recipe | None = None) -> bytes:
    """Return a PNG file with the recipe in a text chunk.

    Compression level 4 takes under half the time of Pillow's default, for files 5 % larger.
    """
    info = PngImagePlugin.PngInfo()
    if recipe is not None:
        info.add_text(PNG_KEYWORD, recipe.to_json())
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
