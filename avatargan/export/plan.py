"""The plan of an export: fixes, before anything is drawn, what every picture will be.

An export has *characters*, and each character one picture, or with a palette one per colour.
A character without a seed of its own draws from a sequence of its own: character i of n tries
``first_seed + i``, then ``first_seed + i + n``, ``first_seed + i + 2 n`` and so on, until one is
no near-duplicate and has the wanted attributes. No two sequences meet, so a seed says by itself
whose it is: what is finished can be read off the files, in whatever order they were written.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from avatargan.attributes import ANY, Taxonomy
from avatargan.errors import OptionError, OutputError
from avatargan.export.renpy import check_image_name, check_tag
from avatargan.export.templates import SUFFIX, NameTemplate, name_key
from avatargan.export.wanted import WantedCharacter
from avatargan.latents import LARGEST_SEED
from avatargan.recipe import LARGEST_PSI, Recipe, recipe_from

#: How many seeds a character tries before the export gives up.
MOST_TRIES = 100
#: In pixels; what graphics cards of the last ten years take, phones included, is half of it.
LARGEST_SHEET = 8192


class SheetOptions(BaseModel):
    """How sprite sheets are laid out.

    Attributes:
        columns: pictures side by side.
        rows: pictures one below the other.
        padding: transparent pixels around and between them.
        power_of_two: whether the sides are enlarged to powers of two.
        atlas: whether TexturePacker's JSON goes with each sheet.
        multiatlas: whether the one JSON for all sheets is written that Phaser reads.
        trim: whether what is transparent around the pictures is left out and they are packed
            tightly, as many on a sheet as otherwise.
        rotate: whether packing may turn them by a quarter.
        extrude: how often the rim of each picture is repeated around it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: Annotated[int, Field(ge=1, le=1024)]
    rows: Annotated[int, Field(ge=1, le=1024)]
    padding: Annotated[int, Field(ge=0, le=256)] = 2
    power_of_two: bool = False
    atlas: bool = False
    multiatlas: bool = False
    trim: bool = False
    rotate: bool = False
    extrude: Annotated[int, Field(ge=0, le=16)] = 0

    @property
    def capacity(self) -> int:
        """Pictures on a full sheet."""
        return self.columns * self.rows


@dataclass(frozen=True)
class PlannedPicture:
    """One picture of an export.

    Attributes:
        index: its place in the export, from 0.
        file: its name.
        recipe: what it is drawn from.
    """

    index: int
    file: str
    recipe: Recipe


