"""``avatargan edit``: a picture of one's own becomes a character."""

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
from avatargan.cli.output import note, progress_counter, refuse_existing, show, show_json
from avatargan.errors import OptionError

EXAMPLES = examples(
    "avatargan edit drawing.png --out mine",
    "avatargan edit group.jpg --face 2 --steps 120 --out second",
    "avatargan generate --from-recipe mine/avatar.png --hair green --slide hair-length=1 --out new",
)
AVATAR = "avatar.png"
SIDE_BY_SIDE = "side-by-side.png"


def edit(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", help="A drawn face, or a picture with one in it.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the results go.")] = Path(
        "edited"
    ),
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="How often the character is refined; 0 is quick and rough, 500 most."
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Side of the avatar, the largest by default."),
    ] = None,
    face: Annotated[
        int, typer.Option(metavar="N", help="Which of several faces; 1 is the surest.")
    ] = 1,
    whole: Annotated[
        bool, typer.Option("--whole", help="Take the middle of the picture; look for no face.")
    ] = False,
    overwrite: OverwriteOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Find the character that comes nearest to a picture.

    Writes avatar.png, whose recipe can be recoloured, varied, moved along sliders and mixed, and
    side-by-side.png. The score says how far the two are apart, as a share of how far random avatars
    are from the picture: "close", "a relative", or "not this generator's kind of face".
    """
    from avatargan.editing.fitting import STEPS
    from avatargan.editing.pictures import edit_picture
    from avatargan.files import write_atomically
    from avatargan.pictures import open_picture
    from avatargan.recipe import encode_png

    if out.exists() and not out.is_dir():
        raise OptionError(f"{out} is a file; --out names a folder")
    files = [out / AVATAR, out / SIDE_BY_SIDE]
    refuse_existing(files, overwrite=overwrite)
    image = open_picture(picture)
    pipeline = load_pipeline(weights, upscaler, device, engine)
    count = STEPS if steps is None else steps
    with progress_counter(count, unit="step", quiet=quiet) as advance:
        result = edit_picture(
            pipeline,
            image,
            steps=count,
            size=size,
            face=face,
            whole=whole,
            progress=lambda done, total, drawn: advance(1),
        )
    write_atomically(files[0], result.avatar.to_png(), overwrite=overwrite)
    write_atomically(files[1], encode_png(result.side_by_side()), overwrite=overwrite)
    if json:
        recipe = result.avatar.recipe.model_dump(mode="json")
        paths = {"avatar": str(files[0]), "side_by_side": str(files[1])}
        show_json({**paths, **result.as_json(), "recipe": recipe})
        return
    for remark in result.remarks:
        note(f"note: {remark}", quiet=quiet)
    if not quiet:
        show(f"{result.verdict} ({result.share:.0%} of a random avatar's distance)")
        for file in files:
            show(str(file))
