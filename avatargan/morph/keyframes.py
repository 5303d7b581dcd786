"""Keyframes: seeds, recipes and PNG files to the recipes that a morph passes through."""

import os
from collections.abc import Iterable

from avatargan.pipeline import DEFAULT_PSI, AvatarPipeline
from avatargan.recipe import Recipe, changed, read_recipe

#: A seed, a recipe, or the path of a PNG with a recipe inside.
Keyframe = int | Recipe | str | os.PathLike[str]


def keyframe_recipes(
    pipeline: AvatarPipeline, keyframes: Iterable[Keyframe], *, psi: float | None, size: int
) -> list[Recipe]:
    """Return a recipe for every keyframe, all of one size.

    Args:
        pipeline: whose weights the recipes must belong to.
        keyframes: in order.
        psi: truncation of all; None leaves recipes theirs, and gives seeds the usual 0.7.
        size: side in pixels.

    Raises:
        OptionError: a seed, psi or size is out of range.
        RecipeError: a PNG holds no recipe, or a recipe cannot be drawn.
        PictureError: a PNG cannot be read.
    """
    pipeline.recipes([], size=size)  # refuses a size that there is not
    recipes = []
    for keyframe in keyframes:
        name = ""
        if isinstance(keyframe, str | os.PathLike):
            name = os.fspath(keyframe)
            keyframe = read_recipe(keyframe)
        if isinstance(keyframe, Recipe):
            pipeline.check_recipe(keyframe, name)
            recipe = changed(keyframe, size=size, psi=keyframe.psi if psi is None else psi)
        else:
            psi_of_seed = DEFAULT_PSI if psi is None else psi
            (recipe,) = pipeline.recipes(keyframe, psi=psi_of_seed, size=size)
        recipes.append(recipe)
    return recipes