class ExportPlan(BaseModel):
    """All that decides what an export holds.

    Attributes:
        attributes: the taxonomy of the weights.
        count: how many characters.
        first_seed: where the seeds begin.
        wanted: the choice of every attribute, or "any".
        characters: what the rows of a CSV file ask for, one for each character.
        palette: the colours each character is drawn in, by attribute.
        name: template of the file names.
        renpy: the image tag of a Ren'Py character, which file names then begin with.
        min_confidence: how sure the judge must be of every attribute it knows.
        quality_sha256: of the predictor that leaves likely misfits out, where one does.
        device: what the pictures are drawn on; with ``engine`` it decides the last bits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Changes when plans of older versions can no longer be carried on.
    format: Literal[1] = 1
    version: str
    weights_sha256: str
    upscaler_sha256: str
    device: str
    engine: str
    attributes: dict[str, tuple[str, ...]]
    count: Annotated[int, Field(ge=1)]
    first_seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)]
    wanted: dict[str, str]
    characters: tuple[WantedCharacter, ...] | None = None
    psi: Annotated[float, Field(ge=0, le=LARGEST_PSI, allow_inf_nan=False)]
    size: int
    transparent: bool = False
    palette: dict[str, tuple[str, ...]] = {}
    name: str
    renpy: str | None = None
    manifest: bool = True
    preview: bool = True
    sheet: SheetOptions | None = None
    allow_duplicates: bool = False
    min_confidence: float | None = None
    judge_sha256: str | None = None
    quality_sha256: str | None = None
    licence: str

    @classmethod
    def from_json(cls, text: str | bytes, place: str) -> "ExportPlan":
        """Read a plan.

        Raises:
            OutputError: the text is no plan of this version; the message begins with ``place``.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise OutputError(
                f"{place}: not a plan that this version of avatargan can carry on; "
                "choose another folder"
            ) from error

    def to_json(self) -> str:
        """Return the text that :meth:`from_json` reads."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The attributes as the rest of the package knows them."""
        return Taxonomy(self.attributes)

    @property
    def colours(self) -> int:
        """Pictures of each character."""
        return len(self._colours)

    @property
    def pictures(self) -> int:
        """Pictures of the whole export."""
        return self.count * self.colours

    def seeds(self, character: int) -> Iterator[int]:
        """Yield the seeds that a character tries, in order.

        Raises:
            OptionError: the sequence leaves the range of seeds.
        """
        own = self._own_seed(character)
        if own is not None:
            yield own
            return
        tries = 0
        for seed in itertools.count(self.first_seed + character, self.count):
            if seed in self._rows_of_seed:  # it belongs to a row that names it
                continue
            if tries == MOST_TRIES:
                return
            if seed > LARGEST_SEED:
                raise OptionError(
                    "the seeds run past 2^63-1 (the largest there is); begin with a smaller one"
                )
            tries += 1
            yield seed

    @property
    def chooses_seeds(self) -> bool:
        """Whether any character may try another seed than its first."""
        return self.characters is None or any(row.seed is None for row in self.characters)

    def chooses_seed(self, character: int) -> bool:
        """Tell whether a character may try another seed: not where its row names one."""
        return self._own_seed(character) is None

    def draft(self, character: int, seed: int) -> list[PlannedPicture]:
        """Return the pictures of a character with one of its seeds.

        Raises:
            OptionError: a name cannot be that of a file.
        """
        row = self._row(character)
        wanted = self.wanted if row is None else self.wanted | row.attributes
        psi = self.psi if row is None or row.psi is None else row.psi
        resolved = self.taxonomy.resolve(wanted, seed)
        pictures = []
        for position, colours in enumerate(self._colours):
            recipe = recipe_from(
                seed,
                attributes=resolved | colours,
                psi=psi,
                size=self.size,
                weights_sha256=self.weights_sha256,
                version=self.version,
                **({"transparent": True} if self.transparent else {}),
            )
            index = character * self.colours + position
            pictures.append(
                PlannedPicture(index, self._file_name(index, character, recipe), recipe)
            )
        return pictures

    def character_of(self, recipe: Recipe) -> list[int]:
        """Return the characters that a recipe could be a picture of: few, mostly one or none."""
        rows = self._rows_of_seed.get(recipe.number)
        if rows is not None:
            return rows
        if recipe.number < self.first_seed:
            return []
        character = (recipe.number - self.first_seed) % self.count
        return [character] if self.chooses_seed(character) else []

    @cached_property
    def _colours(self) -> list[dict[str, str]]:
        return [
            dict(zip(self.palette, choices, strict=True))
            for choices in itertools.product(*self.palette.values())
        ]

    @cached_property
    def _rows_of_seed(self) -> dict[int, list[int]]:
        rows: dict[int, list[int]] = {}
        for character, row in enumerate(self.characters or ()):
            if row.seed is not None:
                rows.setdefault(row.seed, []).append(character)
        return rows

    @cached_property
    def _template(self) -> NameTemplate:
        return NameTemplate(self.name, self.name_fields)

    @property
    def name_fields(self) -> list[str]:
        """The fields that file names may have."""
        named = self.characters is not None and all(row.name for row in self.characters)
        return ["seed", "index", *self.attributes, *(["name"] if named else [])]

    def _row(self, character: int) -> WantedCharacter | None:
        return self.characters[character] if self.characters is not None else None

    def _own_seed(self, character: int) -> int | None:
        row = self._row(character)
        return row.seed if row is not None else None

    def _file_name(self, index: int, character: int, recipe: Recipe) -> str:
        row = self._row(character)
        values: dict[str, int | str] = {**recipe.attributes, "seed": recipe.number, "index": index}
        if row is not None and row.name is not None and "name" in self._template.fields:
            values["name"] = row.name
        name = self._template.format(values)
        if self.renpy is not None:
            check_image_name(name.removesuffix(SUFFIX))
        return name


