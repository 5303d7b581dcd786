"""The command line of the cropper: ``python -m face_crop`` or ``avatargan crop``."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from avatargan.errors import MissingExtraError, OptionError, OutputError, did_you_mean

if TYPE_CHECKING:
    from face_crop.options import CropOptions
    from face_crop.runner import CropRun, Engine, Summary

ENGINES = ("local", "ray")
_EXAMPLES = """\b
Examples:
  avatargan crop pictures crops
  avatargan crop pictures crops --size 256 --edge drop --jobs 4
  avatargan crop pictures crops --cascade my-style.xml --second-look off
  avatargan crop pictures crops --dry-run
  avatargan crop preview pictures sheet.png     (look before you crop)"""
_PREVIEW_EXAMPLES = """\b
Examples:
  avatargan crop preview pictures sheet.png
  avatargan crop preview pictures sheets --limit 0      (a folder of sheets, all pictures)
  avatargan crop preview pictures --scale-factor 1.05 --neighbours 3"""


class _CropGroup(TyperGroup):
    """Takes what is not the name of a command for the arguments of "run"."""

    # Contexts are of a private class of typer's, hence Any.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = ["run", *(args or ["--help"])]
        return super().parse_args(ctx, args)


class _RunCommand(TyperCommand):
    """Shows itself as the group: nobody has to type "run"."""

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        if parent is not None:
            info_name, parent = parent.info_name, parent.parent
        return super().make_context(info_name, args, parent, **extra)


app = typer.Typer(
    name="crop",
    cls=_CropGroup,
    help="Cut the faces out of illustrations.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},
)

SourceArgument = Annotated[
    Path, typer.Argument(metavar="SRC", help="Folder of pictures, or of a crawl. Never changed.")
]
CascadeOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Cascade in OpenCV's XML format; the shipped one by default."
    ),
]
ScaleFactorOption = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER", min=1.01, max=2, help="Step between the sizes of faces looked for."
    ),
]
NeighboursOption = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, max=100, help="Windows that have to agree on a face."),
]
MinimumSizeOption = Annotated[
    int | None,
    typer.Option(metavar="PIXELS", min=8, max=10_000, help="Smallest face that is looked for."),
]
RotateOption = Annotated[
    bool | None,
    typer.Option(
        "--rotate/--no-rotate", show_default=False, help="Also look for tilted faces; slower."
    ),
]
SecondLookOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help="Whether a network judges what the cascade found: on, off, or auto, which is on "
        "where its weights are.",
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER", min=0, max=1, help="How sure the second look must be of a face."
    ),
]
SizeOption = Annotated[
    int, typer.Option(metavar="PIXELS", min=16, max=2048, help="Side of the crops.")
]
EdgeOption = Annotated[
    str,
    typer.Option(
        metavar="HOW",
        help="Crops that stick out of their picture: reflect it, pad with white, or drop them.",
    ),
]
MostOutsideOption = Annotated[
    float,
    typer.Option(
        metavar="SHARE", min=0, max=1, help="Drop crops of which more than this sticks out."
    ),
]
SmallestCropOption = Annotated[
    int,
    typer.Option(
        metavar="PIXELS", min=0, help="Reject crops that were smaller than this in the picture."
    ),
]
SharpnessOption = Annotated[
    float,
    typer.Option(metavar="NUMBER", min=0, help="Reject crops less sharp than this; 0 keeps all."),
]
ColourfulnessOption = Annotated[
    float,
    typer.Option(
        metavar="NUMBER", min=0, help="Reject crops less colourful than this; 0 keeps greys."
    ),
]
NearDuplicatesOption = Annotated[
    int,
    typer.Option(
        metavar="BITS",
        min=-1,
        max=64,
        help="Reject crops whose hash differs from an earlier one's in so many of 64 bits or "
        "fewer; -1 keeps them.",
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes; one per core by default."),
]
EngineOption = Annotated[
    str,
    typer.Option(
        metavar="ENGINE", help="Where to work: local, or ray (the machines of a Ray cluster)."
    ),
]
TimeLimitOption = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=1, help="Give up a picture after this long."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout, all else on stderr.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress bar, no summary.")]


@app.command("run", cls=_RunCommand, epilog=_EXAMPLES, hidden=True)
def run_command(
    source: SourceArgument,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Where the crops go: a new or empty folder, or one to carry on."
        ),
    ],
    size: SizeOption = 128,
    edge: EdgeOption = "reflect",
    cascade: CascadeOption = None,
    scale_factor: ScaleFactorOption = None,
    neighbours: NeighboursOption = None,
    minimum_size: MinimumSizeOption = None,
    rotate: RotateOption = None,
    second_look: SecondLookOption = None,
    threshold: ThresholdOption = None,
    smallest_crop: SmallestCropOption = 64,
    most_outside: MostOutsideOption = 0.25,
    sharpness: SharpnessOption = 0.2,
    colourfulness: ColourfulnessOption = 6.0,
    near_duplicates: NearDuplicatesOption = 6,
    jobs: JobsOption = None,
    engine: EngineOption = "local",
    time_limit: TimeLimitOption = 300.0,
    restart: Annotated[
        bool, typer.Option("--restart", help="Remove the crops that are in OUT and start over.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how much there is to do; write nothing.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the anime faces in a folder of pictures and cut them out, hair included.

    Stop it at any moment; the same command carries on. Blurred, grey, tiny and repeated crops are
    rejected, files that are no pictures are put on record, each with its reason. Nothing in SRC
    is moved or changed.
    """
    from avatargan.cli.output import note, progress
    from face_crop.runner import CropRun

    options = _options(
        cascade, scale_factor, neighbours, minimum_size, rotate, second_look, threshold,
        size=size,
        edge=edge,
        near_duplicates=near_duplicates,
        limits={
            "smallest_crop": smallest_crop,
            "most_outside": most_outside,
            "sharpness": sharpness,
            "colourfulness": colourfulness,
        },
    )  # fmt: skip
    _check_engine(engine)
    run = CropRun(source, out, options, restart=restart)
    if dry_run:
        _report_dry_run(run, out, as_json=json)
        return
    todo = len(run.missing)
    done = len(run.sources) - todo
    if done:
        note(f"{done} of {len(run.sources)} pictures are done already", quiet=quiet)
    try:
        steps = run.run(_engine(engine, jobs, time_limit))
        for _ in progress(steps, todo, unit="picture", quiet=quiet):
            pass
    except KeyboardInterrupt:
        note("stopped; the same command carries on from here", quiet=quiet)
        raise
    _report(run.summary, todo, out, as_json=json, quiet=quiet)


