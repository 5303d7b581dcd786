"""Mixing: two to four characters in, their family out.

A child starts as the parent that gives its shape and leans towards the others: apart in the coarse
blocks of the synthesis, which decide shape, and in the fine ones, which decide shading and line.
Between two unrelated w lies a plainer face than either; a small step towards a seed of its own
gives a child back what mixing took, and makes siblings differ.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from avatargan.errors import OptionError, RecipeError
from avatargan.latents import LARGEST_SEED, FloatArray
from avatargan.recipe import (
    DEEPEST_RECIPE,
    MOST_CHARACTERS,
    MOST_STEPS,
    Recipe,
    SeedStep,
    TowardsStep,
    changed,
    encode_w,
    with_steps,
)
from avatargan.recipe_latents import RecipeLatents

MOST_PARENTS = 4
#: Every part comes from any parent, in shares that differ from child to child.
BETWEEN = 0
#: How far a child steps towards a seed of its own.
OWN_SHARE = 0.12


def mix(
    latents: RecipeLatents,
    parents: Sequence[Recipe],
    n: int = 6,
    *,
    shape: int = BETWEEN,
    colours: int = BETWEEN,
    strength: float = 1.0,
    start: int = 0,
) -> list[Recipe]:
    """Return children of characters; the same call gives the same ones.

    Args:
        latents: of the weights that all parents were made with.
        parents: two to four; the children have the size of the first.
        n: how many children.
        shape: whose shape they have, 1 for the first parent; 0: something between all of them.
        colours: whose hair, eyes and shading they have, likewise; 0: hair and eyes of one or
            another.
        strength: how far children may lean away from the parent that they start from: 0 not at
            all, 1 as far as the other parents.
        start: index of the first child, to go on with a family.

    Raises:
        OptionError: there are too few or too many parents, or a number is out of range.
        RecipeError: parents cannot be drawn with these weights, or are mixed too deeply.
    """
    if not 2 <= len(parents) <= MOST_PARENTS:
        raise OptionError(f"mixing takes from 2 to {MOST_PARENTS} characters, got {len(parents)}")
    for name, number in (("shape", shape), ("colours", colours)):
        if not 0 <= number <= len(parents):
            raise OptionError(
                f"{name} comes from one of the {len(parents)} characters (1 for the first), "
                f"or from all (0), got {number}"
            )
    if not 0 <= strength <= 1:
        raise OptionError(f"the strength of a mixture must be from 0 to 1, got {strength}")
    if n < 0 or start < 0:
        raise OptionError("the number and the start of children must not be negative")
    compact = [compacted(latents, parent) for parent in parents]
    family = int.from_bytes(_identities(parents)[:8], "big")
    children = []
    for index in range(start, start + n):
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([family, index])))
        children.append(_child(latents, parents, compact, random, shape, colours, strength))
    return children


def compacted(latents: RecipeLatents, recipe: Recipe) -> Recipe:
    """Return a recipe of the same character that can stand inside others.

    One that has no steps stays as it is; of others, the w that is drawn is written down where it
    fits (in half precision).

    Raises:
        RecipeError: it has a w for each block, and stands on too many others already.
    """
    if not recipe.steps:
        return recipe
    w = latents.w_of(recipe)
    rows = _rows_of_recipe(w)
    if rows is not None:
        fixed = {"seed": None, "w": encode_w(rows), "variation": (), "steps": (), "psi": 1.0}
        return changed(recipe, **fixed)
    others = [other for other in recipe.characters() if isinstance(other, Recipe)]
    roomy = len(others) < MOST_CHARACTERS / 2 and _depth(recipe) < DEEPEST_RECIPE - 1
    if roomy and len(recipe.steps) + sum(len(each.steps) for each in others) < MOST_STEPS / 4:
        return recipe
    # Blocks that differ one by one: their means over the two halves come nearest.
    coarse = (len(w) + 1) // 2
    halves = np.stack([w[:coarse].mean(0), w[coarse:].mean(0)])
    return changed(recipe, seed=None, w=encode_w(halves), variation=(), steps=(), psi=1.0)


def _rows_of_recipe(w: FloatArray) -> FloatArray | None:
    """Return w as the one or two vectors that a recipe holds, None where it needs more."""
    if w.ndim == 1:
        return w
    coarse = (len(w) + 1) // 2
    if np.array_equal(w[:coarse], np.broadcast_to(w[0], w[:coarse].shape)) and np.array_equal(
        w[coarse:], np.broadcast_to(w[-1], w[coarse:].shape)
    ):
        return np.stack([w[0], w[-1]])
    return None


def _depth(recipe: Recipe) -> int:
    inner = [step.towards for step in recipe.steps if isinstance(step, TowardsStep)]
    return 1 + max((_depth(each) for each in inner if isinstance(each, Recipe)), default=0)


def _identities(parents: Sequence[Recipe]) -> bytes:
    digest = hashlib.sha256()
    for parent in parents:
        digest.update(changed(parent, size=128, version="", transparent=False).to_json().encode())
    return digest.digest()


def _child(
    latents: RecipeLatents,
    parents: Sequence[Recipe],
    compact: Sequence[Recipe],
    random: np.random.Generator,
    shape: int,
    colours: int,
    strength: float,
) -> Recipe:
    blocks = latents.generator.blocks_of_w
    first = shape - 1 if shape else int(random.integers(len(parents)))
    coarse = _shares(random, len(parents), first, shape != BETWEEN, strength)
    giver = colours - 1 if colours else int(random.integers(len(parents)))
    fine = _shares(random, len(parents), giver, colours != BETWEEN, strength)
    own = int(random.integers(LARGEST_SEED, endpoint=True))
    base = compact[first]
    taxonomy = latents.generator.attributes
    attributes = dict(base.attributes)
    for name in taxonomy.palette:
        source = giver if colours else int(random.integers(len(parents)))
        attributes[name] = parents[source].attributes[name]
    child = changed(
        base,
        attributes=attributes,
        size=parents[0].size,
        transparent=parents[0].transparent,
        version=parents[0].version,
    )
    half = (blocks + 1) // 2
    if blocks == 1 or (not shape and not colours):
        steps = list(_steps(compact, first, coarse, None))
    else:
        steps = [
            *_steps(compact, first, coarse, (0, half - 1)),
            *_steps(compact, first, fine, (half, blocks - 1)),
        ]
    if strength > 0:
        steps.append(SeedStep(seed=own, strength=OWN_SHARE * strength))
    try:
        return with_steps(child, *steps)
    except OptionError as error:
        raise RecipeError(f"these characters cannot be mixed any further: {error}") from error


def _shares(
    random: np.random.Generator, count: int, main: int, only_main: bool, strength: float
) -> FloatArray:
    """Return how much of each parent there is, ``[count]``, summing to 1."""
    drawn = random.dirichlet(np.full(count, 2.0))
    one = np.eye(count)[main]
    shares = one if only_main else strength * drawn + (1 - strength) * one
    return np.asarray(shares, dtype=np.float32)


def _steps(
    parents: Sequence[Recipe],
    first: int,
    shares: FloatArray,
    layers: tuple[int, int] | None,
) -> Iterator[TowardsStep | SeedStep]:
    """Yield steps that end at the weighted mean of the parents, starting from one of them."""
    reached = float(shares[first])
    for index, parent in enumerate(parents):
        share = float(shares[index])
        if index == first or share == 0:
            continue
        reached += share
        yield TowardsStep(towards=parent, strength=round(share / reached, 4), layers=layers)
