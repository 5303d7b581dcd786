"""The commands that made the weights of this folder's parent; see the package's docstring."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from avatargan.editing.directions import w_space_sha256
from avatargan.editing.training.encoder import train_encoder
from avatargan.editing.training.samples import MEASURED_PALETTES, draw_samples
from avatargan.editing.training.visible import VisibleBasis, visible_basis
from avatargan.networks import Generator
from avatargan.pipeline import AvatarPipeline
from avatargan.weights import write_weights


def main() -> None:
    """Parse the command line and do what it asks."""
    parser = argparse.ArgumentParser(
        prog="python -m avatargan.editing.training", description=__doc__
    )
    parser.add_argument("--weights", type=Path, help="generator; the shipped one by default")
    commands = parser.add_subparsers(required=True, dest="command")
    samples = commands.add_parser("samples", help="draw characters to learn from")
    samples.add_argument("folder", type=Path)
    samples.add_argument("--name", default="a", help="of the shard")
    samples.add_argument("--first-seed", type=int, default=10_000_000)
    samples.add_argument("--count", type=int, default=4000)
    samples.add_argument(
        "--measured", action="store_true", help="in the palettes for measuring too"
    )
    encoder = commands.add_parser("encoder", help="train the encoder")
    encoder.add_argument("folder", type=Path, help="of samples")
    encoder.add_argument("out", type=Path)
    encoder.add_argument("--seconds", type=float, default=1500)
    encoder.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pipeline = AvatarPipeline.load(options.weights, device="cpu")
    generator = pipeline.generator
    assert isinstance(generator, Generator)
    if options.command == "samples":
        for done in draw_samples(
            pipeline,
            options.folder,
            options.name,
            options.first_seed,
            options.count,
            measured=options.measured,
        ):
            if done % 200 == 0:
                print(done, flush=True)  # noqa: T201
    else:
        kept = options.folder / "basis.npz"
        if kept.exists():
            basis = VisibleBasis(**np.load(kept))
        else:
            basis = visible_basis(generator)
            np.savez(kept, mean=basis.mean, basis=basis.basis, shown=basis.shown)
        print("shown:", [round(float(x), 3) for x in basis.shown[:24]], flush=True)  # noqa: T201
        palettes = {
            index: (
                generator.attributes.index("hair", palette["hair"]),
                generator.attributes.index("eyes", palette["eyes"]),
            )
            for index, palette in enumerate(MEASURED_PALETTES, start=1)
        }
        for network, figures in train_encoder(
            generator,
            options.folder,
            basis,
            palettes,
            seconds=options.seconds,
            seed=options.seed,
        ):
            print(json.dumps({k: round(v, 4) for k, v in figures.items()}), flush=True)  # noqa: T201
            write_weights(
                options.out,
                network.state_dict(),
                network.metadata(w_space_sha256(generator)),
            )


if __name__ == "__main__":
    main()