@app.command("preview", epilog=_PREVIEW_EXAMPLES)
def preview_command(
    source: SourceArgument,
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A .png file for one sheet, or a folder for several."),
    ] = Path("face-preview.png"),
    limit: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Pictures to show, spread over the folder; 0 for all. Without it, a sheet full.",
        ),
    ] = 30,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there already.")
    ] = False,
    cascade: CascadeOption = None,
    scale_factor: ScaleFactorOption = None,
    neighbours: NeighboursOption = None,
    minimum_size: MinimumSizeOption = None,
    rotate: RotateOption = None,
    second_look: SecondLookOption = None,
    threshold: ThresholdOption = None,
    edge: EdgeOption = "reflect",
    smallest_crop: SmallestCropOption = 64,
    most_outside: MostOutsideOption = 0.25,
    sharpness: SharpnessOption = 0.2,
    colourfulness: ColourfulnessOption = 6.0,
    jobs: JobsOption = None,
    engine: EngineOption = "local",
    time_limit: TimeLimitOption = 300.0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Draw what would be cropped over the pictures, on contact sheets.

    Green boxes pass, with their score; amber ones are rejected, with the reason. The thin square
    is what would be cut out.
    """
    from avatargan.cli.output import note, progress, show, show_json
    from face_crop.preview import choose, draw_sheets, sheet_files, write_sheet
    from face_crop.sources import find_sources

    options = _options(
        cascade, scale_factor, neighbours, minimum_size, rotate, second_look, threshold,
        edge=edge,
        limits={
            "smallest_crop": smallest_crop,
            "most_outside": most_outside,
            "sharpness": sharpness,
            "colourfulness": colourfulness,
        },
    )  # fmt: skip
    _check_engine(engine)
    found = find_sources(source)
    chosen = choose(found, limit)
    files = sheet_files(out, len(chosen))
    for file in files:
        if file.exists() and not overwrite:
            raise OutputError(f"{file} exists already; choose another name or add --overwrite")
    if len(chosen) < len(found):
        note(f"{len(chosen)} of {len(found)} pictures; --limit 0 shows all", quiet=quiet)
    sheets: list[dict[str, Any]] = []
    steps = draw_sheets(chosen, options, _engine(engine, jobs, time_limit))
    for sheet in progress(steps, len(chosen), unit="picture", quiet=quiet):
        if sheet is not None:
            file = files[len(sheets)]
            write_sheet(file, sheet)
            sheets.append(
                {
                    "file": str(file),
                    "pictures": sheet.names,
                    "passed": sheet.passed,
                    "rejected": sheet.rejected,
                }
            )
    if json:
        show_json(sheets)
    elif not quiet:
        for each in sheets:
            show(
                f"{each['file']}: {len(each['pictures'])} pictures, {each['passed']} faces pass, "
                f"{each['rejected']} are rejected"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m face_crop`` and return its exit code."""
    from avatargan.cli import run_program

    return run_program(app, "python -m face_crop", arguments)


