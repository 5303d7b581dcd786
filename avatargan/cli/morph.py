"""``avatargan morph``: an animation from one character to the next."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from avatargan.cli.attribute_options import chosen_lists
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
from avatargan.errors import OptionError

if TYPE_CHECKING:
    from PIL import Image

    from avatargan.morph import Morph

EXAMPLES = examples(
    "avatargan morph --seeds 3,14,15 --hair pink,blue,white --loop --out morph.webp",
    "avatargan morph out/avatar-7.png 14 out/avatar-9.png --loop --path spline --out morph.gif",
    "avatargan morph 3 14 --seconds 2 --fps 12 --equal-speed --out morph.mp4",
    "avatargan morph 3 14 --seconds 1 --fps 16 --size 128 --transparent --strip --out walk.png",
)


def morph(
    context: typer.Context,
    keyframes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEYFRAME",
            show_default=False,
            help="Two or more characters in order: seeds, and PNG files with recipes inside.",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="The characters as a list of seeds: 3,14,15 or 1-4."),
    ] = None,
    seconds: Annotated[float, typer.Option(metavar="NUMBER", help="How long it plays.")] = 6.0,
    fps: Annotated[
        float, typer.Option(metavar="NUMBER", help="Frames a second, up to 60 (GIF: up to 50).")
    ] = 24.0,
    loop: Annotated[
        bool, typer.Option("--loop", help="Go back to the first character, and play for ever.")
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="The extension decides the format: .webp, .gif, .png or .apng (animated PNG), "
            ".mp4; without one, a folder of PNG frames.",
        ),
    ] = Path("morph.webp"),
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            show_default="the largest",
            help="Side of the frames; 'avatargan info' lists the sizes.",
        ),
    ] = None,
    psi: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            show_default="0.7 for seeds, their own for PNG files",
            help="From typical to wild: 0 is the mean face, 2 the most.",
        ),
    ] = None,
    easing: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            show_default="smooth; linear on splines",
            help="Between two characters: linear, smooth, smoother, or hold (rest at each).",
        ),
    ] = None,
    path: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="straight from character to character, or one spline that passes all of them "
            "without stopping.",
        ),
    ] = "straight",
    equal_speed: Annotated[
        bool,
        typer.Option(
            "--equal-speed", help="Make every step between two frames look equally large."
        ),
    ] = False,
    space: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Interpolate along great circles in z, or linearly in w."
        ),
    ] = "z",
    transparent: Annotated[
        bool, typer.Option("--transparent", help="Cut the background out (not for .mp4).")
    ] = False,
    strip: Annotated[
        bool,
        typer.Option(
            "--strip", help="Write a sprite sheet (.png) and its atlas (.json) for game engines."
        ),
    ] = False,
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
    """Draw an animation that turns one character into the next.

    Several choices of an attribute, such as --hair pink,blue,white, are spread evenly over the
    time, however many characters there are.
    """
    stops = _parse_keyframes(keyframes or [], seeds)
    attributes = chosen_lists(context)
    pipeline = load_pipeline(weights, upscaler, device, engine)
    from avatargan.morph import animate, check_output, plan_morph, write_animation

    plan = plan_morph(
        pipeline,
        stops,
        seconds=seconds,
        fps=fps,
        loop=loop,
        space=space,
        path=path,
        easing=easing,
        equal_speed=equal_speed,
        transparent=transparent,
        size=size,
        psi=psi,
        attributes=attributes,
    )

    def watch(frames: "Iterable[Image.Image]", count: int, what: str) -> "Iterable[Image.Image]":
        unit = "frame" if what == "frames" else f"frame ({what})"
        return progress(frames, count, unit=unit, quiet=quiet)

    clip = animate(pipeline, plan, progress=watch)
    if dry_run:
        files = check_output(clip, out, strip=strip, overwrite=overwrite)
    else:
        files = write_animation(clip, out, strip=strip, overwrite=overwrite)
    _report(plan, files, dry_run=dry_run, as_json=json, quiet=quiet)


def _parse_keyframes(arguments: list[str], seeds: str | None) -> list[int | Path]:
    if arguments and seeds is not None:
        raise OptionError(
            "give the characters either one after the other or by --seeds, not both ways"
        )
    if seeds is not None:
        # Part by part: a character may come back later.
        return [seed for part in seeds.split(",") for seed in parse_seeds(part)]
    if not arguments:
        raise OptionError("a morph needs two characters or more: seeds, or PNG files with recipes")
    return [_parse_keyframe(text) for text in arguments]


def _parse_keyframe(text: str) -> int | Path:
    return parse_seed(text) if text.strip().lstrip("+-").isdigit() else Path(text)


def _report(plan: "Morph", files: list[Path], *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    if as_json:
        document: dict[str, Any] = {
            "files": [str(file) for file in files],
            "frames": plan.frame_count,
            "morph": plan.model_dump(mode="json"),
            "dry_run": dry_run,
        }
        show_json(document)
        return
    if quiet:
        return
    for file in files:
        show(str(file))
    note(_describe(plan))
    if dry_run:
        note("nothing was drawn or written: this was a dry run")


def _describe(plan: "Morph") -> str:
    lines = [
        f"{plan.frame_count} frames of {plan.size} px, {plan.seconds:g} s at {plan.fps:g} frames "
        f"a second, {'a loop' if plan.loop else 'once'}; "
        f"{'equal speed' if plan.equal_speed else plan.easing}, {plan.path} in {plan.space}"
    ]
    for number, recipe in enumerate(plan.keyframes, start=1):
        attributes = ", ".join(
            f"{name} {choice}"
            for name, choice in recipe.attributes.items()
            if name not in plan.schedules
        )
        start = f"seed {recipe.seed}" if recipe.seed is not None else "a character of its own"
        steps = f", {len(recipe.variation)} variations away" if recipe.variation else ""
        steps += f", {len(recipe.steps)} steps away" if recipe.steps else ""
        lines.append(f"{number}. {start}{steps}: {attributes}, psi {recipe.psi:g}")
    for name, choices in plan.schedules.items():
        lines.append(f"{name}: {', '.join(choices)}, spread over the time")
    return "\n".join(lines)