def check_plan(plan: ExportPlan, sizes: tuple[int, ...]) -> None:
    """Find out before anything is drawn whether a plan can be carried out.

    Args:
        plan: the plan.
        sizes: the sides in pixels that can be drawn.

    Raises:
        OptionError: options are out of range or contradict each other, a name cannot be that of a
            file, or two pictures would have the same one.
    """
    if plan.size not in sizes:
        raise OptionError(f"there is no size {plan.size} (sizes: {', '.join(map(str, sizes))})")
    if plan.first_seed + plan.count - 1 > LARGEST_SEED:
        raise OptionError("the seeds run past 2^63-1 (the largest there is); begin with less")
    if plan.min_confidence is not None:
        if not 0 < plan.min_confidence < 1:
            raise OptionError(
                f"the confidence must be above 0 and below 1, got {plan.min_confidence}"
            )
        if plan.palette:
            raise OptionError(
                "a minimum confidence and a palette do not go together: "
                "a palette shows one character in every colour, sure or not"
            )
    if plan.renpy is not None:
        check_tag(plan.renpy)
    _check_palette(plan)
    _check_names(plan)
    if plan.sheet is not None:
        _check_sheet(plan.sheet, plan.size)


def _check_sheet(sheet: SheetOptions, size: int) -> None:
    step = size + 2 * sheet.extrude + sheet.padding
    if max(sheet.columns, sheet.rows) * step + sheet.padding > LARGEST_SHEET:
        fit = (LARGEST_SHEET - sheet.padding) // step
        raise OptionError(
            f"a sheet of {sheet.columns}x{sheet.rows} pictures of {size} px "
            f"is larger than {LARGEST_SHEET} px; {fit}x{fit} fit"
        )
    if sheet.trim and not (sheet.atlas or sheet.multiatlas):
        raise OptionError("trimmed pictures are found by an atlas alone: add --atlas texturepacker")
    if sheet.rotate and not sheet.trim:
        raise OptionError("--rotate is about packing trimmed pictures: add --trim")
    if sheet.rotate and sheet.multiatlas:
        raise OptionError(
            "Phaser draws turned frames of a multiatlas wrongly; leave --rotate or multiatlas out"
        )


def _check_palette(plan: ExportPlan) -> None:
    for attribute in plan.palette:
        asked = plan.wanted.get(attribute, ANY)
        naming = (row for row in plan.characters or () if attribute in row.attributes)
        row = next((row for row in naming if row.attributes[attribute] != ANY), None)
        if asked != ANY or row is not None:
            choice = asked if row is None else row.attributes[attribute]
            raise OptionError(
                f"a palette of {attribute} has every colour of it, but '{choice}' is asked for; "
                "leave one out"
            )


def _check_names(plan: ExportPlan) -> None:
    """Find names that collide, as far as they are known before drawing.

    Where the seeds or the index are in the name there is nothing to find but in rows that name
    their seed: another seed is drawn for a picture whose name is taken.
    """
    fields = NameTemplate(plan.name, plan.name_fields).fields
    unique = "index" in fields or (
        "seed" in fields and plan.characters is None and plan.palette.keys() <= set(fields)
    )
    seen: dict[str, int] = {}
    for character in range(1 if unique else plan.count):
        for picture in plan.draft(character, next(plan.seeds(character))):
            other = seen.setdefault(name_key(picture.file), picture.index)
            if other != picture.index:
                raise OptionError(
                    f"the name '{plan.name}' gives '{picture.file}' to pictures {other} and "
                    f"{picture.index}; add {{seed}} or {{index}} to it"
                )
