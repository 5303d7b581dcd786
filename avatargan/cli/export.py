"""``avatargan export``: avatars by the hundred, in the formats that game engines read."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from avatargan.cli.output import note, progress, show, show_json
from avatargan.cli.values import parse_seed, parse_seeds
from avatargan.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from avatargan.attributes import Taxonomy
    from avatargan.export import Estimate, Exporter, ExportPlan, SheetOptions
    from avatargan.export.wanted import WantedCharacter

EXAMPLES = examples(
    "avatargan export --count 500 --hair any --eyes any --size 256 --out characters",
    "avatargan export --count 64 --transparent --name '{hair}_{eyes}_{seed}' --sheet 8x8 "
    "--atlas texturepacker --out sprites",
    "avatargan export --count 64 --transparent --sheet 8x8 --trim --extrude 1 "
    "--atlas texturepacker,multiatlas --out packed",
    "avatargan export --from-csv cast.csv --out cast",
    "avatargan export --seed 7 --palette hair --renpy eileen --out eileen",
    "avatargan export --count 10000 --size 128 --out crowd --dry-run",
)
ATLASES = ("texturepacker", "multiatlas")
DISTRIBUTORS = ("ray",)
#: File names that a dry run shows.
SHOWN = 5


def export(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Where it goes: a new or empty folder, or an export to carry on."
        ),
    ],
    count: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="How many characters; 1 by default.")
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(
            metavar="INTEGER",
            help="The first seed, 0 to 2^63-1; others follow. By default those from 0 on whose "
            "characters are likely drawn well.",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Exactly these seeds and ranges, such as 1-4,9."),
    ] = None,
    from_csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Wanted characters, one row each; columns: the attributes, seed, psi, name.",
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
        typer.Option(metavar="NUMBER", min=0, max=2, help="From typical to wild; 0.7 by default."),
    ] = None,
    transparent: Annotated[bool, typer.Option(help="Cut the background away.")] = False,
    palette: Annotated[
        str | None,
        typer.Option(
            metavar="ATTRIBUTE,...", help="Draw each character in every colour of the attribute."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="TEMPLATE",
            help="Template of the file names: {seed}, {index}, every attribute, and {name} of a "
            "CSV file; {index:04d} is 0007.",
        ),
    ] = None,
    renpy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name files for Ren'Py, NAME_tag.png, and write the script that defines them.",
        ),
    ] = None,
    manifest: Annotated[bool, typer.Option(help="Write manifest.jsonl and manifest.csv.")] = True,
    preview: Annotated[bool, typer.Option(help="Write index.html, to look through them.")] = True,
    sheet: Annotated[
        str | None,
        typer.Option(metavar="COLUMNSxROWS", help="Also write sprite sheets, such as 8x8."),
    ] = None,
    atlas: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="Write an atlas: texturepacker (hash and array form, with each sheet), multiatlas "
            "(Phaser's, one for all sheets), or both with a comma.",
        ),
    ] = None,
    trim: Annotated[
        bool,
        typer.Option(
            "--trim",
            help="Leave out what is transparent around pictures and pack them tightly.",
        ),
    ] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Let packing turn pictures; not every engine reads it.")
    ] = False,
    extrude: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            min=0,
            max=16,
            help="Repeat the rim of each picture around it, against seams when it is scaled.",
        ),
    ] = None,
    padding: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", min=0, max=256, help="Between the pictures of a sheet; 2 by default."
        ),
    ] = None,
    power_of_two: Annotated[
        bool, typer.Option("--power-of-two", help="Enlarge sheets to sides of 256, 512, 1024, ...")
    ] = False,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="Draw another character where the tagger is less sure than this (0 to 1) of an "
            "attribute.",
        ),
    ] = None,
    allow_duplicates: Annotated[
        bool,
        typer.Option("--allow-duplicates", help="Keep characters that look like an earlier one."),
    ] = False,
    any_quality: Annotated[
        bool,
        typer.Option("--any-quality", help="Keep characters, too, that are likely drawn badly."),
    ] = False,
    licence: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The licence of your weights, for the manifest."),
    ] = None,
    distribute: Annotated[
        str | None,
        typer.Option(metavar="SYSTEM", help="Draw on the machines of a cluster: ray."),
    ] = None,
    overwrite: OverwriteOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it will be and take; write nothing.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Export avatars into a folder: pictures, manifest, licence note, preview page, sprite sheets.

    Stop it at any moment; the same command carries on, and ends in the same files. Characters that
    look like an earlier one are replaced by another seed. Other people's files are never touched.
    """
    if distribute is not None and distribute not in DISTRIBUTORS:
        raise OptionError(
            f"there is no way to distribute called '{distribute}'"
            f"{did_you_mean(distribute, DISTRIBUTORS)} (ways: {', '.join(DISTRIBUTORS)})"
        )
    if seeds is not None and (from_csv is not None or count is not None or seed is not None):
        raise OptionError("--seeds names every character: leave --seed, --count, --from-csv out")
    if from_csv is not None and count is not None:
        raise OptionError("--from-csv has one character per row: leave --count out")
    first_seed = 0 if seed is None else parse_seed(seed)
    sheet_options = _sheet_options(
        sheet,
        _atlases(atlas),
        padding=padding,
        power_of_two=power_of_two,
        trim=trim,
        rotate=rotate,
        extrude=extrude,
    )

    from avatargan.export import (
        Exporter,
        ExportFolder,
        check_disk,
        create_plan,
        create_studio,
        estimate,
    )
    from avatargan.pipeline import DEFAULT_PSI

    pipeline = load_pipeline(weights, upscaler, device, engine)
    characters = _characters(from_csv, seeds, pipeline.attributes)
    every_seed_is_named = bool(characters) and all(one.seed is not None for one in characters or ())
    plan = create_plan(
        pipeline,
        count=count,
        first_seed=first_seed,
        wanted=chosen(context),
        characters=characters,
        psi=DEFAULT_PSI if psi is None else psi,
        size=size,
        transparent=transparent,
        palette=_attributes(palette),
        name=name,
        renpy=renpy,
        with_manifest=manifest,
        with_preview=preview,
        sheet=sheet_options,
        allow_duplicates=allow_duplicates,
        min_confidence=min_confidence,
        # A series that somebody names is drawn as it is.
        any_quality=any_quality or seed is not None or every_seed_is_named,
        licence_name=licence,
        device=device,
        engine=engine,
    )
    folder = ExportFolder(out, overwrite=overwrite)
    carries_on = folder.check(plan)
    finished = len(folder.finished(plan)) * plan.colours if carries_on else 0
    studio = create_studio(plan, pipeline)
    needed = estimate(plan, studio, out, finished)
    if dry_run:
        _report_dry_run(plan, needed, finished, out, as_json=json)
        return
    check_disk(needed, out)
    if finished:
        note(f"{finished} of {plan.pictures} avatars are there already", quiet=quiet)
    if distribute is not None:
        from avatargan.export.ray_studio import RayStudio

        ray_studio = RayStudio(plan, weights, upscaler, device, engine, tell=note)
        exporter = Exporter(plan, folder, ray_studio, pipeline.is_good)
    else:
        exporter = Exporter(plan, folder, studio, pipeline.is_good)
    try:
        for _ in progress(exporter.run(), exporter.steps, unit="file", quiet=quiet):
            pass
    except KeyboardInterrupt:
        note("stopped; the same command carries on from here", quiet=quiet)
        raise
    _report(exporter, out, as_json=json, quiet=quiet)


