"""Grids of samples with fixed seeds and labels, to see a run learn."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from avatargan.attributes import Taxonomy
from avatargan.grids import Axis, xy_grid
from avatargan.latents import seeds_to_z
from avatargan.networks import ConditionalGenerator
from avatargan.networks.conditional import LatentBatch
from avatargan.training.data import TrainingData, positions_of_step
from avatargan.training.randomness import StepRandom

#: Latents at a time of those over which what drawing needs beside the weights is averaged.
STATISTIC_BATCH = 64
_STATISTICS = 12
#: Rows and columns of a grid.
ROWS = 6
MOST_COLUMNS = 12
SMALLEST_CELL, LARGEST_CELL = 64, 256
#: Attributes with fewer choices make rows.
FEW = 5


def statistic_batches(
    data: TrainingData, generator: ConditionalGenerator, seed: int, device: torch.device
) -> Iterator[LatentBatch]:
    """Yield latents and labels as they come in training; the same for the same seed."""
    for number in range(math.ceil(generator.statistic_latents / STATISTIC_BATCH)):
        random = StepRandom((seed, _STATISTICS, number), device=device)
        positions = positions_of_step(number * STATISTIC_BATCH, STATISTIC_BATCH)
        labels = data.fake_labels(positions)
        yield (
            random.normal(STATISTIC_BATCH, generator.z_dim),
            {name: rows.to(device) for name, rows in labels.items()},
        )


@torch.no_grad()
def sample_grid(generator: ConditionalGenerator, psi: float) -> Image.Image:
    """Return a grid of a few characters, each in the choices of the attribute that has the most.

    Args:
        generator: ready to draw.
        psi: truncation.
    """
    attributes = generator.attributes
    choices = _richest(attributes)
    others = [name for name in attributes if name != choices.name]
    few = len(choices.values) < FEW
    # Many choices make columns; of few, rather see more characters.
    seeds = range(MOST_COLUMNS if few else ROWS)
    captions = [_caption(attributes, seed, others) for seed in seeds]
    characters = Axis(", ".join(["seed", *others]), captions)
    order = product(choices.values, seeds) if few else _swapped(product(seeds, choices.values))
    labels, numbers = [], []
    for choice, seed in order:
        labels.append(_labels(attributes, seed, {choices.name: choice}))
        numbers.append(seed)
    device = next(generator.parameters()).device
    z = torch.from_numpy(seeds_to_z(numbers, generator.z_dim)).to(device)
    index = {
        name: torch.tensor([each[name] for each in labels], device=device) for name in attributes
    }
    pictures: list[Image.Image] = []
    for start in range(0, len(z), MOST_COLUMNS):
        part = slice(start, start + MOST_COLUMNS)
        images = generator.draw(z[part], {name: rows[part] for name, rows in index.items()}, psi)
        pictures.extend(map(to_picture, images))
    cell = min(max(generator.resolution, SMALLEST_CELL), LARGEST_CELL)
    axes = ([characters], [choices]) if few else ([choices], [characters])
    return xy_grid(pictures, *axes, cell=cell)


def _swapped(pairs: Iterable[tuple[int, str]]) -> Iterator[tuple[str, int]]:
    return ((second, first) for first, second in pairs)


def to_picture(image: Tensor) -> Image.Image:
    """Return a picture from ``[3, R, R]`` in about [-1, 1]."""
    levels = ((image.float().clamp(-1, 1) + 1) * 127.5 + 0.5).to(torch.uint8)
    return Image.fromarray(np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy()))


def _richest(attributes: Taxonomy) -> Axis:
    """Return the attribute with the most choices, colours before styles."""
    names = [*attributes.palette, *([attributes.identity] if attributes.identity else [])]
    name = max(names, key=lambda each: min(len(attributes.offered(each)), MOST_COLUMNS))
    return Axis(name, attributes.offered(name)[:MOST_COLUMNS])


def _labels(attributes: Taxonomy, row: int, chosen: Mapping[str, str]) -> dict[str, int]:
    """Return the labels of a row: each attribute takes another choice from row to row."""
    labels = {}
    for name in attributes:
        offered = attributes.offered(name)
        choice = chosen.get(name, offered[row % len(offered)])
        labels[name] = attributes.index(name, choice)
    return labels


def _caption(attributes: Taxonomy, row: int, names: Sequence[str]) -> str:
    offered = [attributes.offered(name) for name in names]
    return ", ".join([str(row), *(choices[row % len(choices)] for choices in offered)])
