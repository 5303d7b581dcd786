"""``avatargan generate``: avatars into a folder, each with its recipe inside."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avatargan.cli.attribute_options import chosen
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
from avatargan.cli.output import (
    check_output_file,
    note,
    progress,
    refuse_existing,
    show,
    show_json,
)
from avatargan.cli.plans import (
    LatentsPlan,
    RecipePlan,
    RedrawPlan,
    SeedsPlan,
    VariationsPlan,
    draw,
    recipes_of,
)
from avatargan.cli.values import (
    LARGEST_COUNT,
    consecutive_seeds,
    parse_seed,
    parse_seeds,
    parse_sliders,
)
from avatargan.errors import OptionError, OutputError

if TYPE_CHECKING:
    from avatargan.pipeline import AvatarPipeline
    from avatargan.recipe import Recipe

EXAMPLES = examples(
    "avatargan generate --hair pink --eyes blue --seed 7",
    "avatargan generate --seeds 1-36 --size 256 --out cast --sheet cast.png",
    "avatargan generate --seed 7 --vary 0.25 --count 8 --out family",
    "avatargan generate --from-recipe out/avatar-7.png --hair green --out recoloured",
    "avatargan generate --seed 7 --slide hair-length=1.5 --slide turn=-1 --out shaped",
)
#: Random seeds are short enough to be read out and typed again.
RANDOM_SEEDS = 10**9
#: How many pictures a contact sheet takes, and up to how many it shows them large.
MOST_ON_A_SHEET = 1000
LARGE_ON_A_SHEET = 64
#: Up to so many files are named one by one when they are done.
LISTED = 12


def generate(
    context: typer.Context,
    seed: Annotated[
        str | None,
        typer.Option(metavar="INTEGER", help="The first seed, 0 to 2^63-1; random by default."),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="LIST", help="Seeds and ranges of seeds, such as 1-4,9.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=LARGEST_COUNT,
            help="How many avatars, one by default, with consecutive seeds; with --vary, how many "
            "variations of each.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Side of the pictures, the largest by default; 'avatargan info' lists the sizes.",
        ),
    ] = None,
    psi: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="From typical to wild: 0 is the mean face, 0.7 the default, 1 as varied as the "
            "training pictures, 2 the most.",
        ),
    ] = None,
    vary: Annotated[
        float | None,
        typer.Option(
            metavar="STRENGTH",
            help="Draw variations of each avatar instead: 0.1 to 0.4 is a family, 1 unrelated.",
        ),
    ] = None,
    slide: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=AMOUNT",
            help="Move along a slider, such as hair-length=1.2; may be repeated. 'avatargan "
            "sliders' lists them.",
        ),
    ] = None,
    from_recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Draw the avatar of this picture again, or variations of it; attributes, "
            "--size and --psi change it.",
        ),
    ] = None,
    from_latents: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Draw each row of a latents file.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pictures go.")] = Path(
        "out"
    ),
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Also write all of them on one contact sheet."),
    ] = None,
    any_quality: Annotated[
        bool,
        typer.Option(
            "--any-quality",
            help="Take any random seeds, also where a character is likely drawn badly.",
        ),
    ] = False,
    save_latents: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Also write z, w, labels, seeds and psi."),
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
    """Draw avatars into a folder, each a PNG with its recipe inside.

    The same seed and attributes give the same avatar, today and tomorrow. Files are called
    avatar-SEED.png, variations avatar-SEED-v1.png and so on; nothing is overwritten unless asked.
    """
    attributes = chosen(context)
    given: dict[str, Any] = {
        "--seed": seed,
        "--seeds": seeds,
        "--count": count,
        "--psi": psi,
        "--vary": vary,
        "--slide": slide,
        "--from-recipe": from_recipe,
        "--from-latents": from_latents,
        "--save-latents": save_latents,
        **{f"--{name}": choice for name, choice in attributes.items()},
    }
    _refuse_contradictions({name for name, value in given.items() if value is not None})
    fields = {name: value for name, value in (("size", size), ("psi", psi)) if value is not None}
    plan: RecipePlan | LatentsPlan
    recipe: Recipe | None = None
    sliders = parse_sliders(slide or [])
    pipeline: AvatarPipeline | None = None
    if from_latents is not None:
        from avatargan.latents import Latents

        plan = LatentsPlan(Latents.load(from_latents), from_latents.stem, size)
    elif from_recipe is not None:
        from avatargan.recipe import read_recipe

        recipe = read_recipe(from_recipe)
        plan = RedrawPlan(recipe, from_recipe.stem, attributes, fields, sliders)
    else:
        several = 1 if vary is not None or count is None else count
        chosen_seeds: Sequence[int]
        if seeds is not None:
            chosen_seeds = parse_seeds(seeds)
        elif seed is not None:
            chosen_seeds = consecutive_seeds(parse_seed(seed), several)
        else:
            pipeline = load_pipeline(weights, upscaler, device, engine)
            chosen_seeds = _roll_seeds(pipeline, several, attributes, fields, any_quality, quiet)
        plan = SeedsPlan(chosen_seeds, attributes, fields, sliders)
    if vary is not None and not isinstance(plan, LatentsPlan):
        plan = VariationsPlan(plan, vary, count or 1)

    files = _check_outputs(plan, out, sheet, save_latents, overwrite)
    if pipeline is None:
        pipeline = load_pipeline(weights, upscaler, device, engine)
    if recipe is not None:
        pipeline.check_recipe(recipe, str(from_recipe))
    if dry_run:
        if not isinstance(plan, LatentsPlan):
            for recipe in plan.recipes(pipeline):
                pipeline.check_recipe(recipe)
        drawn = list(zip(files, recipes_of(plan, pipeline), strict=True))
    else:
        detailed = len(plan) if json else LISTED
        drawn = _draw(plan, pipeline, files, sheet, overwrite, quiet, detailed)
        if save_latents is not None and not isinstance(plan, LatentsPlan):
            pipeline.latents(list(plan.recipes(pipeline))).save(save_latents, overwrite=overwrite)
    _report(drawn, sheet, save_latents, dry_run=dry_run, as_json=json, quiet=quiet)


def _refuse_contradictions(given: set[str]) -> None:
    """Raise OptionError for options that cannot be combined."""
    exclusive = {
        "--from-latents": given - {"--from-latents"},
        "--from-recipe": {"--seed", "--seeds"},
        "--seeds": {"--seed"},
    }
    for option, others in exclusive.items():
        clash = sorted(given & others)
        if option in given and clash:
            raise OptionError(f"{option} and {clash[0]} cannot be combined")
    if "--count" in given and "--vary" not in given:
        for option in ("--seeds", "--from-recipe"):
            if option in given:
                raise OptionError(f"--count with {option} counts variations: it needs --vary")


def _roll_seeds(
    pipeline: "AvatarPipeline",
    count: int,
    attributes: Mapping[str, str],
    fields: Mapping[str, Any],
    any_quality: bool,
    quiet: bool,
) -> Sequence[int]:
    """Return random seeds: consecutive ones, or such whose characters are likely drawn well."""
    from avatargan.pipeline import DEFAULT_PSI

    if any_quality or pipeline.quality is None:
        first = secrets.randbelow(RANDOM_SEEDS)
        note(f"drawn at random: --seed {first}", quiet=quiet)
        return consecutive_seeds(first, count)
    rolled = iter(lambda: secrets.randbelow(RANDOM_SEEDS), None)
    psi = fields.get("psi", DEFAULT_PSI)
    seeds = pipeline.good_seeds(rolled, count, psi=psi, **attributes)
    given = f"--seed {seeds[0]}" if count == 1 else f"--seeds {','.join(map(str, seeds))}"
    if count <= LISTED:
        note(f"drawn at random: {given}", quiet=quiet)
    return seeds


def _check_outputs(
    plan: RecipePlan | LatentsPlan,
    out: Path,
    sheet: Path | None,
    save_latents: Path | None,
    overwrite: bool,
) -> list[Path]:
    """Return the files to write, after finding out what would keep them from being written."""
    if len(plan) > LARGEST_COUNT:
        raise OptionError(f"{len(plan)} avatars are more than the {LARGEST_COUNT} of one run")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; --out names a folder")
    if sheet is not None:
        if len(plan) > MOST_ON_A_SHEET:
            raise OptionError(f"a contact sheet takes {MOST_ON_A_SHEET} avatars, not {len(plan)}")
        check_output_file(sheet, ".png", overwrite=overwrite)
    if save_latents is not None:
        check_output_file(save_latents, ".npz", overwrite=overwrite)
    files = [out / f"{name}.png" for name in plan.names()]
    if sheet is not None and sheet.resolve() in {file.resolve() for file in files}:
        raise OptionError(f"{sheet} is also the name of an avatar; call the sheet something else")
    refuse_existing(files, overwrite=overwrite)
    return files


def _draw(
    plan: RecipePlan | LatentsPlan,
    pipeline: "AvatarPipeline",
    files: Sequence[Path],
    sheet: Path | None,
    overwrite: bool,
    quiet: bool,
    detailed: int,
) -> "list[tuple[Path, Recipe | None]]":
    """Draw and write everything; return the files, and the recipes of the first of them."""
    from PIL import Image

    from avatargan.files import write_atomically
    from avatargan.grids import contact_sheet
    from avatargan.recipe import encode_png

    cell = 256 if len(plan) <= LARGE_ON_A_SHEET else 128
    drawn: list[tuple[Path, Recipe | None]] = []
    thumbnails: list[Image.Image] = []
    pictures = zip(files, draw(plan, pipeline), strict=True)
    for file, (image, recipe) in progress(pictures, len(plan), unit="avatar", quiet=quiet):
        write_atomically(file, encode_png(image, recipe), overwrite=overwrite)
        drawn.append((file, recipe if len(drawn) < detailed else None))
        if sheet is not None:
            thumbnails.append(image.resize((cell, cell), Image.Resampling.LANCZOS))
    if sheet is not None:
        captions = [file.stem.removeprefix("avatar-") for file in files]
        picture = contact_sheet(thumbnails, captions, cell=cell)
        write_atomically(sheet, encode_png(picture), overwrite=overwrite)
    return drawn


def _report(
    drawn: "Sequence[tuple[Path, Recipe | None]]",
    sheet: Path | None,
    latents: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    if as_json:
        avatars = [
            {"file": str(file), "recipe": recipe and recipe.model_dump(mode="json")}
            for file, recipe in drawn
        ]
        extras = {"sheet": sheet and str(sheet), "latents": latents and str(latents)}
        show_json({"avatars": avatars, **extras, "dry_run": dry_run})
        return
    if quiet:
        return
    for file, recipe in drawn[:LISTED]:
        show(f"{file}  {_describe(recipe)}" if recipe is not None else str(file))
    if len(drawn) > LISTED:
        show(f"... and {len(drawn) - LISTED} more, to {drawn[-1][0]}")
    for extra in (sheet, latents):
        if extra is not None:
            show(str(extra))
    if dry_run:
        note("nothing was drawn or written: this was a dry run")


def _describe(recipe: "Recipe") -> str:
    attributes = ", ".join(f"{name} {choice}" for name, choice in recipe.attributes.items())
    return f"{attributes}, psi {recipe.psi:g}, {recipe.size} px"