def _sheet_options(
    sheet: str | None,
    atlases: list[str],
    *,
    padding: int | None,
    power_of_two: bool,
    trim: bool,
    rotate: bool,
    extrude: int | None,
) -> "SheetOptions | None":
    if sheet is None:
        for option, given in (
            ("--atlas", atlases),
            ("--padding", padding is not None),
            ("--power-of-two", power_of_two),
            ("--trim", trim),
            ("--rotate", rotate),
            ("--extrude", extrude is not None),
        ):
            if given:
                raise OptionError(f"{option} is about sprite sheets: add --sheet, such as 8x8")
        return None
    columns, _, rows = sheet.lower().partition("x")
    sides = [int(side) if side.isascii() and side.isdigit() else 0 for side in (columns, rows)]
    if not all(0 < side <= 1024 for side in sides) or len(sheet) > 9:
        raise OptionError(f"a sheet is COLUMNSxROWS, such as 8x8, not '{sheet}'")
    from avatargan.export import SheetOptions

    return SheetOptions(
        columns=sides[0],
        rows=sides[1],
        padding=2 if padding is None else padding,
        power_of_two=power_of_two,
        atlas="texturepacker" in atlases,
        multiatlas="multiatlas" in atlases,
        trim=trim,
        rotate=rotate,
        extrude=extrude or 0,
    )


