"""``avatargan evaluate``: how good a generator is, in figures that say what they were made from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avatargan.cli.options import (
    DeviceOption,
    EngineOption,
    JsonOption,
    OverwriteOption,
    QuietOption,
    examples,
    load_pipeline,
)
from avatargan.cli.output import note, progress, refuse_existing, show, show_json
from avatargan.errors import OptionError
from avatargan.files import check_writable

if TYPE_CHECKING:
    from avatargan.evaluation import Evaluation, Findings

EXAMPLES = examples(
    "avatargan evaluate runs/mine --data faces",
    "avatargan evaluate mine.safetensors --data faces.tar --samples 2000 --out figures",
    "avatargan evaluate --data faces --metrics accuracy,leakage --set style=tv --json",
    "avatargan evaluate runs/mine --data faces --inception inception.pt --metrics fid,kid",
    "avatargan evaluate runs/mine --data faces --dry-run",
)
#: What a training run calls the weights to use.
RUN_WEIGHTS = "generator.safetensors"
RESULTS_FILE = "results.json"
PAGE_FILE = "index.html"


def evaluate(
    data: Annotated[
        Path,
        typer.Option(
            metavar="DATASET",
            help="Tagged pictures: a built set, a folder with tags.csv, or a tar of one.",
        ),
    ],
    run_or_weights: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN_OR_WEIGHTS",
            show_default=False,
            help="The folder of a training run, or weights (.safetensors); the shipped ones by "
            "default.",
        ),
    ] = None,
    tags: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Tags that are not beside the pictures."),
    ] = None,
    split: Annotated[
        str,
        typer.Option(metavar="SPLIT", help="Real pictures to compare with: test, train or all."),
    ] = "test",
    samples: Annotated[
        int, typer.Option(metavar="N", help="Pictures of the generator, at least 100.")
    ] = 5000,
    seed: Annotated[int, typer.Option(metavar="INTEGER", min=0, help="Of everything random.")] = 0,
    psi: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            help="Truncation, 0 to 2; 1 is none, and what figures are given at.",
        ),
    ] = 1.0,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="fid, kid, precision-recall, accuracy, leakage, identity, path-length, "
            "memorisation; all by default.",
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=CHOICE",
            help="Give all samples a choice, such as style=tv; may be repeated.",
        ),
    ] = None,
    resolution: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Side at which samples and real pictures are compared; the smaller of both by "
            "default.",
        ),
    ] = None,
    tagger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights of the tagger that judges attributes and gives features; the shipped "
            "ones by default.",
        ),
    ] = None,
    inception: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="FID's Inception network as TorchScript, for FID and KID as published. Loading "
            "it runs the program in it: take only a file that you trust.",
        ),
    ] = None,
    lpips: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="LPIPS as TorchScript, for identity drift and path length; trust as above.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where results.json and index.html go.")
    ] = Path("evaluation"),
    overwrite: OverwriteOption = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show how much there is to do; measure and write nothing."),
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Measure a generator against real pictures.

    Distances of distributions (FID, KID, precision and recall), attribute accuracy, leakage
    between attributes, identity drift, path length, memorisation. Each figure says what it was
    measured by, on how many pictures, and with which seed.
    """
    files = [out / RESULTS_FILE, out / PAGE_FILE]
    if not dry_run:
        refuse_existing(files, overwrite=overwrite)
    wanted = None if metrics is None else tuple(name.strip() for name in metrics.split(","))
    fixed = _fixed(set_ or [])
    weights = _weights(run_or_weights)

    from avatargan.evaluation.metrics import check_metrics, counts_for

    counts_for(samples)
    if wanted is not None:
        check_metrics(wanted)

    import functools

    from avatargan.dataset import open_dataset
    from avatargan.devices import choose_device
    from avatargan.evaluation import (
        Evaluation,
        EvaluationOptions,
        evaluation_page,
        load_inception,
        load_lpips,
        run_evaluation,
    )
    from avatargan.tagging import load_judge, load_tagger

    dataset = open_dataset(data, tags=tags)
    for line in dataset.notes:
        note(line, quiet=quiet)
    network_device = choose_device(device)
    evaluation = Evaluation(
        load_pipeline(weights, None, device, engine),
        weights if run_or_weights is not None else weights.name,
        dataset,
        load_tagger(tagger) if tagger is not None else load_judge(),
        EvaluationOptions(
            samples=samples,
            seed=seed,
            psi=psi,
            split=split,
            metrics=wanted,
            fixed=fixed,
            resolution=resolution,
        ),
        inception=None if inception is None else load_inception(inception, network_device),
        lpips=None if lpips is None else load_lpips(lpips, network_device),
    )
    if dry_run:
        _report_dry_run(evaluation, out, as_json=json)
        return
    check_writable(out)
    findings, gallery = run_evaluation(evaluation, functools.partial(progress, quiet=quiet))
    _write(findings, files, evaluation_page(findings, gallery).html(), overwrite=overwrite)
    if json:
        show_json(findings.document() | {"files": [str(file) for file in files]})
    elif not quiet:
        _report(findings, files[1])


