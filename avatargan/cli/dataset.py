"""``avatargan dataset``: make sets to train from, and look at them."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avatargan.cli.attribute_options import AttributeCommand, chosen
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
    progress_counter,
    refuse_existing,
    show,
    show_json,
)
from avatargan.cli.values import LARGEST_COUNT, consecutive_seeds
from avatargan.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from avatargan.dataset import Dataset

app = typer.Typer(
    help="Make sets to train from, and look at them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
UPSCALINGS = ("never", "small", "always")

OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="The folder of the new set.")]


@app.command(
    epilog=examples(
        "avatargan dataset build crops training-set",
        "avatargan dataset build crops training-set --tags my-tags.csv --size 64",
        "avatargan dataset build crops training-set --dry-run",
    )
)
def build(
    crops: Annotated[
        Path,
        typer.Argument(
            metavar="CROPS", help="Folder or tar file of crops; a tags.csv in it is taken."
        ),
    ],
    out: OutArgument,
    tags: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", show_default=False, help="Tags that are elsewhere."),
    ] = None,
    untagged: Annotated[
        bool, typer.Option("--untagged", help="Build although there are no tags.")
    ] = False,
    size: Annotated[
        int, typer.Option(metavar="PIXELS", min=16, max=1024, help="Side of the pictures.")
    ] = 128,
    upscale: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="Which crops go through the x4 upscaler first: never, small (those that show "
            "under three quarters of the pixels) or always.",
        ),
    ] = "small",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count and check, and write nothing.")
    ] = False,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a training set of crops and their tags.

    Pictures go into shards, tags into a table, with a split by source and a report of the
    balance. Exact copies and unreadable files are left out and listed.
    """
    if upscale not in UPSCALINGS:
        raise OptionError(
            f"--upscale is {', '.join(UPSCALINGS)}, not '{upscale}'"
            f"{did_you_mean(upscale, UPSCALINGS)}"
        )
    from avatargan.dataset import open_dataset
    from avatargan.dataset.writing import check_set_folder

    check_set_folder(out, overwrite=overwrite)
    data = open_dataset(crops, tags=tags)
    for line in data.notes:
        note(line, quiet=quiet)
    if data.notes and not data.attributes and not untagged:
        raise OptionError(
            f"{crops}: there is no tag in its table; correct the table, or build with --untagged"
        )
    if not data.attributes and not untagged:
        raise OptionError(
            f"{crops} has no tags.csv; make one with 'avatargan tag {crops} --out "
            f"{crops / 'tags.csv'}', or build with --untagged"
        )
    if dry_run:
        _show_counts(data, json)
        return
    from avatargan.dataset.building import Upscaling, build_dataset
    from avatargan.dataset.crops import read_crop_facts

    with progress_counter(len(data), unit="picture", quiet=quiet) as advance:
        summary = build_dataset(
            data,
            out,
            resolution=size,
            upscaling=Upscaling(upscale),
            facts=read_crop_facts(crops),
            overwrite=overwrite,
            advance=advance,
        )
    if json:
        show_json(
            {
                "folder": str(out),
                "pictures": summary.pictures,
                "upscaled": summary.upscaled,
                "copies": summary.copies,
                "left_out": summary.left_out,
            }
        )
        return
    for file, why in list(summary.left_out.items())[:5]:
        note(f"left out {file}: {why}", quiet=quiet)
    if summary.copies:
        note(
            f"{summary.copies:,} pictures show the same as another one, perhaps mirrored; each "
            "shares the split of its copies",
            quiet=quiet,
        )
    show(
        f"{out}  {summary.pictures:,} pictures of {size} px, {summary.upscaled:,} upscaled, "
        f"{len(summary.left_out):,} left out; see {out / 'report.html'}"
    )


