"""What the REST API takes and gives, as pydantic models: the OpenAPI page is made from them."""

import base64
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Self

from PIL import Image
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from avatargan.editing.directions import Slider
from avatargan.editing.mixing import MOST_PARENTS
from avatargan.editing.pictures import Edit
from avatargan.errors import OptionError, did_you_mean
from avatargan.latents import LARGEST_SEED
from avatargan.pipeline import DEFAULT_PSI, Avatar
from avatargan.recipe import DEEPEST_RECIPE, LARGEST_PSI, Recipe, encode_png
from avatargan.sketching import Sketched
from avatargan.web.service import AvatarService, EditProgress, Limits

#: JSON readers that know only doubles, JavaScript's above all, round integers beyond this.
LARGEST_EXACT_NUMBER = 2**53 - 1
LONGEST_NAME = 40
LONGEST_SEED = len(str(LARGEST_SEED))
#: No request for more than this is looked at further; the service has the smaller, real limit.
LARGEST_LIST = 1000
LARGEST_START = 1_000_000
#: Characters of base64 of one picture; the body of the whole request has a limit of its own.
LONGEST_PICTURE = 12_000_000


def seed_from_text(value: Any) -> Any:
    """Turn a seed that is written as a string of digits into a number; leave others alone."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value) if len(value) <= LONGEST_SEED else LARGEST_SEED + 1
    return value


def seed_to_json(seed: int) -> int | str:
    """Return a number where every reader keeps it exactly, or else a string of digits."""
    return seed if seed <= LARGEST_EXACT_NUMBER else str(seed)


def _recipe_from_json(value: Any) -> Any:
    """Let the seeds of a recipe, and of all its steps, be strings."""
    return _with_seeds(value, seed_from_text)


def _recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    fields: dict[str, Any] = _with_seeds(recipe.model_dump(mode="json"), seed_to_json)
    return fields


def _with_seeds(value: Any, convert: Callable[[Any], Any], depth: int = 0) -> Any:
    """Return the JSON of a recipe or of a step with every seed in it converted."""
    if not isinstance(value, dict) or depth > 2 * DEEPEST_RECIPE:
        return value
    converted = dict(value)
    if "seed" in converted:
        converted["seed"] = convert(converted["seed"])
    for name in ("variation", "steps"):
        steps = converted.get(name)
        if isinstance(steps, list):
            converted[name] = [_with_seeds(step, convert, depth + 1) for step in steps]
    if "towards" in converted:
        converted["towards"] = _with_seeds(converted["towards"], convert, depth + 1)
    return converted


def _check_choice(value: Any) -> Any:
    """Refuse in one sentence what a union of types would refuse in two."""
    choices = value if isinstance(value, list) else [value]
    if not all(isinstance(choice, str) for choice in choices) or len(choices) > LARGEST_LIST:
        raise ValueError("give a choice, or a list of choices with one for each seed")
    if any(len(choice) > LONGEST_NAME for choice in choices):
        raise ValueError(f"no choice is longer than {LONGEST_NAME} characters")
    return value


_SEED_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": LARGEST_SEED},
        {"type": "string", "pattern": "^[0-9]{1,19}$"},
    ],
    "description": "0 to 2^63-1; above 2^53-1 better as a string of digits",
}

SeedInput = Annotated[
    int,
    BeforeValidator(seed_from_text),
    Field(ge=0, le=LARGEST_SEED, strict=True),
    WithJsonSchema(_SEED_SCHEMA),
]
_RECIPE_SCHEMA = {
    "title": "Recipe",
    "type": "object",
    "properties": {
        "seed": _SEED_SCHEMA,
        "attributes": {"type": "object", "additionalProperties": {"type": "string"}},
        "psi": {"type": "number"},
        "variation": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"seed": _SEED_SCHEMA, "strength": {"type": "number"}},
            },
        },
        "w": {
            "type": "string",
            "description": "little-endian fp16 in base64, in place of the seed",
        },
        "steps": {
            "type": "array",
            "items": {"type": "object"},
            "description": "in order: {seed, strength}, {slider, amount, directions} or "
            "{towards, strength, layers}; see the file formats in the docs",
        },
        "transparent": {"type": "boolean"},
        "size": {"type": "integer"},
        "weights_sha256": {"type": "string"},
        "version": {"type": "string"},
    },
}
RecipeJson = Annotated[
    Recipe,
    BeforeValidator(_recipe_from_json),
    PlainSerializer(_recipe_to_json),
    WithJsonSchema(_RECIPE_SCHEMA, mode="serialization"),
]
Name = Annotated[str, Field(max_length=LONGEST_NAME)]
Amount = Annotated[float, Field(allow_inf_nan=False)]
Choice = Annotated[str | list[str], BeforeValidator(_check_choice)]


class Request(BaseModel):
    """A body of which every field is known."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_fields(cls, body: Any) -> Any:
        if isinstance(body, dict):
            for name in body:
                if name not in cls.model_fields:
                    # Half a surrogate pair, which JSON can carry, cannot be in a message.
                    shown = name[:LONGEST_NAME].encode("utf-8", "backslashreplace").decode()
                    raise ValueError(
                        f"there is no field '{shown}'"
                        f"{did_you_mean(shown, cls.model_fields)} "
                        f"(fields: {', '.join(cls.model_fields)})"
                    )
        return body


