"""``avatargan train-sketch``: the drawing board's networks for any generator."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avatargan.cli.options import (
    DeviceOption,
    EngineOption,
    JsonOption,
    OverwriteOption,
    QuietOption,
    WeightsOption,
    examples,
)
from avatargan.cli.output import note, refuse_existing, show, show_json
from avatargan.errors import OptionError, OutputError

if TYPE_CHECKING:
    from avatargan.sketching.training import SketchTraining

EXAMPLES = examples(
    "avatargan train-sketch training-set --out networks",
    "avatargan train-sketch faces.tar portraits.tar --weights mine.safetensors --out networks",
    "avatargan train-sketch training-set --out networks --dry-run",
    "avatargan sketch drawing.png --weights mine.safetensors --networks networks",
)
NETWORKS = ("both", "encoder", "painter")
#: Seconds of one core per character, per step of the encoder and of the painter: what two cores
#: of a cloud machine took, to estimate with.
SECONDS = (0.05, 0.02, 0.35)


def train_sketch(
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SET]...",
            help="Pictures whose lines are learnt from, too: built sets, folders or tar files. "
            "Without any the generator's own characters are all.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where everything goes, the networks included.")
    ] = Path("sketch-networks"),
    only: Annotated[
        str, typer.Option(metavar="NETWORK", help="encoder, painter, or both.")
    ] = "both",
    characters: Annotated[
        int, typer.Option(metavar="COUNT", min=20, help="Characters that the generator draws.")
    ] = 4000,
    encoder_steps: Annotated[
        int, typer.Option(metavar="COUNT", min=1, help="Batches of 128 sketches.")
    ] = 4000,
    painter_steps: Annotated[
        int, typer.Option(metavar="COUNT", min=1, help="Batches of 8 pictures.")
    ] = 5000,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES",
            min=0.01,
            show_default=False,
            help="For each network at most; the learning rate falls in time.",
        ),
    ] = None,
    regularizer: Annotated[
        str, typer.Option(metavar="NAME", help="Of the painter's critic: none or dragan.")
    ] = "none",
    seed: Annotated[int, typer.Option(min=0, help="Decides everything random.")] = 0,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT", min=1, show_default="all cores", help="Threads that compute."
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
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
) -> None:
    """Make the two sketch networks for a generator: lines to characters, and lines to pictures.

    The generator draws characters of its own; lines drawn of them, as many hands would, are what
    the networks learn from. Pictures of a set add other hands and faces. Needs no tags.
    """
    from avatargan.weights_header import SHIPPED_SKETCH_ENCODER, SHIPPED_SKETCH_PAINTER

    if only not in NETWORKS:
        raise OptionError(f"--only is one of {', '.join(NETWORKS)}, not {only!r}")
    if resume and dry_run:
        raise OptionError("--resume and --dry-run do not go together")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; --out names a folder")
    files = {"encoder": out / SHIPPED_SKETCH_ENCODER, "painter": out / SHIPPED_SKETCH_PAINTER}
    wanted = [name for name in files if only in ("both", name)]
    if not dry_run:
        refuse_existing([files[name] for name in wanted], overwrite=overwrite)

    import torch

    from avatargan.dataset import TRAIN, open_dataset
    from avatargan.networks import load_generator, load_upscaler
    from avatargan.rendering import create_renderer
    from avatargan.sketching.encoder_training import EncoderOptions
    from avatargan.sketching.painter import PAINTED_SIZE
    from avatargan.sketching.painter_training import PainterOptions
    from avatargan.sketching.training import SketchTraining, SketchTrainingOptions

    if threads is not None:
        torch.set_num_threads(threads)
    options = SketchTrainingOptions(
        characters=characters,
        masked=min(512, characters),
        encoder=EncoderOptions(sketches=min(16000, 4 * characters), steps=encoder_steps, seed=seed),
        painter=PainterOptions(steps=painter_steps, regularizer=regularizer, seed=seed),
        encoder_minutes=minutes,
        painter_minutes=minutes,
    )
    options.check()
    # The test split is left alone, so that it can be measured on.
    sets = [open_dataset(path).split(TRAIN) for path in data or []]
    generator = load_generator(weights)
    if dry_run:
        _show_plan(options.characters, encoder_steps, painter_steps, minutes, wanted, json)
        return
    renderer = create_renderer(generator, load_upscaler(), device, engine)
    others = [pictures.decoded(PAINTED_SIZE) for pictures in sets]
    training = SketchTraining(
        generator,
        renderer,
        out,
        others,
        options,
        progress=lambda name, total: _bar(name, total, quiet),
        report=lambda text: note(text, quiet=quiet),
        resume=resume,
    )
    written = _train(training, wanted)
    if json:
        show_json({"files": [str(path) for path in written]})
    elif not quiet:
        for path in written:
            show(str(path))


def _train(training: "SketchTraining", wanted: list[str]) -> list[Path]:
    drawn = training.draw()
    written = []
    if "encoder" in wanted:
        written.append(training.train_encoder(drawn))
    if "painter" in wanted:
        written.append(training.train_painter(drawn))
    return written


@contextmanager
def _bar(name: str, total: int, quiet: bool) -> Iterator[Callable[[int, str], None]]:
    if quiet:
        yield lambda count, text: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=name, mininterval=1.0) as bar:

        def advance(count: int, text: str) -> None:
            bar.update(count)
            if text:
                bar.set_postfix_str(text, refresh=False)

        yield advance


def _show_plan(
    characters: int,
    encoder_steps: int,
    painter_steps: int,
    minutes: float | None,
    wanted: list[str],
    as_json: bool,
) -> None:
    draw, encode, paint = SECONDS
    needed = {"characters": characters * draw}
    for name, steps, seconds in (
        ("encoder", encoder_steps, encode),
        ("painter", painter_steps, paint),
    ):
        if name in wanted:
            needed[name] = min(steps * seconds, minutes * 60 if minutes else float("inf"))
    if as_json:
        show_json({"estimated_seconds": {name: round(each) for name, each in needed.items()}})
        return
    for name, seconds in needed.items():
        show(f"{name}: about {max(seconds / 60, 0.1):.1f} minutes")
    note("nothing was drawn or trained: this was a dry run")
