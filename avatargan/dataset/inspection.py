"""Looking at a set: how many pictures each choice has, and what they look like."""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from avatargan.dataset.dataset import TEST, TRAIN, Dataset, fit_square
from avatargan.errors import AttributeChoiceError, did_you_mean
from avatargan.grids import LIGHT, Axis, Theme, contact_sheet, xy_grid


def count_choices(dataset: Dataset, attribute: str) -> dict[str, dict[str, int]]:
    """Return how many pictures of each split have each choice: split, choice, count."""
    choices = dataset.attributes[attribute]
    counts = {}
    for split in (TRAIN, TEST):
        labels = dataset.labels[attribute][dataset.splits == split]
        found = np.bincount(labels, minlength=len(choices))
        counts[split] = {name: int(count) for name, count in zip(choices, found, strict=True)}
    return counts


def sheet_by_attribute(
    dataset: Dataset,
    attribute: str,
    *,
    columns: int = 10,
    cell: int = 96,
    seed: int = 0,
    theme: Theme = LIGHT,
) -> Image.Image:
    """Return a sheet with a row of pictures for each choice, drawn at random.

    Raises:
        AttributeChoiceError: the set has no such attribute.
        OptionError: the sheet would be too large.
        DatasetError: a picture cannot be read.
    """
    if attribute not in dataset.attributes:
        raise AttributeChoiceError(
            f"{dataset.path} has no attribute '{attribute}'"
            f"{did_you_mean(attribute, dataset.attributes)} "
            f"(attributes: {', '.join(dataset.attributes) or 'none'})"
        )
    labels = dataset.labels[attribute]
    choices = [
        (choice, index)
        for index, choice in enumerate(dataset.attributes[attribute])
        if (labels == index).any()
    ]
    pictures = []
    empty = Image.new("RGB", (cell, cell), theme.background)
    for _, index in choices:
        chosen = sample(np.flatnonzero(labels == index), columns, seed)
        row = [_thumbnail(dataset, place, cell) for place in chosen]
        pictures += row + [empty] * (columns - len(row))
    names = [f"{choice} ({(labels == index).sum():,})" for choice, index in choices]
    # One nameless column per place: the rows alone have headings.
    x = Axis("", [""] * columns)
    return xy_grid(pictures, [x], [Axis(attribute, names)], cell=cell, theme=theme)


def sheet_of_all(
    dataset: Dataset, *, count: int = 60, cell: int = 96, seed: int = 0, theme: Theme = LIGHT
) -> Image.Image:
    """Return a sheet of pictures drawn at random; errors as above."""
    chosen = sample(np.arange(len(dataset)), count, seed)
    pictures = [_thumbnail(dataset, place, cell) for place in chosen]
    return contact_sheet(pictures, cell=cell, theme=theme)


def sample(
    places: "np.ndarray[tuple[int], np.dtype[np.int64]]", count: int, seed: int
) -> list[int]:
    """Return up to ``count`` of the places, the same ones for the same seed, in their order."""
    generator = np.random.Generator(np.random.Philox(seed))
    return sorted(generator.permutation(places)[:count].tolist())


def balance(dataset: Dataset) -> Mapping[str, dict[str, dict[str, int]]]:
    """Return the counts of every attribute."""
    return {attribute: count_choices(dataset, attribute) for attribute in dataset.attributes}


def _thumbnail(dataset: Dataset, index: int, cell: int) -> Image.Image:
    return Image.fromarray(fit_square(dataset.picture(index), cell))
