"""``avatargan sliders``: which there are, what they change, and what they leave alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from avatargan.cli.values import parse_seeds
from avatargan.errors import OptionError

if TYPE_CHECKING:
    from avatargan.editing.directions import Directions, Slider
    from avatargan.pipeline import AvatarPipeline

EXAMPLES = examples(
    "avatargan sliders",
    "avatargan sliders --sheet sliders.png --seeds 7,21",
    "avatargan generate --seed 7 --slide hair-length=1.5",
)
#: Pictures of a row of the sheet, from the least amount to the largest.
STOPS = 5
CELL = 96
MOST_SEEDS = 8


def sliders(
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Also draw each slider from its least to its largest amount."
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option(metavar="LIST", help="Characters on the sheet, up to 8 seeds.")
    ] = "7,23",
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """List the sliders: range, what each changes, and how much else changes with it.

    One unit moves what a slider changes by about one standard deviation among characters. The last
    column is the side effect that is largest: how much another slider's measure changes over the
    whole range, on average, in percent of how much it differs between characters.
    """
    characters = list(parse_seeds(seeds))
    if len(characters) > MOST_SEEDS:
        raise OptionError(f"the sheet shows up to {MOST_SEEDS} characters, not {len(characters)}")
    if sheet is not None:
        check_output_file(sheet, ".png", overwrite=overwrite)
    pipeline = load_pipeline(weights, upscaler, device, engine)
    directions = pipeline.directions
    if json:
        show_json(
            {
                "directions": directions.sha256,
                "sliders": [_as_json(slider) for slider in directions.values()],
                "sheet": sheet and str(sheet),
            }
        )
    elif not quiet:
        for line in _table(directions):
            show(line)
    if sheet is not None:
        _draw_sheet(pipeline, directions, characters, sheet, overwrite=overwrite, quiet=quiet)


def _as_json(slider: "Slider") -> dict[str, Any]:
    names = ("name", "minimum", "maximum", "changes", "names", "effect")
    return {name: getattr(slider, name) for name in names}


def _table(directions: "Directions") -> list[str]:
    width = max(len(name) for name in directions)
    lines = [f"{'slider':<{width}}   {'range':<14}   changes"]
    for slider in directions.values():
        effects = slider.effect.get("side_effects_percent", {})
        worst = max(effects, key=effects.__getitem__, default=None)
        side = "" if worst is None else f" (side effect: {worst} {effects[worst]:.0f} %)"
        extent = f"{slider.minimum:+g} to {slider.maximum:+g}"
        lines.append(f"{slider.name:<{width}}   {extent:<14}   {slider.changes}{side}")
    return lines


def _draw_sheet(
    pipeline: "AvatarPipeline",
    directions: "Directions",
    seeds: list[int],
    path: Path,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    from avatargan.files import write_atomically
    from avatargan.grids import contact_sheet
    from avatargan.recipe import encode_png

    size = pipeline.sizes[0]
    starts = pipeline.recipes(seeds, size=size)
    recipes, captions = [], []
    for slider in directions.values():
        for start in starts:
            for stop in range(STOPS):
                part = stop / (STOPS - 1)
                amount = slider.minimum + part * (slider.maximum - slider.minimum)
                recipes.append(pipeline.slide(start, {slider.name: round(amount, 4)}))
                captions.append(f"{slider.name} {amount:+.2g}")
    drawn = progress(pipeline.draw(recipes), len(recipes), unit="picture", quiet=quiet)
    pictures = [avatar.image for avatar in drawn]
    columns = STOPS * max(len(seeds), 1)
    picture = contact_sheet(pictures, captions, columns=columns, cell=CELL)
    write_atomically(path, encode_png(picture), overwrite=overwrite)
