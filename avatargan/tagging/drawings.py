"""Characters of a generator in several colours: exact tags, and where hair and eyes are.

The generator recolours hair and eyes with the face held. So pixels that change with the hair
colour alone are hair, and what changes with the eye colour inside the face is eyes: part masks
for nothing, in every style that it draws.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from avatargan.pipeline import AvatarPipeline
from avatargan.recipe import Recipe

#: Attributes whose parts are found by recolouring, in the order of the masks.
PARTS = ("hair", "eyes")
#: Drawings of each character: as it is, with other hair, with other eyes.
DRAWINGS = 1 + len(PARTS)
#: A pixel belongs to a part where the largest change of its channels is above this (of 255).
LEAST_CHANGE = 22.0
#: Characters that are drawn together.
_CHUNK = 32


@dataclass(frozen=True)
class Character:
    """One character in several colours.

    Attributes:
        pictures: ``[3, S, S, 3]``: as it is, with other hair, with other eyes.
        attributes: what each was asked to be.
        parts: where hair and eyes are, bool ``[2, S, S]``; the same in all three.
    """

    pictures: NDArray[np.uint8]
    attributes: tuple[dict[str, str], ...]
    parts: NDArray[np.bool_]


def draw_characters(
    pipeline: AvatarPipeline,
    count: int,
    *,
    first_seed: int = 0,
    psi: float = 0.9,
    size: int = 128,
    advance: Callable[[int], None] | None = None,
) -> Iterator[Character]:
    """Draw characters of all styles in turn, each with two colours of hair and of eyes.

    Args:
        pipeline: what draws; its weights have the attributes hair and eyes.
        count: how many characters.
        first_seed: the seeds are those from here on.
        psi: how far from the mean; 1 draws all that the generator knows.
        size: side of the pictures.
        advance: called with the number of characters that were just drawn.
    """
    seeds = iter(range(first_seed, first_seed + count))
    while chunk := list(islice(seeds, _CHUNK)):
        recipes = [recipe for seed in chunk for recipe in _recipes(pipeline, seed, psi, size)]
        drawn = [np.asarray(avatar.image) for avatar in pipeline.draw(recipes)]
        for place in range(0, len(recipes), DRAWINGS):
            pictures = np.stack(drawn[place : place + DRAWINGS])
            asked = tuple(dict(r.attributes) for r in recipes[place : place + DRAWINGS])
            yield Character(pictures, asked, part_masks(pictures))
        if advance is not None:
            advance(len(chunk))


def part_masks(pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where hair and eyes are, ``[2, S, S]``, of what :class:`Character` holds."""
    changes = np.abs(pictures[1:].astype(np.int16) - pictures[0]).max(-1)
    # Lines shift a little in any recolouring; averaged over their surroundings they vanish.
    hair, eyes = (ndimage.uniform_filter(change.astype(np.float32), 3) for change in changes)
    side = pictures.shape[1]
    face = np.zeros((side, side), bool)
    face[side // 4 : side * 4 // 5, side // 10 : side * 9 // 10] = True
    is_eyes = face & (eyes > LEAST_CHANGE) & (eyes > hair)
    return np.stack([(hair > LEAST_CHANGE) & ~is_eyes, is_eyes])


def _recipes(pipeline: AvatarPipeline, seed: int, psi: float, size: int) -> list[Recipe]:
    random = np.random.default_rng([seed, 7])
    taxonomy = pipeline.attributes
    first = {name: str(random.choice(taxonomy.offered(name))) for name in taxonomy}
    wanted = [first]
    for part in PARTS:
        others = [choice for choice in taxonomy.offered(part) if choice != first[part]]
        wanted.append({**first, part: str(random.choice(others))})
    return [pipeline.recipes([seed], size=size, psi=psi, **each)[0] for each in wanted]
