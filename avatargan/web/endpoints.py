"""Named endpoints for gradio_client, on gradio's queue.

Pictures travel as PNG files in base64 with the recipe inside, as in the REST API. Seeds come back
as numbers of any length, which Python reads exactly.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio.events import api

from avatargan.editing.fitting import STEPS
from avatargan.editing.mixing import MOST_PARENTS
from avatargan.editing.pictures import Edit
from avatargan.errors import AvatarGanError, OptionError, PictureError, RecipeError
from avatargan.pipeline import DEFAULT_PSI, Avatar
from avatargan.recipe import LARGEST_PSI, Recipe
from avatargan.sketching import DEFAULT_FOLLOW
from avatargan.web.schemas import SketchesOut, sliders_of
from avatargan.web.service import AvatarService

#: A list that is longer is not looked into.
_LONGEST_LIST = 1000
#: Text of a recipe that has every step a recipe may have, with room to spare.
_LONGEST_RECIPE_TEXT = 60_000


def build_endpoints(service: AvatarService) -> gr.Blocks:
    """Return the endpoints; mount them with ``gradio.mount_gradio_app``."""
    blocks = gr.Blocks(title="avatargan", analytics_enabled=False)
    with blocks:
        _add_endpoints(service)
    return blocks


def _add_endpoints(service: AvatarService) -> None:
    def create(
        attributes: dict[str, str] | None = None,
        count: int = 1,
        seeds: list[int] | None = None,
        psi: float = DEFAULT_PSI,
        size: int | None = None,
        sliders: dict[str, float] | None = None,
    ) -> list[dict[str, Any]]:
        """Draw avatars.

        Parameters:
            attributes: a choice for each attribute by name, such as {"hair": "pink"}; "any" is
                drawn from the seed; see /attributes.
            count: how many, where no seeds are given.
            seeds: integers from 0 to 2^63-1, one per picture, in place of count.
            psi: 0 the mean face, 0.7 typical, 1 varied, above it wild.
            size: side in pixels; the largest where it is left out.
            sliders: amounts by name, such as {"hair length": 1.2}; see /sliders.

        Returns:
            A list of {"png": file in base64, "recipe": {...}}.
        """
        return _answer(lambda: _create(service, attributes, count, seeds, psi, size, sliders))

    def variations(
        recipe: dict[str, Any], strength: float = 0.3, count: int = 6
    ) -> list[dict[str, Any]]:
        """Draw characters that look like one.

        Parameters:
            recipe: the character, as another endpoint returned it.
            strength: 0 the same picture, 1 unrelated characters.
            count: how many.

        Returns:
            A list of {"png": file in base64, "recipe": {...}}.
        """
        return _answer(
            lambda: service.vary(
                _recipe(recipe), _number(strength, "strength"), _integer(count, "count")
            )
        )

    def recolour(recipe: dict[str, Any], attribute: str) -> list[dict[str, Any]]:
        """Draw one character with every choice of an attribute, its identity held.

        Parameters:
            recipe: the character, as another endpoint returned it.
            attribute: such as "hair"; any that is not the identity, see /attributes.

        Returns:
            A list of {"png": file in base64, "recipe": {...}}.
        """
        return _answer(lambda: service.recolour(_recipe(recipe), str(attribute)))

    def mix(
        recipes: list[dict[str, Any]],
        count: int = 6,
        shape: int = 0,
        colours: int = 0,
        strength: float = 1.0,
    ) -> list[dict[str, Any]]:
        """Draw children of two to four characters.

        Parameters:
            recipes: the characters, as other endpoints returned them.
            count: how many children.
            shape: whose shape they have, 1 for the first; 0 something between all.
            colours: whose hair, eyes and shading they have, likewise.
            strength: how far they may lean away from the character they start from, 0 to 1.

        Returns:
            A list of {"png": file in base64, "recipe": {...}}.
        """

        def children() -> list[Avatar]:
            if not isinstance(recipes, list) or len(recipes) > MOST_PARENTS:
                raise OptionError(f"recipes must be a list of 2 to {MOST_PARENTS} characters")
            return service.mix(
                [_recipe(recipe) for recipe in recipes],
                _integer(count, "count"),
                shape=_integer(shape, "shape"),
                colours=_integer(colours, "colours"),
                strength=_number(strength, "strength"),
            )

        return _answer(children)

    def edit(
        png: str, steps: int = STEPS, size: int | None = None, face: int = 1, whole: bool = False
    ) -> dict[str, Any]:
        """Find the character that comes nearest to a picture.

        Parameters:
            png: a picture file in base64; JPEG and WebP do as well.
            steps: how often the character is refined; 0 is quick and rough.
            size: side in pixels; the largest where it is left out.
            face: which of several faces, 1 the surest.
            whole: take the middle of the picture and look for no face.

        Returns:
            {"png": file in base64, "recipe": {...}, "share": ..., "pixels": ..., "lines": ...,
            "verdict": ..., "remarks": [...]}.
        """
        with _refused():
            *_, result = service.edit(
                decode_base64(png, service.limits.body_bytes),
                steps=_integer(steps, "steps"),
                size=size,
                face=_integer(face, "face"),
                whole=bool(whole),
            )
        assert isinstance(result, Edit)
        (drawn,) = _answer(lambda: [result.avatar])
        return drawn | result.as_json()

    def sketch(
        png: str,
        hints: str | None = None,
        labels: str | None = None,
        attributes: dict[str, str] | None = None,
        follow: float = DEFAULT_FOLLOW,
        count: int = 1,
        size: int | None = None,
    ) -> dict[str, Any]:
        """Turn drawn lines into avatars.

        Parameters:
            png: a picture file in base64: dark lines on light ground or on transparency.
            hints: dabs of colour on transparency, likewise.
            labels: what the dabs are for, likewise.
            attributes: choices by name; "any" follows the hints.
            follow: 0 a clean character, 1 exactly the lines.
            count: how many proposals; the best is the first.
            size: side in pixels; the largest where it is left out.

        Returns:
            {"avatars": [{"png", "recipe", "painted", "follows"}, ...], "seen": {...},
            "remark": ...}.
        """
        with _refused():
            if attributes is not None and not isinstance(attributes, dict):
                raise OptionError('attributes must be an object such as {"hair": "pink"}')
            most = service.limits.body_bytes
            files = [
                None if text is None else decode_base64(text, most) for text in (png, hints, labels)
            ]
            result = service.sketch(
                *files,
                follow=_number(follow, "follow"),
                count=_integer(count, "count"),
                size=size,
                attributes={str(name): str(each) for name, each in (attributes or {}).items()},
            )
        return SketchesOut.of(result).model_dump(mode="json")

    def sliders() -> dict[str, Any]:
        """Tell which sliders there are.

        Returns:
            {"directions": SHA-256 of their file, "sliders": [{"name", "minimum", "maximum",
            "changes", "names", "effect"}, ...]}.
        """
        return sliders_of(service).model_dump(mode="json")

    def restore(png: str) -> dict[str, Any]:
        """Read the recipe inside a PNG.

        Parameters:
            png: the file in base64.

        Returns:
            {"recipe": {...}, "drawable": whether the loaded weights can draw it}.
        """
        with _refused():
            recipe = service.read_recipe(decode_base64(png, service.limits.body_bytes))
        return {
            "recipe": json.loads(recipe.to_json()),
            "drawable": service.pipeline.can_draw(recipe),
        }

    def attributes() -> dict[str, Any]:
        """Tell what may be asked for.

        Returns:
            {"attributes": {name: {"choices": [...], "default": ..., "identity": ...,
            "experimental": [...]}},
            "sizes": [...], "largest_count": ..., "default_psi": ..., "largest_psi": ...}.
        """
        taxonomy = service.attributes
        return {
            "attributes": {
                name: {
                    "choices": list(taxonomy.offered(name)),
                    "default": taxonomy.default(name),
                    "identity": name == taxonomy.identity,
                    "experimental": list(taxonomy.experimental(name)),
                }
                for name in taxonomy
            },
            "sizes": list(service.sizes),
            "largest_count": service.limits.pictures,
            "default_psi": DEFAULT_PSI,
            "largest_psi": LARGEST_PSI,
        }

    for function in (
        create,
        variations,
        recolour,
        mix,
        edit,
        sketch,
        sliders,
        restore,
        attributes,
    ):
        api(function, api_name=function.__name__)


def decode_base64(text: object, most_bytes: int) -> bytes:
    """Return the bytes of a file that came as base64.

    Raises:
        PictureError: it is too large, or no base64.
    """
    if not isinstance(text, str):
        raise PictureError("the picture must be a file in base64")
    if len(text) > most_bytes * 4 / 3 + 4:
        raise PictureError(f"the file is larger than {most_bytes // 1024**2} MiB")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise PictureError("the picture is not valid base64") from None


def _create(
    service: AvatarService,
    attributes: dict[str, str] | None,
    count: int,
    seeds: list[int] | None,
    psi: float,
    size: int | None,
    sliders: dict[str, float] | None,
) -> list[Avatar]:
    if attributes is not None and not isinstance(attributes, dict):
        raise OptionError('attributes must be an object such as {"hair": "pink"}')
    if seeds is None:
        seeds = service.random_seeds(_integer(count, "count"))
    elif not isinstance(seeds, list) or len(seeds) > _LONGEST_LIST:
        raise OptionError("seeds must be a list of integers, one for each picture")
    wanted = {str(name): str(choice) for name, choice in (attributes or {}).items()}
    if sliders is not None and not isinstance(sliders, dict):
        raise OptionError('sliders must be an object such as {"hair length": 1.2}')
    amounts = {str(name): _number(amount, name) for name, amount in (sliders or {}).items()}
    recipes = service.recipes(seeds, wanted, psi=_number(psi, "psi"), size=size, sliders=amounts)
    return service.draw(recipes)


def _answer(draw: Callable[[], Iterable[Avatar]]) -> list[dict[str, Any]]:
    with _refused():
        return [
            {
                "png": base64.b64encode(avatar.to_png()).decode("ascii"),
                "recipe": json.loads(avatar.recipe.to_json()),
            }
            for avatar in draw()
        ]


@contextmanager
def _refused() -> Iterator[None]:
    """Turn what the caller can mend into the error that gradio_client shows."""
    try:
        yield
    except AvatarGanError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _recipe(value: object) -> Recipe:
    if not isinstance(value, dict):
        raise OptionError("the recipe must be an object, as another endpoint returned it")
    text = json.dumps(value)
    if len(text) > _LONGEST_RECIPE_TEXT:
        raise RecipeError("not a recipe: it is longer than any")
    return Recipe.from_json(text)


def _integer(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise OptionError(f"{name} must be an integer, got {value!r}")
    return value


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{name} must be a number, got {value!r}")
    return float(value)
