"""``avatargan sketch``: drawn lines become avatars."""

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
from avatargan.cli.output import note, refuse_existing, show, show_json
from avatargan.errors import OutputError

if TYPE_CHECKING:
    from avatargan.sketching import Sketched

EXAMPLES = examples(
    "avatargan sketch drawing.png --out avatars",
    "avatargan sketch photo-of-paper.jpg --hair pink --eyes blue --count 4",
    "avatargan sketch lines.png --hints colours.png --follow 1 --size 256",
)
#: Between a clean character and exactly the lines, as in the package; without importing torch.
FOLLOW = 0.5
LARGEST_COUNT = 12

NetworksOption = Annotated[
    Path | None,
    typer.Option(
        "--networks",
        metavar="FOLDER",
        show_default=False,
        help="Sketch networks that 'avatargan train-sketch' made; the shipped ones by default.",
    ),
]


def sketch(
    context: typer.Context,
    picture: Annotated[
        Path,
        typer.Argument(
            metavar="SKETCH", help="Dark lines on light ground, or on transparency; any size."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pictures go.")] = Path(
        "out"
    ),
    hints: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Dabs of colour on transparency, over the sketch."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="What the dabs are for: #e6194b hair, #f58230 skin, #0082c8 eyes, #3cb44b ground.",
        ),
    ] = None,
    follow: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            min=0,
            max=1,
            help="0 is a clean character much like the sketch, 1 exactly its lines.",
        ),
    ] = FOLLOW,
    count: Annotated[
        int, typer.Option(metavar="N", min=1, max=LARGEST_COUNT, help="How many proposals.")
    ] = 1,
    size: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Side of the pictures, the largest by default."),
    ] = None,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    networks: NetworksOption = None,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Turn a sketch into avatars.

    Files are called after the sketch, with a number each: the one that follows the lines best is
    the first. Up to --follow 0.15 each carries the recipe that draws it again. Beyond, it is
    painted over the sketch, and its recipe draws the clean character behind it.
    """
    names = [f"{picture.stem}-{number:02d}.png" for number in range(1, count + 1)]
    files = [out / name for name in names]
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; --out names a folder")
    refuse_existing(files, overwrite=overwrite)

    from avatargan.pictures import open_picture
    from avatargan.sketching import Sketcher

    opened = [None if file is None else open_picture(file) for file in (picture, hints, labels)]
    lines, dabs, parts = opened
    assert lines is not None
    sketcher = Sketcher.load(load_pipeline(weights, upscaler, device, engine), networks)
    result = sketcher.sketch(
        lines,
        hints=dabs,
        labels=parts,
        follow=follow,
        count=count,
        size=size,
        attributes=chosen(context),
    )
    for file, avatar in zip(files, result.avatars, strict=True):
        avatar.save(file, overwrite=overwrite)
    _report(result, files, as_json=json, quiet=quiet)


def _report(result: "Sketched", files: list[Path], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        avatars = [
            {
                "file": str(file),
                "follows": round(avatar.follows, 4),
                "painted": avatar.painted,
                "recipe": avatar.recipe.model_dump(mode="json"),
            }
            for file, avatar in zip(files, result.avatars, strict=True)
        ]
        seen = {name: round(share, 3) for name, share in result.seen.items()}
        show_json({"avatars": avatars, "seen": seen, "remark": result.remark})
        return
    if quiet:
        return
    if result.remark:
        note(result.remark)
    likely = sorted(result.seen.items(), key=lambda item: -item[1])
    note("seen: " + ", ".join(f"{name.replace('-', ' ')} {share:.1f}" for name, share in likely))
    for file, avatar in zip(files, result.avatars, strict=True):
        show(f"{file}  follows {avatar.follows:.2f}{', painted' if avatar.painted else ''}")