def _atlases(text: str | None) -> list[str]:
    atlases = [] if text is None else [part.strip() for part in text.split(",")]
    for atlas in atlases:
        if atlas not in ATLASES:
            raise OptionError(
                f"there is no atlas format '{atlas}'{did_you_mean(atlas, ATLASES)} "
                f"(formats: {', '.join(ATLASES)})"
            )
    return atlases


def _characters(
    from_csv: Path | None, seeds: str | None, attributes: "Taxonomy"
) -> "tuple[WantedCharacter, ...] | None":
    from avatargan.export.wanted import WantedCharacter, read_wanted

    if from_csv is not None:
        return read_wanted(from_csv, attributes)
    if seeds is not None:
        return tuple(WantedCharacter(seed=seed) for seed in parse_seeds(seeds))
    return None


def _attributes(text: str | None) -> list[str]:
    if text is None:
        return []
    names = [part.strip() for part in text.split(",")]
    for attribute in names:
        if names.count(attribute) > 1:
            raise OptionError(f"--palette names {attribute} more than once")
    return names


def _first_files(plan: "ExportPlan") -> Iterator[str]:
    for character in range(plan.count):
        for picture in plan.draft(character, next(plan.seeds(character))):
            yield picture.file


def _report_dry_run(
    plan: "ExportPlan", needed: "Estimate", finished: int, out: Path, *, as_json: bool
) -> None:
    from itertools import islice

    from avatargan.export.estimate import in_words

    names = list(islice(_first_files(plan), SHOWN))
    judged = plan.min_confidence is not None
    replaces = plan.chooses_seeds and (judged or not plan.allow_duplicates)
    if as_json:
        show_json(
            {
                "dry_run": True,
                "out": str(out),
                "avatars": plan.pictures,
                "finished": finished,
                "files": needed.files,
                "bytes": needed.bytes,
                "free_bytes": needed.free_bytes,
                "fits": needed.fits,
                "first_files": names,
                "replaces_seeds": replaces,
            }
        )
        return
    show(f"{plan.pictures} avatars of {plan.size} px into {out}, {needed.files} files in all")
    if finished:
        show(f"{finished} of them are there already")
    show(f"about {in_words(needed.bytes)} more on the disk, which has "
         f"{in_words(needed.free_bytes)} free")  # fmt: skip
    more = ", ..." if plan.pictures > len(names) else ""
    seeds = "another seed where two look the same" if replaces else "exactly these seeds"
    show(f"files: {', '.join(names)}{more} ({seeds})")
    if not needed.fits:
        note("it does not fit")
    note("nothing was written: this was a dry run")


def _report(exporter: "Exporter", out: Path, *, as_json: bool, quiet: bool) -> None:
    plan = exporter.plan
    if as_json:
        show_json(
            {
                "dry_run": False,
                "out": str(out),
                "avatars": plan.pictures,
                "redrawn": exporter.redrawn,
                "files": exporter.files,
            }
        )
        return
    if quiet:
        return
    show(f"{plan.pictures} avatars in {out}")
    if exporter.redrawn:
        note(f"{exporter.redrawn} were replaced by another seed")
    for file in exporter.files:
        show(f"  {file}")
