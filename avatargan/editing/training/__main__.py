"""The commands that made the weights of this folder's parent; see the package's docstring."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from avatargan.editing.directions import w_space_sha256
from avatargan.editing.training.directions import (
    as_slider,
    characters,
    figures_of,
    fit_measures,
    local_walks,
    measure_walk,
    mixtures,
    purified,
    responses,
    write_directions,
)
from avatargan.editing.training.encoder import train_encoder
from avatargan.editing.training.measures import MEASURES, measure
from avatargan.editing.training.samples import MEASURED_PALETTES, draw_samples, read_samples
from avatargan.editing.training.sliders import HELD_BY_OWN_WALKS, SLIDERS
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
    directions = commands.add_parser("directions", help="find and measure the sliders")
    directions.add_argument("folder", type=Path, help="of measured samples")
    directions.add_argument("out", type=Path)
    directions.add_argument("--characters", type=int, default=60, help="that are walked with")
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
    elif options.command == "encoder":
        _train_encoder(generator, options)
    else:
        _find_directions(pipeline, generator, options)


def _basis_of(generator: Generator, folder: Path) -> VisibleBasis:
    """Return the coordinates of w; measuring them takes a minute, so they are kept."""
    kept = folder / "basis.npz"
    if kept.exists():
        return VisibleBasis(**np.load(kept))
    basis = visible_basis(generator)
    np.savez(kept, mean=basis.mean, basis=basis.basis, shown=basis.shown)
    return basis


def _train_encoder(generator: Generator, options: argparse.Namespace) -> None:
    basis = _basis_of(generator, options.folder)
    palettes = {
        index: (
            generator.attributes.index("hair", palette["hair"]),
            generator.attributes.index("eyes", palette["eyes"]),
        )
        for index, palette in enumerate(MEASURED_PALETTES, start=1)
    }
    for network, figures in train_encoder(
        generator, options.folder, basis, palettes, seconds=options.seconds, seed=options.seed
    ):
        print(json.dumps({k: round(v, 4) for k, v in figures.items()}), flush=True)  # noqa: T201
        write_weights(
            options.out, network.state_dict(), network.metadata(w_space_sha256(generator))
        )


def _find_directions(
    pipeline: AvatarPipeline, generator: Generator, options: argparse.Namespace
) -> None:
    basis = _basis_of(generator, options.folder)
    measured, w = [], []
    for pixels, rows, _ in read_samples(options.folder):
        if pixels.shape[1] > len(MEASURED_PALETTES):
            measured += [measure(np.array(one[1:])) for one in pixels]
            w.append(np.array(rows))
    table = np.array(measured)
    known = ~np.isnan(table[:, 0])
    model = fit_measures(basis, np.concatenate(w)[known], table[known])
    print("r2:", dict(zip(MEASURES, model.r2.round(2).tolist(), strict=True)))  # noqa: T201
    columns = [MEASURES.index(plan.measure) for plan in SLIDERS.values()]
    mixed = [plan.measure for plan in SLIDERS.values() if plan.walk == "mixed"]
    mixed_columns = [MEASURES.index(name) for name in mixed]
    first, _ = characters(pipeline, range(20_000, 20_150))
    walks = local_walks(model, first, mixed_columns)
    one = np.eye(len(mixed))
    blocks = generator.blocks_of_w
    candidates = [
        as_slider(walks, np.stack(halves), basis.mean, blocks)
        for halves in [*((row, 0 * row) for row in one), *((0 * row, row) for row in one)]
    ]
    rough = responses(pipeline, model, candidates, first[:16], mixed_columns, 0.8, lambda _: None)
    walkers, _ = characters(pipeline, range(30_000, 30_000 + options.characters))
    weights = purified(pipeline, model, walks, mixtures(rough), walkers, mixed_columns)
    judged, _ = characters(pipeline, range(40_000, 40_000 + options.characters))
    sliders = []
    for (name, plan), column in zip(SLIDERS.items(), columns, strict=True):
        words = {"name": name, "changes": plan.changes, "names": dict(plan.names)}
        extent = {"minimum": -plan.reach, "maximum": plan.reach}
        amounts = [-plan.reach, -plan.reach / 3, plan.reach / 3, plan.reach]
        if plan.walk == "mixed":
            parts, row = walks, weights[mixed.index(plan.measure)].reshape(2, len(walks))
        else:
            held = [column, *(MEASURES.index(each) for each in HELD_BY_OWN_WALKS)]
            parts = local_walks(model, first, held)[:1]
            row = np.array([[1.0], [float(plan.walk == "all")]])
            trial = as_slider(parts, row, basis.mean, blocks)
            walked = measure_walk(pipeline, trial, first[:16], [-1, 1])
            change = np.nanmean(walked[:, 1] - walked[:, 0], axis=0)[column] / 2
            row /= change / model.deviations[column]
        slider = as_slider(parts, row, basis.mean, blocks, **words, **extent)
        walked = measure_walk(pipeline, slider, judged, amounts)
        figures = figures_of(model, walked, amounts, column, columns)
        print(name, json.dumps(figures), flush=True)  # noqa: T201
        sliders.append(replace(slider, effect=figures))
    write_directions(options.out, sliders, w_space_sha256(generator), [pipeline.weights_sha256])


if __name__ == "__main__":
    main()
