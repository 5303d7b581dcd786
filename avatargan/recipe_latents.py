"""From a recipe to the w that the synthesis draws: the one place that knows how.

A character starts from z (a seed, then the steps of its variation on the great circle) and the
mapping, or from a w of its own; psi truncates where it starts. The steps then act in order on the
truncated w:

- towards a seed: on the great circle around the mean of w towards that seed's truncated w;
- along a slider: see :class:`avatargan.editing.directions.Directions`;
- towards another character: on the straight line towards the w it is drawn from.

w is one vector for all blocks of the synthesis, ``[w_dim]``, or one for each block,
``[blocks, w_dim]``, once a step acts on some blocks only.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from avatargan.errors import OptionError, RecipeError
from avatargan.latents import FloatArray, lerp, mix_styles, seeds_to_z, slerp
from avatargan.recipe import (
    Recipe,
    SeedStep,
    SliderStep,
    TowardsStep,
    decode_w,
)

if TYPE_CHECKING:
    from avatargan.editing.directions import Directions, Slider
    from avatargan.networks import ConditionalGenerator

#: The w of a character has numbers of a few units; squares of far larger ones overflow.
LARGEST_W = 1e6

#: Returns the directions of the loaded weights; errors where there are none.
DirectionsOf = Callable[[], "Directions"]


class RecipeLatents:
    """Turns recipes of one generator into z and w.

    Args:
        generator: the network.
        directions: asked for the sliders when a recipe first needs them.
    """

    def __init__(self, generator: "ConditionalGenerator", directions: DirectionsOf) -> None:
        self.generator = generator
        self.directions = directions

    def z_of(self, recipe: Recipe) -> FloatArray | None:
        """Return z ``[z_dim]`` of a character, None where it starts from a w."""
        if recipe.seed is None:
            return None
        z = seeds_to_z([recipe.seed], self.generator.z_dim)
        for step in recipe.variation:
            z = slerp(z, seeds_to_z([step.seed], self.generator.z_dim), step.strength)
        return np.asarray(z[0], dtype=np.float32)

    def start_of(self, recipe: Recipe) -> FloatArray:
        """Return the w that a character starts from, before truncation and steps.

        Returns:
            ``[w_dim]``, or ``[blocks, w_dim]`` for a recipe whose w is two vectors.

        Raises:
            RecipeError: the recipe's w is not as wide as that of these weights.
        """
        if recipe.w is not None:
            return self.read_w(recipe.w)
        z = self.z_of(recipe)
        assert z is not None
        return self.map_z(z, recipe.attributes)

    def map_z(self, z: FloatArray, attributes: Mapping[str, str]) -> FloatArray:
        """Return w ``[w_dim]``, not truncated, of z ``[z_dim]`` and a style."""
        # One row at a time: matrix products round differently in batches of different sizes.
        with torch.inference_mode():
            w = self.generator.mapping(torch.from_numpy(z)[None], self.style_of(attributes))
        return np.asarray(w[0].numpy(), dtype=np.float32)

    def w_of(self, recipe: Recipe) -> FloatArray:
        """Return the w that the synthesis draws, truncated and with all steps taken.

        Returns:
            ``[w_dim]``, or ``[blocks, w_dim]`` where a step acts on some blocks only.

        Raises:
            RecipeError: a step needs other directions, other layers or another width of w, or goes
                too far.
        """
        w = self.truncated(self.start_of(recipe), recipe)
        for step in recipe.steps:
            if isinstance(step, SeedStep):
                w = self._towards_seed(w, recipe, step)
            elif isinstance(step, SliderStep):
                w = self._slider(step).apply(w, step.amount)
            else:
                w = self._towards_character(w, step)
        if not np.all(np.abs(w) <= LARGEST_W):
            raise RecipeError("the steps of this recipe lead beyond what these weights can draw")
        return w

    def check(self, recipe: Recipe) -> None:
        """Make sure that the steps of a recipe can be taken; errors as for :meth:`w_of`.

        Other characters of its steps are not looked into.
        """
        if recipe.w is not None:
            self.read_w(recipe.w)
        for step in recipe.steps:
            if isinstance(step, SliderStep):
                self._slider(step)
            elif isinstance(step, TowardsStep):
                self._check_layers(step)
                if isinstance(step.towards, str):
                    self.read_w(step.towards)

    def truncated(self, w: FloatArray, recipe: Recipe) -> FloatArray:
        """Return w pulled towards the mean of the recipe's style by its psi, of the same shape."""
        rows = torch.from_numpy(np.atleast_2d(w))
        style = self.style_of(recipe.attributes)
        with torch.inference_mode():
            truncated = self.generator.truncate(rows, style, recipe.psi).numpy()
        return np.asarray(truncated.reshape(w.shape), dtype=np.float32)

    def style_of(self, attributes: Mapping[str, str]) -> torch.Tensor | None:
        """Return the index of the style ``[1]``, None where the weights have no styles."""
        taxonomy = self.generator.attributes
        identity = taxonomy.identity
        if identity is None:
            return None
        return torch.tensor([taxonomy.index(identity, attributes[identity])])

    def read_w(self, text: str) -> FloatArray:
        """Return the w in a recipe as the synthesis takes it.

        Raises:
            RecipeError: it is not as wide as that of these weights.
        """
        numbers = decode_w(text)
        width = self.generator.w_dim
        if len(numbers) not in (width, 2 * width):
            raise RecipeError(
                f"this recipe's w has {len(numbers)} numbers, "
                f"that of the weights has {width}, or twice as many"
            )
        if len(numbers) == width:
            return numbers
        blocks = self.generator.blocks_of_w
        coarse = (blocks + 1) // 2
        return np.repeat(numbers.reshape(2, width), [coarse, blocks - coarse], axis=0)

    def _towards_seed(self, w: FloatArray, recipe: Recipe, step: SeedStep) -> FloatArray:
        z = seeds_to_z([step.seed], self.generator.z_dim)[0]
        aim = self.truncated(self.map_z(z, recipe.attributes), recipe)
        style = self.style_of(recipe.attributes)
        centre = self.generator.w_mean[0 if style is None else int(style)].numpy()
        if not (np.all(np.any(w != centre, axis=-1)) and np.any(aim != centre)):
            return lerp(w, aim, step.strength)  # psi 0: there is no direction to turn
        try:
            turned = slerp(w - centre, np.broadcast_to(aim, w.shape) - centre, step.strength)
        except OptionError as error:
            raise RecipeError(f"a step of this recipe has no one way: {error}") from error
        return np.asarray(centre + turned, dtype=np.float32)

    def _slider(self, step: SliderStep) -> "Slider":
        try:
            directions = self.directions()
        except OptionError as error:
            raise RecipeError(f"this recipe uses the slider '{step.slider}': {error}") from error
        if directions.sha256 != step.directions:
            raise RecipeError(
                f"the slider '{step.slider}' of this recipe is one of the directions with SHA-256 "
                f"{step.directions[:12]}..., there are those with {directions.sha256[:12]}..."
            )
        if step.slider not in directions:
            raise RecipeError(
                f"there is no slider '{step.slider}' in the directions of this recipe"
            )
        slider = directions[step.slider]
        try:
            slider.check(step.amount)
        except OptionError as error:  # far beyond its range the networks give no numbers
            raise RecipeError(f"this recipe takes a slider too far: {error}") from error
        return slider

    def _check_layers(self, step: TowardsStep) -> None:
        blocks = self.generator.blocks_of_w
        if step.layers is not None and step.layers[1] >= blocks:
            raise RecipeError(
                f"this recipe goes to layer {step.layers[1]}, "
                f"the weights have layers 0 to {blocks - 1}"
            )

    def _towards_character(self, w: FloatArray, step: TowardsStep) -> FloatArray:
        aim = (
            self.read_w(step.towards) if isinstance(step.towards, str) else self.w_of(step.towards)
        )
        blocks = self.generator.blocks_of_w
        if step.layers is None and w.ndim == aim.ndim:
            return lerp(w, aim, step.strength)
        self._check_layers(step)
        layers = step.layers or (0, blocks - 1)
        mixed = mix_styles(w[None], aim[None], layers, blocks, step.strength)
        return np.asarray(mixed[0], dtype=np.float32)
