"""``avatargan mix``: the children of two or more characters."""

from pathlib import Path
from typing import Annotated

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
from avatargan.cli.output import check_output_file, note, progress, refuse_existing, show, show_json
from avatargan.errors import OptionError

EXAMPLES = examples(
    "avatargan mix mother.png father.png --count 8 --out family",
    "avatargan mix a.png b.png --shape 1 --colours 2 --out family",
    "avatargan mix a.png b.png c.png --strength 0.5 --sheet family.png --out family",
)
MOST_CHILDREN = 1000


def mix(
    parents: Annotated[
        list[Path],
        typer.Argument(metavar="A.png B.png ...", help="Two to four PNGs made by avatargan."),
    ],
    count: Annotated[
        int, typer.Option(metavar="N", min=1, max=MOST_CHILDREN, help="How many children.")
    ] = 6,
    shape: Annotated[
        int,
        typer.Option(
            metavar="WHICH", min=0, help="Whose shape they have: 1 for the first; 0: all mixed."
        ),
    ] = 0,
    colours: Annotated[
        int,
        typer.Option(
            "--colours",
            "--colors",
            metavar="WHICH",
            min=0,
            help="Whose hair, eyes and shading they have: 1 for the first; 0: one or another's.",
        ),
    ] = 0,
    strength: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            help="How far they lean away from the parent they start from: 0 not at all, 1 wholly.",
        ),
    ] = 1.0,
    size: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Side of the pictures; that of the first by default."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pictures go.")] = Path(
        "out"
    ),
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Also show parents and children on one sheet."),
    ] = None,
    overwrite: OverwriteOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be drawn; draw and write nothing.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Draw the children of two to four characters, always the same ones for the same parents.

    Each child is a character as any other: it can be varied, recoloured, moved along sliders and
    mixed again. Files are called child-1.png and so on; nothing is overwritten unless asked.
    """
    from avatargan.files import write_atomically
    from avatargan.grids import contact_sheet
    from avatargan.recipe import changed, encode_png, read_recipe

    if out.exists() and not out.is_dir():
        raise OptionError(f"{out} is a file; --out names a folder")
    if sheet is not None:
        check_output_file(sheet, ".png", overwrite=overwrite)
    files = [out / f"child-{number:0{len(str(count))}}.png" for number in range(1, count + 1)]
    refuse_existing(files, overwrite=overwrite)
    recipes = [read_recipe(parent) for parent in parents]
    pipeline = load_pipeline(weights, upscaler, device, engine)
    for parent, recipe in zip(parents, recipes, strict=True):
        pipeline.check_recipe(recipe, str(parent))
    if size is not None:
        recipes[0] = changed(recipes[0], size=size)
    children = pipeline.children(recipes, count, shape=shape, colours=colours, strength=strength)
    if not dry_run:
        pictures = []
        drawn = progress(pipeline.draw(children), count, unit="child", quiet=quiet)
        for file, avatar in zip(files, drawn, strict=True):
            write_atomically(file, avatar.to_png(), overwrite=overwrite)
            pictures.append(avatar.image.resize((128, 128)))
        if sheet is not None:
            before = [avatar.image.resize((128, 128)) for avatar in pipeline.draw(recipes)]
            names = [parent.stem for parent in parents] + [file.stem for file in files]
            picture = contact_sheet([*before, *pictures], names, cell=128)
            write_atomically(sheet, encode_png(picture), overwrite=overwrite)
    if json:
        entries = [
            {"file": str(file), "recipe": child.model_dump(mode="json")}
            for file, child in zip(files, children, strict=True)
        ]
        show_json({"children": entries, "sheet": sheet and str(sheet), "dry_run": dry_run})
    elif not quiet:
        for file in files:
            show(str(file))
        if sheet is not None:
            show(str(sheet))
        if dry_run:
            note("nothing was drawn or written: this was a dry run")
