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
    from avatargan.tagging.training import TaggerTrainer, TrainingOptions

EXAMPLES = examples(
    "avatargan train-tagger faces.tar --out tagger.safetensors --report report",
    "avatargan train-tagger training-set --out tagger.safetensors --dry-run",
    "avatargan train-tagger training-set --out tagger.safetensors --resume",
    "avatargan tag crops --tagger tagger.safetensors --out tags.csv",
)


def train_tagger(
    data: Annotated[
        Path,
        typer.Argument(metavar="SET", help="A built set, or a folder or tar file with tags.csv."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.safetensors", help="The weights to write.")],
    steps: Annotated[
        int, typer.Option(metavar="COUNT", min=1, help="Batches of 64 pictures.")
    ] = 5500,
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

    A picture may lack tags: it is learnt from for the others. A tenth of the training pictures
    calibrates the probabilities, and the test split measures the result.
    """
    check_output_file(out, ".safetensors", overwrite=overwrite or dry_run)
    if resume and dry_run:
        raise OptionError("--resume and --dry-run do not go together")

    import torch

    from avatargan.dataset import open_dataset
    from avatargan.tagging import load_tagger
    from avatargan.tagging.checkpoint import INTERVAL, checkpoint_path, save_checkpoint
    from avatargan.tagging.checkpoint import resume as resume_from
    from avatargan.tagging.evaluation import evaluate
    from avatargan.tagging.report import report_files, write_report
    from avatargan.tagging.tagger import save_tagger
    from avatargan.tagging.training import TaggerTrainer, TrainingOptions, learnable

    if threads is not None:
        torch.set_num_threads(threads)
    opened = open_dataset(data)
    for line in opened.notes:
        note(line, quiet=quiet)
    options = TrainingOptions(steps=steps, seed=seed)
    if dry_run:
        _show_plan(_plan(opened, options), json)
        return
    if report is not None:
        refuse_existing(report_files(list(learnable(opened)), report), overwrite=overwrite)
    checkpoint = checkpoint_path(out)
    if checkpoint.exists() and not resume:
        note(f"{checkpoint} of an earlier training will be replaced (--resume carries on with it)")
    with progress_counter(len(opened), unit="picture decoded", quiet=quiet) as advance:
        trainer = TaggerTrainer(opened, options, advance=advance)
    if resume:
        resume_from(checkpoint, trainer)
        note(f"carrying on after step {trainer.step}", quiet=quiet)
    start, first = time.perf_counter(), trainer.step
    for done in progress(trainer.run(), steps - first, unit="step", quiet=quiet):
        if done.step % INTERVAL == 0:
            save_checkpoint(checkpoint, trainer)
    seconds = time.perf_counter() - start
    network, temperatures = trainer.finish()
    save_tagger(out, network, trainer.attributes, temperatures, _remarks(trainer))
    checkpoint.unlink(missing_ok=True)
    # What is measured is what lies in the file, fp16 and all.
    test = opened.subset(trainer.parts.test)
    figures = evaluate(load_tagger(out), test, trainer.decoded[trainer.parts.test])
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


def _remarks(trainer: "TaggerTrainer") -> dict[str, str]:
    """Return what the header of the weights says of where they come from."""
    return {
        "trained_on": trainer.data.sha256,
        "steps": str(trainer.options.steps),
        "seed": str(trainer.options.seed),
    }


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


def _plan(opened: "Dataset", options: "TrainingOptions") -> dict[str, Any]:
    from avatargan.dataset.inspection import balance
    from avatargan.tagging.training import divide, learnable, seconds_per_step

    attributes = learnable(opened)
    parts = divide(opened, options)
    return {
        "pictures": len(opened),
        "train": len(parts.train),
        "calibration": len(parts.calibration),
        "test": len(parts.test),
        "attributes": {
            name: counts for name, counts in balance(opened).items() if name in attributes
        },
        "left_out": [name for name in opened.attributes if name not in attributes],
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
        totals = Counter(counts["train"]) + Counter(counts["test"])
        show(f"{name}: {', '.join(f'{choice} {count:,}' for choice, count in totals.items())}")
    for name in plan["left_out"]:
        show(f"{name}: left out, it has one choice only")
    minutes = plan["estimated_seconds"] / 60
    show(f"{plan['steps']:,} steps, about {max(minutes, 0.1):.1f} minutes on this machine")