class AvatarsRequest(Request):
    """Seeds (or how many to roll) and what the pictures have in common, or recipes to redraw."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"seeds": [1, 2], "attributes": {}, "psi": DEFAULT_PSI, "size": 256},
            ]
        }
    )

    seeds: Annotated[list[SeedInput], Field(min_length=1, max_length=LARGEST_LIST)] | None = Field(
        None, description="one picture is drawn for each"
    )
    count: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        None, description="how many seeds to roll, in place of `seeds`; 1 where neither is given"
    )
    attributes: Annotated[dict[Name, Choice], Field(max_length=100)] = Field(
        {},
        description=(
            "by name, one choice for all or a list with one for each seed; "
            'names and choices are at `/api/v1/attributes`, "any" is drawn from the seed'
        ),
    )
    psi: Annotated[float, Field(ge=0, le=LARGEST_PSI, allow_inf_nan=False, strict=True)] = Field(
        DEFAULT_PSI, description="0 the mean face, 0.7 typical, 1 varied, above it wild"
    )
    size: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        None, description="side in pixels, one of the sizes at `/api/v1/attributes`"
    )
    sliders: Annotated[dict[Name, Amount], Field(max_length=100)] = Field(
        {}, description="amounts by name; names and ranges are at `/api/v1/sliders`"
    )
    any_quality: Annotated[bool, Field(strict=True)] = Field(
        False, description="roll any seeds, also where a character is likely drawn badly"
    )
    recipes: Annotated[list[RecipeJson], Field(min_length=1, max_length=LARGEST_LIST)] | None = (
        Field(None, description="pictures to draw again, in place of all other fields")
    )

    @model_validator(mode="after")
    def _one_way_of_asking(self) -> Self:
        others = sorted(self.model_fields_set - {"recipes"})
        if self.recipes is not None and others:
            raise ValueError(f"recipes and {others[0]}: give one of them; a recipe says it all")
        if self.seeds is not None and self.count is not None:
            raise ValueError("seeds and count: give one of them")
        return self


class VariationsRequest(Request):
    """A character to step around."""

    recipe: RecipeJson
    strength: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] = Field(
        0.3, description="0 the same picture, 1 unrelated characters"
    )
    n: Annotated[int, Field(ge=1, strict=True)] = Field(6, description="how many")
    start: Annotated[int, Field(ge=0, le=LARGEST_START, strict=True)] = Field(
        0, description="index of the first, to go on with a series"
    )


class RecolouringsRequest(Request):
    """A character to draw once with every choice of an attribute."""

    recipe: RecipeJson
    attribute: Name = Field(description="any that is not marked `identity`")


class MixesRequest(Request):
    """Characters whose children are to be drawn."""

    recipes: Annotated[list[RecipeJson], Field(min_length=2, max_length=MOST_PARENTS)]
    n: Annotated[int, Field(ge=1, strict=True)] = Field(6, description="how many children")
    shape: Annotated[int, Field(ge=0, strict=True)] = Field(
        0, description="whose shape they have, 1 for the first; 0 something between all"
    )
    colours: Annotated[int, Field(ge=0, strict=True)] = Field(
        0, description="whose hair, eyes and shading they have, likewise"
    )
    strength: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] = Field(
        1.0, description="how far they may lean away from the character they start from"
    )
    start: Annotated[int, Field(ge=0, le=LARGEST_START, strict=True)] = Field(
        0, description="index of the first, to go on with a family"
    )


class SliderOut(BaseModel):
    """One slider of the loaded weights."""

    name: str = Field(description="what recipes and requests call it")
    minimum: float
    maximum: float
    changes: str = Field(description="what grows with the amount, in words")
    names: dict[str, str] = Field(description="what people call it, by language")
    effect: dict[str, Any] = Field(description="what was measured of it")

    @classmethod
    def of(cls, slider: Slider) -> "SliderOut":
        """Tell a slider."""
        return cls(**{name: getattr(slider, name) for name in cls.model_fields})


class SlidersOut(BaseModel):
    """The sliders of the loaded weights, in the order in which they are shown."""

    directions: str | None = Field(description="what steps of recipes name beside the slider")
    sliders: list[SliderOut]


def sliders_of(service: AvatarService) -> SlidersOut:
    """Tell the sliders of a service's weights; there are none for weights of other people."""
    try:
        directions = service.pipeline.directions
    except OptionError:
        return SlidersOut(directions=None, sliders=[])
    return SlidersOut(
        directions=directions.sha256,
        sliders=[SliderOut.of(slider) for slider in directions.values()],
    )


