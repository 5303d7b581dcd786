"""``avatargan grid``: attributes, seeds and psi against each other, on one picture."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avatargan.cli.attribute_options import chosen_lists, read_taxonomy
from avatargan.cli.options import (
    DeviceOption,
    EngineOption,
    JsonOption,
    OverwriteOption,
    QuietOption,
    UpscalerOption,
    WeightsOption,
    examples,
    load_pipeline,
)
from avatargan.cli.output import check_output_file, progress, show, show_json
from avatargan.cli.values import parse_psis, parse_seeds
from avatargan.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from avatargan.pipeline import AvatarPipeline
    from avatargan.recipe import Recipe

EXAMPLES = examples(
    "avatargan grid --hair pink,blue --eyes red,green --seeds 1-4 --out grid.png",
    "avatargan grid --hair all --seeds 1-6 --x hair --out hair.png",
    "avatargan grid --psi 0.3,0.5,0.7,1 --seeds 1-4 --dark --out psi.png",
)
SEED = "seed"
PSI = "psi"
#: Pictures in a grid: with the smallest cells they fit into 25 megapixels.
MOST_CELLS = 5000


def grid(
    context: typer.Context,
    seeds: Annotated[
        str, typer.Option(metavar="LIST", help="Seeds and ranges of seeds, such as 1-4,9.")
    ] = "1",
    psi: Annotated[
        str, typer.Option(metavar="NUMBER,...", help="One or several, from 0 (the mean face) to 2.")
    ] = "0.7",
    x: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS,...",
            help="What changes from left to right: seed, psi or an attribute, with all its choices "
            "where its own option is not given; of several, the outermost first. By default seed, "
            "or else the first option with several values.",
        ),
    ] = None,
    y: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS,...",
            help="What changes from top to bottom; what is left by default.",
        ),
    ] = None,
    cell: Annotated[
        int, typer.Option(metavar="PIXELS", min=32, max=1024, help="Side of each picture.")
    ] = 256,
    dark: Annotated[bool, typer.Option("--dark", help="On a dark background.")] = False,
    out: Annotated[Path, typer.Option(metavar="FILE.png", help="The file to write.")] = Path(
        "grid.png"
    ),
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Draw a grid with headings: attributes, seeds and psi against each other.

    Every option with several values becomes an axis. Seeds go from left to right, the rest from
    top to bottom; with three axes and more, rows or columns are grouped.
    """
    taxonomy = read_taxonomy(weights)
    values: dict[str, list[Any]] = {**chosen_lists(context)}
    values |= {SEED: parse_seeds(seeds), PSI: parse_psis(psi)}
    columns, rows = (_split_axes(text, (SEED, PSI, *taxonomy)) for text in (x, y))
    for name in columns + rows:
        if name not in values:
            values[name] = list(taxonomy.offered(name))
    columns, rows = _complete_axes(values, columns, rows)
    cells = math.prod(len(each) for each in values.values())
    if cells > MOST_CELLS:
        raise OptionError(f"{cells} pictures are more than a grid takes; give fewer values")
    check_output_file(out, ".png", overwrite=overwrite)

    pipeline = load_pipeline(weights, upscaler, device, engine)
    from avatargan.files import write_atomically
    from avatargan.grids import DARK, LIGHT, Axis, xy_grid
    from avatargan.recipe import encode_png

    size = next((size for size in pipeline.sizes if size >= cell), pipeline.sizes[-1])
    recipes = list(_recipes(pipeline, values, (*rows, *columns), size))
    avatars = progress(pipeline.draw(recipes), cells, unit="avatar", quiet=quiet)
    x_axes, y_axes = (
        [Axis(name, [_heading(value) for value in values[name]]) for name in names]
        for names in (columns, rows)
    )
    picture = xy_grid(
        (avatar.image for avatar in avatars),
        x_axes,
        y_axes,
        cell=cell,
        theme=DARK if dark else LIGHT,
    )
    write_atomically(out, encode_png(picture), overwrite=overwrite)
    if json:
        show_json(
            {
                "file": str(out),
                "width": picture.width,
                "height": picture.height,
                "x": [{"axis": name, "values": values[name]} for name in columns],
                "y": [{"axis": name, "values": values[name]} for name in rows],
                "recipes": [recipe.model_dump(mode="json") for recipe in recipes],
            }
        )
    elif not quiet:
        across = " by ".join(columns) or "one column"
        down = " by ".join(rows) or "one row"
        show(f"{out}  {across} across, {down} down, {picture.width} x {picture.height} px")


def _split_axes(text: str | None, known: Sequence[str]) -> list[str]:
    """Return the axes that an option names.

    Raises:
        OptionError: there is no such axis, or it is named twice.
    """
    names: list[str] = []
    for part in text.split(",") if text is not None else []:
        name = part.strip()
        name = SEED if name == "seeds" else name
        if name not in known:
            raise OptionError(
                f"there is no axis '{name}'{did_you_mean(name, known)} (axes: {', '.join(known)})"
            )
        if name in names:
            raise OptionError(f"the axis {name} is named twice")
        names.append(name)
    return names


def _complete_axes(
    values: Mapping[str, Sequence[Any]], columns: list[str], rows: list[str]
) -> tuple[list[str], list[str]]:
    """Return the axes of columns and of rows, with what has several values and was not named.

    Raises:
        OptionError: nothing has several values, or an axis has no place or two.
    """
    for name in columns:
        if name in rows:
            raise OptionError(f"{name} cannot be both --x and --y")
    left = [
        name for name, choices in values.items() if len(choices) > 1 and name not in columns + rows
    ]
    if columns and rows and left:
        raise OptionError(f"{left[0]} has several values; name it in --x or --y too")
    if rows:
        columns = columns or left
    elif columns:
        rows = left
    else:
        columns = [SEED] if SEED in left else left[:1]
        rows = [name for name in left if name not in columns]
    if not columns and not rows:
        raise OptionError("nothing changes in this grid; give several values, as in --seeds 1-4")
    return columns, rows


def _recipes(
    pipeline: "AvatarPipeline",
    values: Mapping[str, Sequence[Any]],
    axes: Sequence[str],
    size: int,
) -> "Iterator[Recipe]":
    """Yield the recipe of each cell, row after row."""
    fixed = {name: choices[0] for name, choices in values.items()}
    for combination in product(*(values[name] for name in axes)):
        options = fixed | dict(zip(axes, combination, strict=True))
        yield from pipeline.recipes(options.pop(SEED), size=size, **options)


def _heading(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
