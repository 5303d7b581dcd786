"""``avatargan train-tagger``: a tagger from any set of tagged pictures."""

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avatargan.cli.options import JsonOption, OverwriteOption, QuietOption, examples
from avatargan.cli.output import (
    check_output_file,
    note,
    progress,
    progress_counter,
    refuse_existing,
    show,
    show_json,
)
from avatargan.errors import OptionError

if TYPE_CHECKING:
    from avatargan.dataset import Dataset
    from avatargan.tagging.evaluation import AttributeFigures
    from avatargan.tagging.training import TrainingOptions

EXAMPLES = examples(
    "avatargan train-tagger faces.tar --out tagger.safetensors --report report",
    "avatargan train-tagger faces.tar portraits.tar --tags portraits.csv --out tagger.safetensors",
    "avatargan train-tagger training-set --out tagger.safetensors --dry-run",
    "avatargan train-tagger training-set --out tagger.safetensors --resume",
    "avatargan tag crops --tagger tagger.safetensors --out tags.csv",
)


def train_tagger(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="SET...",
            help="Built sets, or folders or tar files with tags.csv; what has no tags is learnt "
            "from once the tagger can tell them.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.safetensors", help="The weights to write.")],
    tags: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.csv",
            show_default=False,
            help="Tags by hand for some pictures of the SET of the same name, which count more "
            "than its own; may be given several times.",
        ),
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="A tagger whose knowledge is begun with; 'none' begins with nothing.",
            show_default="the judge's weights",
        ),
    ] = "",
    steps: Annotated[
        int, typer.Option(metavar="COUNT", min=1, help="Batches of 64 pictures.")
    ] = 9000,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Decides the first weights and the order and changes of pictures."
        ),
    ] = 0,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT", min=1, show_default="all cores", help="Threads that compute."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            show_default=False,
            help="Write a page with the confusion matrix of each attribute, and its picture.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Carry on with a training that was interrupted.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Count, check and estimate the time, and write nothing."),
    ] = False,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a tagger on tagged pictures, on the CPU.

    A picture may lack tags: it is learnt from for the others, and once the tagger is sure of the
    missing ones for these too. A tenth of the training pictures calibrates the probabilities, and
    the test split measures the result.
    """
    check_output_file(out, ".safetensors", overwrite=overwrite or dry_run)
    if resume and dry_run:
        raise OptionError("--resume and --dry-run do not go together")

    import torch

    from avatargan.tagging import load_judge, load_tagger
    from avatargan.tagging.checkpoint import INTERVAL, checkpoint_path, save_checkpoint
    from avatargan.tagging.checkpoint import resume as resume_from
    from avatargan.tagging.evaluation import evaluate
    from avatargan.tagging.material import gather, learnable, mirrored_choices
    from avatargan.tagging.report import report_files, write_report
    from avatargan.tagging.tagger import save_tagger
    from avatargan.tagging.training import TaggerTrainer, TrainingOptions

    if threads is not None:
        torch.set_num_threads(threads)
    sets = _open_sets(data, tags or [], quiet=quiet)
    options = TrainingOptions(steps=steps, seed=seed)
    if dry_run:
        _show_plan(_plan(sets, options), json)
        return
    if report is not None:
        refuse_existing(report_files(list(learnable(sets)), report), overwrite=overwrite)
    begun_with = load_judge() if not start else None if start == "none" else load_tagger(start)
    checkpoint = checkpoint_path(out)
    if checkpoint.exists() and not resume:
        note(f"{checkpoint} of an earlier training will be replaced (--resume carries on with it)")
    with progress_counter(sum(map(len, sets)), unit="picture decoded", quiet=quiet) as advance:
        material = gather(sets, calibration=options.calibration, advance=advance)
    mirrored = mirrored_choices(material.attributes)
    trainer = TaggerTrainer(
        material.train,
        material.attributes,
        options,
        calibration=material.calibration,
        mirrored=mirrored,
        start=begun_with,
        told=lambda count: note(f"the tagger told {count:,} missing tags itself", quiet=quiet),
    )
    if resume:
        resume_from(checkpoint, trainer, material.sha256)
        note(f"carrying on after step {trainer.step}", quiet=quiet)
    clock, first = time.perf_counter(), trainer.step
    for done in progress(trainer.run(), steps - first, unit="step", quiet=quiet):
        if done.step % INTERVAL == 0:
            save_checkpoint(checkpoint, trainer, material.sha256)
    seconds = time.perf_counter() - clock
    network, temperatures = trainer.finish()
    remarks = {
        "trained_on": material.sha256,
        "steps": str(steps),
        "seed": str(seed),
        "begun_with": trainer.start_sha256,
    }
    save_tagger(out, network, trainer.attributes, temperatures, remarks, mirrored=mirrored)
    checkpoint.unlink(missing_ok=True)
    # What is measured is what lies in the file, fp16 and all.
    tagger = load_tagger(out)
    figures: dict[str, AttributeFigures] = {}
    for part in material.parts:
        own = evaluate(tagger, part.data.subset(part.test), part.decoded[part.test])
        # One set needs no name; of several each is measured by itself.
        where = "" if len(sets) == 1 else f" in {part.data.path.name}"
        figures |= {f"{name}{where}": each for name, each in own.items() if each.count or not where}
    files = write_report(report, figures) if report is not None else []
    result = {
        "file": str(out),
        "steps": steps,
        "seconds": round(seconds, 1),
        "temperatures": temperatures,
        "attributes": {name: _facts(own) for name, own in figures.items()},
        "report": [str(path) for path in files],
    }
    if json:
        show_json(result)
    elif not quiet:
        _show_figures(figures)
        for path in (out, *files):
            show(str(path))


def _open_sets(paths: list[Path], tags: list[Path], *, quiet: bool) -> "list[Dataset]":
    """Return the sets, and once more what of them is tagged by hand.

    Raises:
        OptionError: a table of tags belongs to no set.
    """
    from avatargan.dataset import open_dataset

    sets = [open_dataset(path) for path in paths]
    names = {path.name.split(".")[0]: path for path in paths}
    for table in tags:
        if table.stem not in names:
            raise OptionError(
                f"--tags {table}: no SET has its name; rename it after one of {', '.join(names)}"
            )
        sets.append(open_dataset(names[table.stem], tags=table))
    for opened in sets:
        for line in opened.notes:
            note(line, quiet=quiet)
    return sets


def _facts(figures: "AttributeFigures") -> dict[str, Any]:
    measured = figures.count > 0
    return {
        "pictures": figures.count,
        "accuracy": figures.accuracy if measured else None,
        "calibration_error": figures.calibration_error if measured else None,
        "recall": {name: share for name, share in figures.recall.items() if share == share},
        "confusion": figures.confusion.tolist(),
    }


def _show_figures(figures: "dict[str, AttributeFigures]") -> None:
    for name, own in figures.items():
        if not own.count:
            show(f"{name}: no test picture has this tag")
            continue
        show(
            f"{name}: {own.accuracy:.1%} right of {own.count:,} test pictures, "
            f"expected calibration error {own.calibration_error:.4f}"
        )
        shares = [(choice, share) for choice, share in own.recall.items() if share == share]
        show("  " + ", ".join(f"{choice} {share:.1%}" for choice, share in shares))


def _plan(sets: "list[Dataset]", options: "TrainingOptions") -> dict[str, Any]:
    from avatargan.dataset.inspection import balance
    from avatargan.tagging.material import divide, learnable
    from avatargan.tagging.training import seconds_per_step

    attributes = learnable(sets)
    parts = [divide(opened, options.calibration) for opened in sets]
    counts: dict[str, dict[str, Counter[str]]] = {name: {} for name in attributes}
    for opened in sets:
        for name, splits in balance(opened).items():
            for split, found in splits.items() if name in counts else ():
                counts[name].setdefault(split, Counter()).update(found)
    left_out = {name for opened in sets for name in opened.attributes} - set(attributes)
    return {
        "pictures": sum(map(len, sets)),
        "train": sum(len(part.train) for part in parts),
        "calibration": sum(len(part.calibration) for part in parts),
        "test": sum(len(part.test) for part in parts),
        "attributes": counts,
        "left_out": sorted(left_out),
        "steps": options.steps,
        "estimated_seconds": round(options.steps * seconds_per_step(attributes, options)),
    }


def _show_plan(plan: dict[str, Any], json: bool) -> None:
    if json:
        show_json(plan)
        return
    show(
        f"{plan['pictures']:,} pictures: {plan['train']:,} to train on, {plan['calibration']:,} "
        f"to calibrate with, {plan['test']:,} to test on"
    )
    for name, counts in plan["attributes"].items():
        totals = sum(counts.values(), Counter[str]())
        show(f"{name}: {', '.join(f'{choice} {count:,}' for choice, count in totals.items())}")
    for name in plan["left_out"]:
        show(f"{name}: left out, it has one choice only")
    minutes = plan["estimated_seconds"] / 60
    show(f"{plan['steps']:,} steps, about {max(minutes, 0.1):.1f} minutes on this machine")