class SketchRequest(Request):
    """Lines that are to become avatars."""

    sketch: Annotated[str, Field(max_length=LONGEST_PICTURE)] = Field(
        description="a picture in base64: dark lines on light ground or on transparency, any size"
    )
    hints: Annotated[str, Field(max_length=LONGEST_PICTURE)] | None = Field(
        None, description="dabs of colour on transparency, as a PNG in base64"
    )
    labels: Annotated[str, Field(max_length=LONGEST_PICTURE)] | None = Field(
        None,
        description="what the dabs are for, as a PNG in base64: #e6194b hair, #f58230 skin, "
        "#0082c8 eyes, #3cb44b ground",
    )
    attributes: dict[Name, Name] = Field(
        default_factory=dict, max_length=32, description='choices by name; "any" follows the hints'
    )
    follow: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] = Field(
        0.5, description="0 a clean character much like the sketch, 1 exactly its lines"
    )
    n: Annotated[int, Field(ge=1, le=12, strict=True)] = Field(1, description="how many proposals")
    size: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        None, description="side in pixels; the largest by default"
    )


class AvatarOut(BaseModel):
    """A picture and what it was drawn from."""

    png: str = Field(description="a PNG file in base64, with the recipe in a text chunk")
    recipe: RecipeJson = Field(
        description="redraws the picture; seeds above 2^53-1 in it are strings of digits"
    )

    @classmethod
    def of(cls, avatar: Avatar) -> "AvatarOut":
        """Encode an avatar."""
        return cls(png=base64.b64encode(avatar.to_png()).decode("ascii"), recipe=avatar.recipe)


class AvatarsOut(BaseModel):
    """What was drawn, in the order that was asked for."""

    avatars: list[AvatarOut]

    @classmethod
    def of(cls, avatars: Iterable[Avatar]) -> "AvatarsOut":
        """Encode avatars."""
        return cls(avatars=[AvatarOut.of(avatar) for avatar in avatars])


