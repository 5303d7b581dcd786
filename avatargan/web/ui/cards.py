"""Avatars as the page shows them.

A card holds the recipe as the text that the server wrote. The page hands that text back
untouched: JavaScript's numbers would round the larger seeds.
"""

import base64
import io
import json
from collections.abc import Iterable, Iterator
from time import monotonic, time_ns
from typing import Any

from PIL import Image

from avatargan.errors import RecipeError
from avatargan.pipeline import Avatar
from avatargan.recipe import Recipe

Card = dict[str, Any]

#: Text of a recipe that has every step a recipe may have, with room to spare.
LONGEST_RECIPE_TEXT = 20_000
#: Seconds between two updates of a gallery that is being drawn.
UPDATE_INTERVAL = 0.15


def card_of(avatar: Avatar) -> Card:
    """Return what the page needs of an avatar: a picture to look at, and its recipe."""
    return {"picture": picture_url(avatar.image), **describe(avatar.recipe)}


def describe(recipe: Recipe) -> Card:
    """Return a recipe for the page: as text to hand back, and in parts to show."""
    return {
        "recipe": recipe.to_json(),
        "name": file_stem(recipe),
        "seed": str(recipe.number),
        "attributes": recipe.attributes,
        "psi": recipe.psi,
        "size": recipe.size,
        "steps": len(recipe.variation) + len(recipe.steps),
    }


def file_stem(recipe: Recipe) -> str:
    """Return a file name without its ending: the seed and what the attributes are."""
    parts = ["avatar", str(recipe.number), *recipe.attributes.values()]
    if recipe.variation:
        parts.append(f"v{recipe.variation[-1].seed % 10**6}")
    return "-".join(parts)[:150]


def recipe_from_page(text: object) -> Recipe:
    """Read a recipe that the page handed back, whatever somebody made of it.

    Raises:
        RecipeError: it is not the text of a recipe.
    """
    if not isinstance(text, str) or len(text) > LONGEST_RECIPE_TEXT:
        raise RecipeError("not a recipe: expected its text")
    return Recipe.from_json(text)


def gallery_value(
    cards: list[Card],
    total: int,
    *,
    title: str = "",
    remember: bool = True,
    started: int | None = None,
) -> dict[str, Any]:
    """Return a value of the gallery.

    Args:
        cards: what is drawn so far.
        total: how many there will be; placeholders stand for the rest.
        title: key of a heading; left out for pictures of the controls.
        remember: whether the pictures go into the history.
        started: when the drawing began, by :func:`now`; tells one draw from the next, and lets
            the page put late pictures of an earlier draw where they belong.
    """
    return {
        "cards": cards,
        "total": total,
        "title": title,
        "remember": remember,
        "started": now() if started is None else started,
    }


def now() -> int:
    """Return the time in microseconds, which JavaScript's numbers hold exactly."""
    return time_ns() // 1000


def gallery_updates(
    avatars: Iterable[Avatar], total: int, *, title: str = "", remember: bool = True
) -> Iterator[dict[str, Any]]:
    """Yield values of the gallery while pictures come in: the first at once, then a few a second.

    Errors of the iterable come through.
    """
    started = now()
    cards: list[Card] = []
    shown_at = float("-inf")
    for avatar in avatars:
        cards.append(card_of(avatar))
        if monotonic() - shown_at >= UPDATE_INTERVAL or len(cards) == total:
            yield gallery_value(list(cards), total, title=title, remember=remember, started=started)
            shown_at = monotonic()


def picture_url(image: Image.Image) -> str:
    """Return a data URL of a picture to look at; what people keep is the PNG.

    JPEG, or WebP where there is transparency: encoding a PNG takes fifteen times as long and its
    file is four times as large.
    """
    buffer = io.BytesIO()
    if image.mode == "RGBA":
        image.save(buffer, "webp", quality=92, method=0)
        return _data_url(buffer, "image/webp")
    image.save(buffer, "jpeg", quality=92, subsampling=0)
    return _data_url(buffer, "image/jpeg")


def png_base64(avatar: Avatar) -> str:
    """Return the PNG with the recipe inside, in base64."""
    return base64.b64encode(avatar.to_png()).decode("ascii")


def recipe_as_json(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as an object of JSON."""
    fields: dict[str, Any] = json.loads(recipe.to_json())
    return fields


def _data_url(buffer: io.BytesIO, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