def _options(
    cascade: Path | None,
    scale_factor: float | None,
    neighbours: int | None,
    minimum_size: int | None,
    rotate: bool | None,
    second_look: str | None,
    threshold: float | None,
    *,
    limits: dict[str, Any],
    **rest: Any,
) -> "CropOptions":
    """Make options of what was given; the defaults of the detector are the detector's."""
    missing = [
        package
        for module, package in (("cv2", "opencv-python-headless"), ("imagehash", "imagehash"))
        if find_spec(module) is None
    ]
    if missing:
        names = " ".join(missing)
        raise MissingExtraError(f"cropping needs {names}; pip install {names} adds what is missing")
    from face_crop.cropping import check_edge
    from face_crop.detector import SECOND_LOOK_CHOICES, DetectorOptions
    from face_crop.options import CropOptions
    from face_crop.quality import QualityLimits

    check_edge(rest["edge"])
    if second_look is not None and second_look not in SECOND_LOOK_CHOICES:
        raise OptionError(
            f"--second-look is one of {', '.join(SECOND_LOOK_CHOICES)}, not '{second_look}'"
            f"{did_you_mean(second_look, SECOND_LOOK_CHOICES)}"
        )
    given = {
        "cascade": cascade,
        "scale_factor": scale_factor,
        "neighbours": neighbours,
        "minimum_size": minimum_size,
        "rotations": None if rotate is None else ((-25.0, 25.0) if rotate else ()),
        "second_look": second_look,
        "threshold": threshold,
    }
    detector: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return CropOptions(detector=DetectorOptions(**detector), limits=QualityLimits(**limits), **rest)


def _check_engine(engine: str) -> None:
    if engine not in ENGINES:
        raise OptionError(
            f"there is no engine '{engine}'{did_you_mean(engine, ENGINES)} "
            f"(engines: {', '.join(ENGINES)})"
        )


def _engine(engine: str, jobs: int | None, time_limit: float) -> "Engine":
    if engine == "ray":
        from avatargan.cli.output import note
        from face_crop.ray_engine import RayEngine

        return RayEngine(jobs, time_limit, tell=note)
    from avatargan.devices import usable_cores
    from face_crop.runner import LocalEngine

    return LocalEngine(jobs or usable_cores(), time_limit)


def _report_dry_run(run: "CropRun", out: Path, *, as_json: bool) -> None:
    from avatargan.cli.output import show, show_json

    pictures, todo = len(run.sources), len(run.missing)
    if as_json:
        show_json(
            {
                "dry_run": True,
                "pictures": pictures,
                "done": pictures - todo,
                "to_do": todo,
                "out": str(out),
                "options": run.options.record(),
            }
        )
        return
    show(f"{pictures} files, {pictures - todo} of them done, {todo} to do; crops go to {out}")


def _report(summary: "Summary", new: int, out: Path, *, as_json: bool, quiet: bool) -> None:
    from avatargan.cli.output import show, show_json

    if as_json:
        show_json({**vars(summary), "new": new, "out": str(out)})
        return
    if quiet:
        return
    show(f"{summary.crops} crops of {summary.pictures} files in {out} ({new} of the files new)")
    for title, counts, file in (
        ("rejected", summary.rejected, "rejected.jsonl"),
        ("in quarantine", summary.quarantined, "quarantine.jsonl"),
    ):
        if counts:
            show(f"{title} ({out / file}):")
        for reason, number in counts.items():
            show(f"  {number:6}  {reason}")
