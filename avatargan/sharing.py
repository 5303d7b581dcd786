"""Share links: the part of an address after ``#`` that says which character is meant.

``seed=7&hair=pink&eyes=blue&style=visual-novel&psi=0.7&size=512`` for a character that a seed and
attributes describe, ``r=BASE64URL`` of the recipe's JSON for any other; at most 2,000 characters.
The app and the static site write and read the same.
"""

import base64
import binascii
from urllib.parse import parse_qsl, quote

from avatargan.errors import OptionError, RecipeError
from avatargan.latents import LARGEST_SEED
from avatargan.pipeline import DEFAULT_PSI, AvatarPipeline
from avatargan.recipe import Recipe

LONGEST_LINK = 2000
#: Without it a link says all; these are the words beside the attributes.
_WORDS = ("seed", "psi", "size")


def share_fragment(recipe: Recipe) -> str:
    """Return what follows the ``#`` in a link to a character.

    Raises:
        OptionError: the recipe is too long for a link; share the PNG, which holds it.
    """
    plain = recipe.format == 1 and not recipe.variation
    words = {"seed": str(recipe.seed), **recipe.attributes}
    words |= {"psi": f"{recipe.psi:g}", "size": str(recipe.size)}
    if plain and float(words["psi"]) == recipe.psi and not set(_WORDS) & set(recipe.attributes):
        fragment = "&".join(f"{name}={quote(value, safe='')}" for name, value in words.items())
    else:
        encoded = base64.urlsafe_b64encode(recipe.to_json().encode()).decode("ascii")
        fragment = f"r={encoded.rstrip('=')}"
    if len(fragment) > LONGEST_LINK:
        raise OptionError(
            f"this character's recipe is too long for a link ({len(fragment)} characters of "
            f"{LONGEST_LINK}); share its PNG, which holds it"
        )
    return fragment


def recipe_from_fragment(pipeline: AvatarPipeline, fragment: str) -> Recipe:
    """Return the recipe of a link's fragment, with or without its ``#``.

    Raises:
        RecipeError: it is none, or names a character that the pipeline cannot draw.
        OptionError: an attribute, choice, psi or size is none of those there are.
    """
    fragment = fragment.removeprefix("#")
    if len(fragment) > LONGEST_LINK:
        raise RecipeError(f"a link has at most {LONGEST_LINK} characters after the #")
    if fragment.startswith("r="):
        text = fragment.removeprefix("r=")
        try:
            content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise RecipeError("the link is damaged: its recipe is not base64") from None
        recipe = Recipe.from_json(content)
        pipeline.check_recipe(recipe)
        return recipe
    words = dict(parse_qsl(fragment, keep_blank_values=True))
    seed = words.pop("seed", "")
    if not (seed.isascii() and seed.isdigit()) or len(seed) > 19 or int(seed) > LARGEST_SEED:
        raise RecipeError("the link names no seed from 0 to 2^63-1")
    try:
        psi = float(words.pop("psi", DEFAULT_PSI))
        size = int(words.pop("size", pipeline.default_size))
    except ValueError:
        raise RecipeError("the link is damaged: psi or size is not a number") from None
    for name in words:
        pipeline.attributes.offered(name)  # refuses what is no attribute
    (recipe,) = pipeline.recipes(int(seed), psi=psi, size=size, **words)
    return recipe
