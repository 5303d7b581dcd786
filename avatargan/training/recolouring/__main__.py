"""Distil a recolouring generator: ``python -m avatargan.training.recolouring --out FILE``.

The teacher is a generator whose blocks see the palette. Nothing else is needed: it shows which
part of a picture each attribute colours, and how. What each colour looks like is in a palette, a
JSON file with L*a*b* for every choice.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from avatargan.attributes import Taxonomy
from avatargan.errors import AvatarGanError, OptionError
from avatargan.networks import load_upscaler
from avatargan.networks.generator import Generator
from avatargan.networks.loading import load_generator
from avatargan.rendering import create_renderer
from avatargan.training.recolouring.teacher import Teacher
from avatargan.training.recolouring.training import (
    Colours,
    Lessons,
    TrainingOptions,
    learn,
)
from avatargan.weights import write_weights
from avatargan.weights_header import FIRST_GENERATOR, shipped_weights

SHIPPED_PALETTE = Path(__file__).with_name("palette.json")
#: Steps between two lines of progress.
REPORTED = 50

_EXAMPLES = """examples:
  python -m avatargan.training.recolouring --out recoloured.safetensors
  python -m avatargan.training.recolouring --teacher run/generator.safetensors \\
      --palette colours.json --out recoloured.safetensors
  python -m avatargan.training.recolouring --out try.safetensors --characters 12 --steps 100
"""


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, distil, write the weights; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m avatargan.training.recolouring",
        description="Distil a generator whose colours stay where they belong.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="weights file to write")
    parser.add_argument(
        "--teacher",
        type=Path,
        help=f"a generator's weights (default: the shipped {FIRST_GENERATOR})",
    )
    parser.add_argument(
        "--palette",
        type=Path,
        default=SHIPPED_PALETTE,
        help='JSON: {"hair": {"pink": [L, a, b], ...}, ...} (default: of the shipped weights)',
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    for option in dataclasses.fields(TrainingOptions):
        parser.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=type(option.default),
            default=option.default,
            help=f"(default: {option.default})",
        )
    given = parser.parse_args(arguments)
    try:
        _distil(
            given,
            TrainingOptions(
                **{f.name: getattr(given, f.name) for f in dataclasses.fields(TrainingOptions)}
            ),
        )
    except AvatarGanError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _distil(given: argparse.Namespace, options: TrainingOptions) -> None:
    options.check()
    if given.threads < 1:
        raise OptionError(f"--threads must be at least 1, got {given.threads}")
    torch.set_num_threads(given.threads)
    torch.manual_seed(options.seed)
    generator = load_generator(given.teacher or shipped_weights(FIRST_GENERATOR))
    if type(generator) is not Generator:
        raise OptionError(
            f"the teacher must be of the architecture {Generator.architecture}, "
            f"not {generator.architecture}"
        )
    palette = read_palette(given.palette, generator.attributes)
    teacher = Teacher(generator, create_renderer(generator, load_upscaler(), "cpu"))
    student = teacher.student()
    drawn = _shown(teacher.lessons(student, options.characters), options.characters, "drawing")
    lessons = Lessons(drawn, palette, options.strength, options.lines.split(","))
    sums: dict[str, float] = {}
    for step, losses in enumerate(learn(student, lessons, options), start=1):
        sums = {name: sums.get(name, 0) + loss for name, loss in losses.items()}
        if step % REPORTED == 0 or step == options.steps:
            count = (step - 1) % REPORTED + 1
            figures = ", ".join(f"{name} {total / count:.4f}" for name, total in sums.items())
            print(f"step {step} of {options.steps}: {figures}", flush=True)  # noqa: T201
            sums = {}
    write_weights(given.out, student.state_dict(), student.metadata())


def read_palette(path: Path, attributes: Taxonomy) -> dict[str, Colours]:
    """Read the colour of every choice that is offered, in the order of the taxonomy.

    Raises:
        OptionError: the file cannot be read, or a colour is missing or not three numbers.
    """
    try:
        content: Any = json.loads(path.read_text())
        return {
            name: [_colour(content[name][choice]) for choice in attributes.offered(name)]
            for name in attributes.palette
        }
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise OptionError(f"{path}: not a palette: {error}") from error
    except KeyError as error:
        raise OptionError(f"{path}: the palette has no colour for {error}") from None


def _colour(values: Any) -> tuple[float, float, float]:
    lightness, a, b = map(float, values)
    return lightness, a, b


def _shown(lessons: Iterable[Any], count: int, what: str) -> Iterable[Any]:
    """Show progress with tqdm, where it is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return lessons
    return tqdm(lessons, total=count, desc=what, mininterval=1.0)


if __name__ == "__main__":
    sys.exit(main())