class EditOut(BaseModel):
    """A character that was found for a picture, and how alike they are."""

    avatar: AvatarOut
    original: str = Field(description="what of the picture was looked at, a PNG in base64")
    share: float = Field(
        description="how far they are apart, as a share of random avatars: 0 the same, 1 no nearer"
    )
    pixels: float = Field(description="the same in pixels")
    lines: float = Field(description="the same in lines")
    verdict: str = Field(
        description='"exact", "close", "a relative" or "not this generator\'s kind of face"'
    )
    remarks: list[str] = Field(description="what to tell the user")

    @classmethod
    def of(cls, edit: Edit) -> "EditOut":
        """Encode a result."""
        side = edit.avatar.image.width
        original = edit.original.resize((side, side), Image.Resampling.LANCZOS)
        return cls(
            avatar=AvatarsOut.of([edit.avatar]).avatars[0],
            original=base64.b64encode(encode_png(original)).decode("ascii"),
            **edit.as_json(),
        )


class EditProgressOut(BaseModel):
    """How far the editing of a picture has come."""

    done: int
    of: int
    picture: str | None = Field(description="the character so far now and then, a PNG in base64")

    @classmethod
    def of_progress(cls, progress: EditProgress) -> "EditProgressOut":
        """Encode it."""
        drawn = progress.drawn
        encoded = None if drawn is None else base64.b64encode(encode_png(drawn)).decode("ascii")
        return cls(done=progress.done, of=progress.of, picture=encoded)


class SketchedOut(AvatarOut):
    """A picture made of a sketch."""

    painted: bool = Field(
        description="whether it was painted over the sketch: its recipe then draws the clean "
        "character that the painting began with"
    )
    follows: float = Field(description="correlation of its edges and the strokes, -1 to 1")


class SketchesOut(BaseModel):
    """What became of a sketch, the best first."""

    avatars: list[SketchedOut]
    seen: dict[str, float] = Field(description="what the sketch seems to show, with probabilities")
    remark: str = Field(description="what had to be guessed about the sketch; empty if nothing")

    @classmethod
    def of(cls, result: Sketched) -> "SketchesOut":
        """Encode what became of a sketch."""
        return cls(
            avatars=[
                SketchedOut(
                    png=base64.b64encode(avatar.to_png()).decode("ascii"),
                    recipe=avatar.recipe,
                    painted=avatar.painted,
                    follows=round(avatar.follows, 4),
                )
                for avatar in result.avatars
            ],
            seen={name: round(share, 3) for name, share in result.seen.items()},
            remark=result.remark,
        )


class RecipeOut(BaseModel):
    """What a picture was drawn from."""

    recipe: RecipeJson
    drawable: bool = Field(description="whether the loaded weights can draw it")


class AttributeOut(BaseModel):
    """One attribute of the weights."""

    choices: list[str] = Field(description='what may be asked for besides "any"')
    default: str = Field(description="what is drawn where it is left out")
    identity: bool = Field(description="whether another choice makes another character")
    experimental: list[str] = Field(description='choices that "any" never draws')


class AttributesOut(BaseModel):
    """What may be asked for."""

    attributes: dict[str, AttributeOut]
    sizes: list[int]
    default_size: int
    default_psi: float
    largest_psi: float


class LimitsOut(BaseModel):
    """How much may be asked for."""

    pictures: int = Field(description="in one request")
    pixels: int = Field(description="in one request")
    body_bytes: int
    requests: int = Field(description="that may wait or be drawn at a time")
    seconds: float = Field(description="after which a request is given up")
    export_pictures: int = Field(description="in one export")

    @classmethod
    def of(cls, limits: Limits) -> "LimitsOut":
        """Tell the limits of a service."""
        return cls(**{name: getattr(limits, name) for name in cls.model_fields})


class InfoOut(BaseModel):
    """What is running."""

    version: str
    weights_sha256: str
    renderer: str
    edits: bool = Field(description="whether pictures can be edited with these weights")
    limits: LimitsOut
    transparent: bool = Field(description="whether backgrounds can be cut away")
    morph_formats: list[str] = Field(description="of `/morphs`")
    morph_sizes: list[int] = Field(description="of `/morphs`")


class HealthOut(BaseModel):
    """The server is up."""

    status: str = "ok"


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="in one line that names the field")
    kind: str | None = Field(None, description="for programs: busy, option, recipe, picture, ...")
