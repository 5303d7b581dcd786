"""Labelled sets drawn by a generator: a stand-in for pictures of one's own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from avatargan.attributes import ANY
from avatargan.dataset.dataset import fit_square, split_of
from avatargan.dataset.opening import ATTRIBUTES_FILE
from avatargan.dataset.report import write_report
from avatargan.dataset.tags import FILE, SPLIT, TAGS_FILE, with_unknown
from avatargan.dataset.writing import new_set
from avatargan.errors import OutputError
from avatargan.files import atomic_folder
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import Recipe
from avatargan.tables import write_table

Advance = Callable[[int], None]


def draw_dataset(
    pipeline: AvatarPipeline,
    count: int,
    out: Path,
    *,
    resolution: int | None = None,
    psi: float = 1.0,
    first_seed: int = 0,
    overwrite: bool = False,
    advance: Advance | None = None,
    **attributes: Any,
) -> None:
    """Draw a built set whose tags are what was asked for.

    Args:
        pipeline: what draws.
        count: how many pictures.
        out: the folder of the set.
        resolution: side of the pictures; the generator's own by default.
        psi: 1 draws all that the generator knows.
        first_seed: the pictures are those of the seeds from here on.
        overwrite: whether a set that is there is replaced.
        advance: called with the number of pictures that were just drawn.
        attributes: as for ``AvatarPipeline.generate``; by default all are drawn from the seed.

    Raises:
        OptionError: a value is out of range.
        OutputError: the set cannot be written.
    """
    size = resolution or pipeline.default_size
    drawn_size = next((known for known in pipeline.sizes if known >= size), pipeline.sizes[-1])
    recipes = _recipes(pipeline, first_seed, count, psi, drawn_size, attributes)
    with new_set(out, pipeline.attributes, size, overwrite=overwrite) as writer:
        for avatar in pipeline.draw(recipes):
            pixels = fit_square(np.asarray(avatar.image), size)
            name = f"{avatar.recipe.seed}.png"
            writer.add(name, pixels, name, avatar.recipe.attributes)
            if advance is not None:
                advance(1)
        writer.finish(drawn_by=pipeline.weights_sha256, psi=psi)
        write_report(writer.folder, {})


def draw_pictures(
    pipeline: AvatarPipeline,
    count: int,
    out: Path,
    *,
    size: int | None = None,
    psi: float = 1.0,
    first_seed: int = 0,
    advance: Advance | None = None,
    **attributes: Any,
) -> None:
    """Draw PNG files with a ``tags.csv``: what ``avatargan tag`` and ``crop`` make of pictures.

    Arguments and errors as above.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists already; choose another folder")
    recipes = _recipes(pipeline, first_seed, count, psi, size, attributes)
    names = list(pipeline.attributes)
    rows = []
    with atomic_folder(out) as folder:
        for avatar in pipeline.draw(recipes):
            file = f"{avatar.recipe.seed}.png"
            avatar.save(folder / file)
            rows.append([file, split_of(file), *(avatar.recipe.attributes[a] for a in names)])
            if advance is not None:
                advance(1)
        (folder / TAGS_FILE).write_text(write_table([FILE, SPLIT, *names], rows), encoding="utf-8")
        (folder / ATTRIBUTES_FILE).write_text(with_unknown(pipeline.attributes).to_json())


def _recipes(
    pipeline: AvatarPipeline,
    first_seed: int,
    count: int,
    psi: float,
    size: int | None,
    attributes: Mapping[str, Any],
) -> list[Recipe]:
    wanted = dict.fromkeys(pipeline.attributes, ANY) | dict(attributes)
    return pipeline.recipes(range(first_seed, first_seed + count), psi=psi, size=size, **wanted)
