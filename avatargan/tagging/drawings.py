"""Drawings of the generator to learn from: exact tags, and some with glasses on.

    python -m avatargan.tagging.drawings drawn --count 2100

Each character is drawn three times: as it is, with other hair, and with other eyes. The generator
recolours with the face held, so what changes with the eye colour inside the face is where the eyes
are, and glasses can be drawn on them: of these, pictures of faces that are tagged by eye have too
few.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from tqdm import tqdm

from avatargan.dataset.tags import FILE, SOURCE, TAGS_FILE
from avatargan.files import write_atomically
from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import Recipe, encode_png
from avatargan.tables import write_table

Pixels = NDArray[np.uint8]

#: Attributes of which each character gets another choice, beside itself.
RECOLOURED = ("hair", "eyes")
DRAWINGS = 1 + len(RECOLOURED)
SIZE = 128
#: Faces as varied as this: 1 draws all that the generator knows.
PSI = 0.9
#: A pixel belongs to the eyes where its largest change of a channel is above this (of 255).
LEAST_CHANGE = 22.0
#: Part of the drawings that get glasses, where the eyes are found.
WITH_GLASSES = 0.4
FRAMES = (
    (20, 20, 30),
    (60, 30, 20),
    (150, 30, 40),
    (40, 50, 120),
    (90, 90, 100),
    (200, 80, 120),
    (120, 80, 40),
)
#: Glasses are drawn this much larger and averaged down.
SUPERSAMPLING = 4
#: Characters that are drawn together.
_CHUNK = 32


@dataclass(frozen=True)
class Drawing:
    """A picture and its tags.

    Attributes:
        source: the character.
        picture: ``[128, 128, 3]``.
        tags: what it was asked to be, and whether glasses were drawn on.
    """

    source: str
    picture: Pixels
    tags: dict[str, str]


def draw(pipeline: AvatarPipeline, count: int, first_seed: int = 0) -> Iterator[Drawing]:
    """Draw characters of all styles.

    Args:
        pipeline: what draws; its weights have the attributes hair and eyes.
        count: how many characters; three drawings of each.
        first_seed: their seeds are those from here on.
    """
    seeds = iter(range(first_seed, first_seed + count))
    while chunk := list(islice(seeds, _CHUNK)):
        recipes = [recipe for seed in chunk for recipe in _recipes(pipeline, seed)]
        drawn = [np.asarray(avatar.image) for avatar in pipeline.draw(recipes)]
        for place in range(0, len(recipes), DRAWINGS):
            pictures = np.stack(drawn[place : place + DRAWINGS])
            centres = eye_centres(pictures)
            for number, picture in enumerate(pictures):
                recipe = recipes[place + number]
                random = np.random.default_rng([chunk[place // DRAWINGS], number, 11])
                worn = centres is not None and random.random() < WITH_GLASSES
                shown = with_glasses(picture, centres, random) if worn and centres else picture
                tags = {name: recipe.attributes[name] for name in RECOLOURED}
                source = str(chunk[place // DRAWINGS])
                yield Drawing(source, shown, {**tags, "glasses": "yes" if worn else "no"})


Centres = tuple[tuple[float, float], tuple[float, float]]


def eye_centres(pictures: Pixels) -> Centres | None:
    """Return the middles of the eyes, left and right, of a character's three drawings.

    None where they are not where eyes are: with hair over them, or of a face in profile.
    """
    hair, eyes = (
        ndimage.uniform_filter(change.astype(np.float32), 3)
        for change in np.abs(pictures[1:].astype(np.int16) - pictures[0]).max(-1)
    )
    found = (eyes > LEAST_CHANGE) & (eyes > hair)
    found[:40], found[88:], found[:, :20], found[:, 108:] = False, False, False, False
    rows, columns = np.nonzero(found)
    if len(rows) < 60:
        return None
    left = columns < np.median(columns)
    if not 0 < left.sum() < len(left):
        return None
    (x0, y0), (x1, y1) = (
        (float(np.median(columns[side])), float(np.median(rows[side]))) for side in (left, ~left)
    )
    if not 20 < x1 - x0 < 56 or abs(y1 - y0) > 12:
        return None
    return (x0, y0), (x1, y1)


def with_glasses(picture: Pixels, centres: Centres, random: np.random.Generator) -> Pixels:
    """Return a picture with glasses of one of four shapes on."""
    zoom = SUPERSAMPLING
    image = Image.fromarray(picture).resize((SIZE * zoom, SIZE * zoom), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    colour, width = FRAMES[random.integers(len(FRAMES))], int(random.integers(4, 13))
    radius = (centres[1][0] - centres[0][0]) * random.uniform(0.34, 0.46) * zoom
    aspect, lower, shape = random.uniform(0.6, 1), random.uniform(-2, 5), random.integers(4)
    left, right = ((x * zoom, (y + lower) * zoom) for x, y in centres)
    for x, y in (left, right):
        box = (x - radius, y - radius * aspect, x + radius, y + radius * aspect)
        if shape == 0:
            pen.ellipse(box, outline=colour, width=width)
        elif shape == 1:
            pen.rounded_rectangle(box, radius * 0.35, outline=colour, width=width)
        elif shape == 2:
            pen.rectangle(box, outline=colour, width=width)
        else:  # half-rimmed
            pen.arc(box, -10, 190, fill=colour, width=width)
    if left[0] + radius < right[0] - radius:
        pen.line((left[0] + radius, left[1], right[0] - radius, right[1]), colour, width)
    pen.line((left[0] - radius, left[1], left[0] - radius - 30, left[1] - 8), colour, width)
    pen.line((right[0] + radius, right[1], right[0] + radius + 30, right[1] - 8), colour, width)
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX))


def _recipes(pipeline: AvatarPipeline, seed: int) -> list[Recipe]:
    random = np.random.default_rng([seed, 7])
    taxonomy = pipeline.attributes
    first = {name: str(random.choice(taxonomy.offered(name))) for name in taxonomy}
    wanted = [first]
    for name in RECOLOURED:
        others = [choice for choice in taxonomy.offered(name) if choice != first[name]]
        wanted.append({**first, name: str(random.choice(others))})
    return [pipeline.recipes([seed], size=SIZE, psi=PSI, **each)[0] for each in wanted]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a set: a folder of pictures with ``tags.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="the folder of the set")
    parser.add_argument("--count", type=int, default=2100, help="characters (default: %(default)s)")
    parser.add_argument("--first-seed", type=int, default=500_000)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    pipeline = AvatarPipeline.load(device="cpu")
    columns = (FILE, SOURCE, *RECOLOURED, "glasses")
    rows = []
    drawings = draw(pipeline, given.count, given.first_seed)
    for number, each in enumerate(tqdm(drawings, total=DRAWINGS * given.count, unit="picture")):
        file = f"{number:06d}.png"
        write_atomically(given.out / file, encode_png(Image.fromarray(each.picture)))
        rows.append((file, each.source, *(each.tags[name] for name in columns[2:])))
    write_atomically(given.out / TAGS_FILE, write_table(columns, rows))


if __name__ == "__main__":
    main()
