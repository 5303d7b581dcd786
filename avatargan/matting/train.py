"""Train the matting network: ``python -m avatargan.matting.train --out matting.safetensors``.

Needs nothing but the package's weights: characters, their alpha and backgrounds come from the
generator. The same options give the same network on the same machine.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from avatargan.errors import AvatarGanError, OptionError
from avatargan.matting.loading import save_network
from avatargan.matting.training import Progress, TrainingOptions, train
from avatargan.networks import load_generator, load_upscaler
from avatargan.rendering import create_renderer

_EXAMPLES = """examples:
  python -m avatargan.matting.train --out matting.safetensors
  python -m avatargan.matting.train --out try.safetensors --seeds 60 --mixed-seeds 30 \\
      --body-steps 100 --refinement-steps 20   # a dry run of minutes
"""


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, train, write the weights; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m avatargan.matting.train",
        description="Train the matting network on composites that the generator makes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="weights file to write")
    parser.add_argument("--weights", type=Path, help="a generator (default: the shipped one)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    for option in dataclasses.fields(TrainingOptions):
        parser.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=type(option.default),
            default=option.default,
            help=f"(default: {option.default})",
        )
    given = parser.parse_args(arguments)
    options = TrainingOptions(
        **{
            option.name: getattr(given, option.name)
            for option in dataclasses.fields(TrainingOptions)
        }
    )
    try:
        if given.threads < 1:
            raise OptionError(f"--threads must be at least 1, got {given.threads}")
        torch.set_num_threads(given.threads)
        generator = load_generator(given.weights)
        renderer = create_renderer(generator, load_upscaler(), "cpu")
        save_network(given.out, train(generator, renderer, options, _progress()))
    except AvatarGanError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _progress() -> Progress:
    """Return tqdm's bars, or silence where tqdm is not installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return lambda steps, _: steps

    def show(steps: Iterable[int], description: str) -> Iterable[int]:
        return tqdm(steps, desc=description, mininterval=1.0)

    return show


if __name__ == "__main__":
    sys.exit(main())