@app.command(
    epilog=examples(
        "avatargan dataset inspect training-set",
        "avatargan dataset inspect training-set --by hair --out hair.png",
        "avatargan dataset inspect faces.tar --split test --json",
    )
)
def inspect(
    data: Annotated[
        Path, typer.Argument(metavar="SET", help="A built set, or a folder or tar with tags.csv.")
    ],
    by: Annotated[
        str | None,
        typer.Option(
            metavar="ATTRIBUTE", show_default=False, help="The attribute; all of them by default."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE.png", help="With several attributes, one file for each.")
    ] = Path("inspect.png"),
    split: Annotated[
        str | None,
        typer.Option(metavar="SPLIT", show_default=False, help="train or test; both by default."),
    ] = None,
    columns: Annotated[
        int, typer.Option(metavar="COUNT", min=1, max=60, help="Pictures of each choice.")
    ] = 10,
    cell: Annotated[
        int, typer.Option(metavar="PIXELS", min=32, max=512, help="Side of each picture.")
    ] = 96,
    seed: Annotated[int, typer.Option(min=0, help="Which pictures are drawn.")] = 0,
    dark: Annotated[bool, typer.Option("--dark", help="On a dark background.")] = False,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
) -> None:
    """Show any set as contact sheets by attribute, and count its choices."""
    from avatargan.dataset import TEST, TRAIN, open_dataset
    from avatargan.dataset.inspection import sheet_by_attribute, sheet_of_all
    from avatargan.files import write_atomically
    from avatargan.grids import DARK, LIGHT
    from avatargan.recipe import encode_png

    if split not in (None, TRAIN, TEST):
        raise OptionError(f"--split is train or test, not '{split}'")
    dataset = open_dataset(data)
    for line in dataset.notes:
        note(line, quiet=json)
    if split is not None:
        dataset = dataset.split(split)
        if not len(dataset):
            raise OptionError(f"{data} has no pictures in the split {split}")
    names = [by] if by is not None else list(dataset.attributes)
    files = (
        {name: out.with_stem(f"{out.stem}-{name}") for name in names}
        if len(names) > 1
        else dict.fromkeys(names, out)
    )
    check_output_file(out, ".png", overwrite=True)
    refuse_existing(files.values() or [out], overwrite=overwrite)
    theme = DARK if dark else LIGHT
    for name, file in files.items():
        sheet = sheet_by_attribute(
            dataset, name, columns=columns, cell=cell, seed=seed, theme=theme
        )
        write_atomically(file, encode_png(sheet), overwrite=overwrite)
    if not files:
        sheet = sheet_of_all(dataset, count=columns * 6, cell=cell, seed=seed, theme=theme)
        write_atomically(out, encode_png(sheet), overwrite=overwrite)
    _show_counts(dataset, json)
    if not json:
        for file in files.values() or [out]:
            show(str(file))


@app.command(
    cls=AttributeCommand,
    epilog=examples(
        "avatargan dataset synth 2000 drawn-set --size 64",
        "avatargan dataset synth 300 pink-set --hair pink",
        "avatargan dataset synth 100 pictures --pictures",
    ),
)
def synth(
    context: typer.Context,
    count: Annotated[int, typer.Argument(metavar="N", min=1, max=LARGEST_COUNT, help="How many.")],
    out: OutArgument,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", min=16, max=512, show_default="the generator's", help="Their side."
        ),
    ] = None,
    psi: Annotated[
        float,
        typer.Option(metavar="NUMBER", min=0, max=2, help="1 draws all that the generator knows."),
    ] = 1.0,
    seed: Annotated[int, typer.Option(metavar="SEED", min=0, help="The first seed.")] = 0,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="PNG files and a tags.csv instead of a built set.")
    ] = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Draw a labelled set with a generator: a stand-in for pictures of your own."""
    consecutive_seeds(seed, count)
    from avatargan.dataset.writing import check_set_folder

    if not pictures:
        check_set_folder(out, overwrite=overwrite)
    pipeline = load_pipeline(weights, upscaler, device, engine)
    from avatargan.dataset.synthesis import draw_dataset, draw_pictures

    options: dict[str, Any] = {"psi": psi, "first_seed": seed, **chosen(context)}
    with progress_counter(count, unit="picture", quiet=quiet) as advance:
        if pictures:
            draw_pictures(pipeline, count, out, size=size, advance=advance, **options)
        else:
            draw_dataset(
                pipeline,
                count,
                out,
                resolution=size,
                overwrite=overwrite,
                advance=advance,
                **options,
            )
    if not quiet:
        show(f"{out}  {count:,} pictures of {size or pipeline.default_size} px")


def _show_counts(dataset: "Dataset", json: bool) -> None:
    """Print how many pictures each choice has."""
    from avatargan.dataset.inspection import balance

    counts = balance(dataset)
    splits = Counter(dataset.splits.tolist())
    if json:
        show_json({"pictures": len(dataset), "splits": splits, "attributes": counts})
        return
    show(f"{dataset.path}  {len(dataset):,} pictures ({_listed(splits)})")
    for attribute, found in counts.items():
        total = Counter[str]()
        for split in found.values():
            total.update(split)
        show(f"{attribute:<12} {_listed({name: n for name, n in total.items() if n})}")


def _listed(counts: "Counter[str] | dict[str, int]") -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
