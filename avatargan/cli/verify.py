"""``avatargan verify``: are these pictures what their recipes say?"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avatargan.cli.options import (
    DeviceOption,
    EngineOption,
    JsonOption,
    QuietOption,
    UpscalerOption,
    WeightsOption,
    examples,
    load_pipeline,
)
from avatargan.cli.output import progress, show, show_json
from avatargan.errors import OptionError, PictureError, RecipeError, one_line
from avatargan.version import __version__

if TYPE_CHECKING:
    from PIL import Image

    from avatargan.pipeline import AvatarPipeline
    from avatargan.recipe import Recipe

EXAMPLES = examples(
    "avatargan verify out/avatar-7.png",
    "avatargan verify out --json",
)

IDENTICAL = "identical"
CLOSE = "close"
DIFFERS = "differs"
NO_RECIPE = "no recipe"
BAD_RECIPE = "bad recipe"
OTHER_WEIGHTS = "other weights"
UNREADABLE = "unreadable"
PAINTED = "painted"
VERIFIED = (IDENTICAL, CLOSE)
UNUSABLE = (NO_RECIPE, BAD_RECIPE, OTHER_WEIGHTS, UNREADABLE, PAINTED)

#: How far apart two devices or engines may draw the same recipe, out of 255.
TOLERANCE = 2
#: So many files are open at a time.
AT_A_TIME = 32


@dataclass(frozen=True)
class Verdict:
    """What became of one file.

    Attributes:
        file: its path.
        verdict: one of the words above.
        difference: the largest difference of a channel of a pixel, out of 255, if it was drawn.
        reason: more about it, for people.
    """

    file: str
    verdict: str
    difference: int | None = None
    reason: str = ""


def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="PNGs made by avatargan, or folders of them."),
    ],
    json: JsonOption = False,
    quiet: QuietOption = False,
    weights: WeightsOption = None,
    upscaler: UpscalerOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Draw each picture again from the recipe inside it, and compare the pixels.

    Identical pictures verify, and so do those within 2/255, which another device or engine may
    draw. Exit code 0: all verify; 1: one differs; 2: one has no recipe, needs other weights or
    cannot be read, or was painted over a sketch, which no recipe tells.
    """
    paths = _find_pictures(files)
    pipeline = load_pipeline(weights, upscaler, device, engine)
    verdicts = []
    for verdict in progress(_judge(paths, pipeline), len(paths), unit="picture", quiet=quiet):
        verdicts.append(verdict)
        if not json and not (quiet and verdict.verdict in VERIFIED):
            show(_format(verdict))
    counts = Counter(verdict.verdict for verdict in verdicts)
    if json:
        show_json({"files": [asdict(verdict) for verdict in verdicts], "summary": dict(counts)})
    elif not quiet and len(verdicts) > 1:
        show(", ".join(f"{number} {verdict}" for verdict, number in counts.most_common()))
    if any(counts[verdict] for verdict in UNUSABLE):
        raise typer.Exit(2)
    if counts[DIFFERS]:
        raise typer.Exit(1)


def _find_pictures(files: Sequence[Path]) -> list[Path]:
    """Return the files, and the PNGs of the folders, each once."""
    paths: dict[Path, None] = {}
    for file in files:
        if not file.is_dir():
            paths[file] = None
            continue
        found = sorted((path for path in file.rglob("*.png") if path.is_file()), key=_by_number)
        if not found:
            raise OptionError(f"{file}: there is no PNG in this folder")
        paths.update(dict.fromkeys(found))
    return list(paths)


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Sort avatar-7 before avatar-10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part[:40]) if part.isdecimal() else 0, part) for part in parts]


def _judge(paths: Sequence[Path], pipeline: "AvatarPipeline") -> Iterator[Verdict]:
    """Yield a verdict for each file, in order."""
    for start in range(0, len(paths), AT_A_TIME):
        opened = [_open(path, pipeline) for path in paths[start : start + AT_A_TIME]]
        drawn = pipeline.draw(each.recipe for each in opened if isinstance(each, _Drawable))
        for each in opened:
            yield _compare(each, next(drawn).image) if isinstance(each, _Drawable) else each


@dataclass(frozen=True)
class _Drawable:
    file: str
    image: "Image.Image"
    recipe: "Recipe"


def _open(path: Path, pipeline: "AvatarPipeline") -> _Drawable | Verdict:
    """Return a picture with a recipe that can be drawn, or why there is none."""
    from avatargan.pictures import open_picture
    from avatargan.recipe import PAINTED_KEYWORD, PNG_KEYWORD, recipe_of

    file = str(path)
    try:
        image = open_picture(path)
    except PictureError as error:
        return Verdict(file, UNREADABLE, reason=str(error).removeprefix(f"{file}: "))
    if PNG_KEYWORD not in image.info:
        return Verdict(file, NO_RECIPE)
    if PAINTED_KEYWORD in image.info:
        reason = "over a sketch that is not kept; its recipe draws the clean character"
        return Verdict(file, PAINTED, reason=reason)
    try:
        recipe = recipe_of(image)
        if not pipeline.has_weights_of(recipe):
            needed = f"needs those with SHA-256 {recipe.weights_sha256}"
            return Verdict(file, OTHER_WEIGHTS, reason=needed)
        pipeline.check_recipe(recipe)
    except RecipeError as error:
        return Verdict(file, BAD_RECIPE, reason=str(error))
    if image.size != (recipe.size, recipe.size):
        sizes = f"{image.width} x {image.height} px, the recipe says {recipe.size}"
        return Verdict(file, DIFFERS, reason=sizes)
    return _Drawable(file, image, recipe)


def _compare(picture: _Drawable, drawn: "Image.Image") -> Verdict:
    import numpy as np

    # Of what is transparent the colour does not count.
    kept, again = (
        np.asarray(each.convert("RGBA").convert("RGBa"), np.int16)
        for each in (picture.image, drawn)
    )
    difference = int(np.abs(kept - again).max())
    if picture.image.has_transparency_data != picture.recipe.transparent:
        background = "no" if picture.recipe.transparent else "a"
        reason = f"it has {background} transparent background, unlike its recipe"
        return Verdict(picture.file, DIFFERS, difference, reason)
    if difference == 0:
        return Verdict(picture.file, IDENTICAL, difference)
    reason = f"up to {difference}/255 apart"
    if difference <= TOLERANCE:
        return Verdict(picture.file, CLOSE, difference, f"{reason}: another device or engine")
    if picture.recipe.version != __version__:
        reason += f"; made by version {picture.recipe.version}, this is {__version__}"
    return Verdict(picture.file, DIFFERS, difference, reason)


def _format(verdict: Verdict) -> str:
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{verdict.verdict:<13}  {one_line(verdict.file + reason)}"