def _weights(run_or_weights: Path | None) -> Path:
    """Return the weights that a run, a file or nothing names.

    Raises:
        OptionError: the folder holds no weights.
    """
    if run_or_weights is None:
        from avatargan.weights_header import SHIPPED_GENERATOR, shipped_weights

        return shipped_weights(SHIPPED_GENERATOR)
    if not run_or_weights.is_dir():
        return run_or_weights
    weights = run_or_weights / RUN_WEIGHTS
    if not weights.exists():
        raise OptionError(
            f"{run_or_weights}: there is no {RUN_WEIGHTS} in this folder; give the folder of a "
            "training run, or a weights file"
        )
    return weights


def _fixed(texts: list[str]) -> dict[str, str]:
    """Return the choices that ``--set`` names.

    Raises:
        OptionError: one is not NAME=CHOICE, or an attribute is named twice.
    """
    fixed: dict[str, str] = {}
    for text in texts:
        name, equals, choice = (part.strip() for part in text.partition("="))
        if not (name and equals and choice):
            raise OptionError(f"--set takes NAME=CHOICE, such as style=tv, not '{text}'")
        if name in fixed:
            raise OptionError(f"--set names {name} twice")
        fixed[name] = choice
    return fixed


def _write(findings: "Findings", files: list[Path], page: str, *, overwrite: bool) -> None:
    import json

    from avatargan.files import write_atomically

    results, index = files
    text = json.dumps(findings.document(), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(results, text + "\n", overwrite=overwrite)
    write_atomically(index, page, overwrite=overwrite)


def _report(findings: "Findings", page: Path) -> None:
    from avatargan.evaluation.summary import summary_rows

    rows = summary_rows(findings)
    widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        show("  ".join(cells).rstrip())
    for text in findings.notes:
        note(text)
    show(f"{page}")


def _report_dry_run(evaluation: "Evaluation", out: Path, *, as_json: bool) -> None:
    from avatargan.evaluation import estimate_work

    work = estimate_work(evaluation)
    subject = evaluation.subject
    if as_json:
        show_json(
            {
                "dry_run": True,
                "out": str(out),
                "weights": subject.weights,
                "dataset": subject.dataset,
                "split": subject.split,
                "metrics": list(evaluation.metrics),
                "samples": subject.samples,
                "resolution": subject.resolution,
                "real_pictures": len(evaluation.real),
                "drawn": work.drawn,
                "looks": dict(work.looks),
                "seconds": round(work.seconds),
                "notes": evaluation.notes,
            }
        )
        return
    show(f"{', '.join(evaluation.metrics)}")
    show(
        f"{work.drawn:,} pictures to draw ({subject.samples:,} samples), compared with "
        f"{len(evaluation.real):,} real ones at {subject.resolution} px"
    )
    for name, count in work.looks.items():
        show(f"{count:,} looks by {name}")
    show(f"about {_in_words(work.seconds)} on this machine, less where features are in the cache")
    for text in evaluation.notes:
        note(text)
    note("nothing was written: this was a dry run")


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"
