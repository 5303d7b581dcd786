"""The pipeline: seeds and attributes in, avatars with their recipes out."""

import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from avatargan.attributes import Taxonomy
from avatargan.editing.directions import Directions, find_directions
from avatargan.editing.mixing import BETWEEN, mix
from avatargan.errors import OptionError, RecipeError, did_you_mean
from avatargan.files import write_atomically
from avatargan.latents import Latents, check_seed
from avatargan.networks import ConditionalGenerator, Generator, Upscaler, load_upscaler
from avatargan.networks.loading import generator_from_weights
from avatargan.quality import Quality, choose_seeds, find_quality
from avatargan.recipe import (
    Recipe,
    SliderStep,
    changed,
    encode_png,
    recipe_from,
    vary,
)
from avatargan.recipe_latents import RecipeLatents
from avatargan.rendering import Renderer, create_renderer
from avatargan.sizes import sizes_for
from avatargan.transparency import load_background_remover
from avatargan.version import __version__
from avatargan.weights import read_weights
from avatargan.weights_header import (
    GENERATOR_ROLE,
    SHIPPED_GENERATOR,
    shipped_generators,
    shipped_weights,
)

if TYPE_CHECKING:
    from avatargan.editing.pictures import Edit
    from avatargan.sketching import SketchedAvatar, Sketcher

#: Clean and varied: the trade that looked best for the shipped weights.
DEFAULT_PSI = 0.7
#: As a part of its length, by which a w may differ from what its z gives: other devices, half
#: precision.
LARGEST_DIFFERENCE_OF_W = 0.01
_ROWS_CHECKED = 4096


@dataclass(frozen=True)
class Avatar:
    """A picture and what it was drawn from."""

    image: Image.Image
    recipe: Recipe

    def to_png(self) -> bytes:
        """Return a PNG file with the recipe inside."""
        return encode_png(self.image, self.recipe)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a PNG file with the recipe inside.

        Raises:
            OutputError: the file exists already (unless ``overwrite``), or cannot be written.
        """
        write_atomically(path, self.to_png(), overwrite=overwrite)


class AvatarPipeline:
    """Draws avatars.

    Attributes:
        generator: the network; its ``mapping`` and ``synthesis`` are there for research.
        renderer: what turns latents into pixels on this machine.
        attributes: the taxonomy of the weights.
        weights_sha256: identifies the weights in recipes.
        recipe_latents: turns recipes into z and w; the one place that does.
        sizes: the sides in pixels that can be drawn.
    """

    def __init__(
        self,
        generator: ConditionalGenerator,
        upscaler: Upscaler,
        renderer: Renderer,
        weights_sha256: str,
    ) -> None:
        self.generator = generator
        self.upscaler = upscaler
        self.renderer = renderer
        self.weights_sha256 = weights_sha256
        self.attributes: Taxonomy = generator.attributes
        self.sizes = sizes_for(generator.resolution)
        self.recipe_latents = RecipeLatents(generator, lambda: self.directions)
        self._load_others: Callable[[Path], AvatarPipeline] | None = None
        self._others: dict[str, AvatarPipeline] = {}
        self._others_lock = threading.Lock()

    @classmethod
    def load(
        cls,
        weights: str | os.PathLike[str] | None = None,
        *,
        upscaler: str | os.PathLike[str] | None = None,
        device: str = "auto",
        engine: str = "auto",
    ) -> "AvatarPipeline":
        """Load a generator (the shipped one by default) and an upscaler.

        Args:
            weights: a generator's ``.safetensors``.
            upscaler: an upscaler's ``.safetensors``.
            device: auto, cuda, mps or cpu.
            engine: auto, ncnn or torch; see :func:`avatargan.rendering.create_renderer`.

        Raises:
            WeightsError: a file is missing, truncated, of the wrong kind, or inconsistent.
            OptionError: there is no such device or engine.
        """
        path = Path(weights) if weights is not None else shipped_weights(SHIPPED_GENERATOR)
        with _one_torch_thread():
            file = read_weights(path, GENERATOR_ROLE)
            generator = generator_from_weights(file)
            enlarger = load_upscaler(Path(upscaler) if upscaler is not None else None)
            renderer = create_renderer(generator, enlarger, device, engine)
        pipeline = cls(generator, enlarger, renderer, file.sha256)
        pipeline._load_others = functools.partial(
            cls.load, upscaler=upscaler, device=device, engine=engine
        )
        return pipeline

    @property
    def default_size(self) -> int:
        """The largest size."""
        return self.sizes[-1]

    def generate(
        self,
        seeds: int | Iterable[int],
        *,
        psi: float = DEFAULT_PSI,
        size: int | None = None,
        sliders: Mapping[str, float] | None = None,
        **attributes: str | Sequence[str],
    ) -> list[Avatar]:
        """Draw one avatar per seed.

        Args:
            seeds: integers from 0 to 2^63-1; each decides its picture alone.
            psi: truncation: 0 the mean face, 0.7 typical, 1 as varied as the training pictures,
                above it wild.
            size: side in pixels, one of ``sizes``; the largest by default.
            sliders: amounts by name, such as ``{"hair length": 1.2}``; see :attr:`directions`.
            attributes: by name, one choice for all or one per seed; "any" is drawn from the seed.
                What is left out takes its default (:meth:`Taxonomy.default`).

        Raises:
            OptionError: a value is out of range or of the wrong type, or there is no such
                attribute or choice.
        """
        recipes = self.recipes(seeds, psi=psi, size=size, **attributes)
        return list(self.draw(self.slide(recipe, sliders or {}) for recipe in recipes))

    def recipes(
        self,
        seeds: int | Iterable[int],
        *,
        psi: float = DEFAULT_PSI,
        size: int | None = None,
        **attributes: str | Sequence[str],
    ) -> list[Recipe]:
        """Return what :meth:`generate` would draw; arguments and errors as there."""
        numbers = [seeds] if not isinstance(seeds, Iterable) else list(seeds)
        size = self.default_size if size is None else size
        self.check_size(size)
        per_seed = [
            _choice_for_each(name, given, len(numbers)) for name, given in attributes.items()
        ]
        return [
            recipe_from(
                check_seed(seed),
                attributes=self.attributes.resolve(
                    {name: row[i] for name, row in zip(attributes, per_seed, strict=True)}, seed
                ),
                psi=psi,
                size=size,
                weights_sha256=self.weights_sha256,
                version=__version__,
            )
            for i, seed in enumerate(numbers)
        ]

    def draw(self, recipes: Iterable[Recipe]) -> Iterator[Avatar]:
        """Draw recipes one after the other as they come, with flat memory.

        Raises:
            RecipeError: a recipe cannot be drawn; see :meth:`check_recipe`.
        """
        pending = iter(recipes)
        while chunk := list(islice(pending, self.renderer.chunk)):
            for _, run in groupby(chunk, key=attrgetter("weights_sha256")):
                own = list(run)
                yield from self.pipeline_of(own[0])._draw_chunk(own)

    def has_weights_of(self, recipe: Recipe) -> bool:
        """Tell whether the weights that a recipe names are these, or both were shipped.

        All shipped generators have one space of w, so that their recipes mix and morph.
        """
        sha256 = recipe.weights_sha256
        return sha256 == self.weights_sha256 or (
            self._load_others is not None
            and {sha256, self.weights_sha256} <= {*shipped_generators()}
        )

    def pipeline_of(self, recipe: Recipe, name: str = "") -> "AvatarPipeline":
        """Return what draws a recipe: this pipeline, or one with the shipped weights it names.

        Args:
            recipe: from anywhere.
            name: of the file that it came in, for the message.

        Raises:
            RecipeError: see :meth:`has_weights_of`.
        """
        sha256 = recipe.weights_sha256
        if sha256 == self.weights_sha256:
            return self
        if self._load_others is None or not self.has_weights_of(recipe):
            raise RecipeError(
                f"{f'{name}: ' if name else ''}this recipe needs the weights with SHA-256 "
                f"{sha256[:12]}..., loaded are those with {self.weights_sha256[:12]}..."
            )
        with self._others_lock:
            if sha256 not in self._others:
                other = self._load_others(shipped_generators()[sha256])
                other._others[self.weights_sha256] = self
                self._others[sha256] = other
            return self._others[sha256]

    def vary(
        self, recipe: Recipe, strength: float = 0.3, n: int = 6, *, start: int = 0
    ) -> list[Avatar]:
        """Draw n characters that look like this one; see :func:`avatargan.recipe.vary`.

        Raises:
            RecipeError: the recipe cannot be drawn; see :meth:`check_recipe`.
            OptionError: as for :func:`avatargan.recipe.vary`.
        """
        self.check_recipe(recipe)
        return list(self.draw(vary(recipe, strength, n, start=start)))

    def recolour(self, recipe: Recipe, attribute: str) -> list[Avatar]:
        """Draw the same character once with every choice of a palette attribute.

        Raises:
            OptionError: there is no such attribute, or it is not part of the palette.
            RecipeError: the recipe cannot be drawn; see :meth:`check_recipe`.
        """
        return list(self.draw(self.recolourings(recipe, attribute)))

    def recolourings(self, recipe: Recipe, attribute: str) -> list[Recipe]:
        """Return what :meth:`recolour` would draw; errors as there."""
        choices = self.attributes.offered(attribute)
        if attribute not in self.attributes.palette:
            raise OptionError(
                f"changing {attribute} would change the character; choose one of "
                f"{', '.join(self.attributes.palette)}"
            )
        self.check_recipe(recipe)
        return [
            recipe.model_copy(update={"attributes": recipe.attributes | {attribute: choice}})
            for choice in choices
        ]

    def slide(self, recipe: Recipe, sliders: Mapping[str, float]) -> Recipe:
        """Return a character moved along sliders, each to an amount of its own.

        A slider that the recipe has among its last steps gets the new amount, and is taken out
        where that is 0; so does the page while somebody drags.

        Args:
            recipe: the character.
            sliders: amounts by the name of the slider.

        Raises:
            OptionError: there is no such slider, an amount is out of its range, or the recipe has
                all the steps that it can have.
        """
        steps = list(recipe.steps)
        last = len(steps)
        while last and isinstance(steps[last - 1], SliderStep):
            last -= 1
        for name, amount in sliders.items():
            slider = self.directions.find(name)
            amount = slider.check(amount)
            step = SliderStep(slider=slider.name, amount=amount, directions=self.directions.sha256)
            tail = steps[last:]
            place = next(
                (
                    last + index
                    for index, old in enumerate(tail)
                    if isinstance(old, SliderStep) and old.slider == slider.name
                ),
                None,
            )
            if place is None:
                steps += [step] if amount else []
            else:
                steps[place : place + 1] = [step] if amount else []
        return changed(recipe, steps=tuple(steps))

    def mix(
        self,
        recipes: Sequence[Recipe],
        n: int = 6,
        *,
        shape: int = BETWEEN,
        colours: int = BETWEEN,
        strength: float = 1.0,
        start: int = 0,
    ) -> list[Avatar]:
        """Draw children of two to four characters.

        See :func:`avatargan.editing.mixing.mix` for the arguments, and its errors.
        """
        children = self.children(
            recipes, n, shape=shape, colours=colours, strength=strength, start=start
        )
        return list(self.draw(children))

    def children(self, recipes: Sequence[Recipe], n: int = 6, **options: Any) -> list[Recipe]:
        """Return what :meth:`mix` would draw; arguments and errors as there."""
        for recipe in recipes:
            self.check_recipe(recipe)
        return mix(self.recipe_latents, recipes, n, **options)

    def edit(self, image: Image.Image, **options: Any) -> "Edit":
        """Find the character that comes nearest to a picture.

        See :func:`avatargan.editing.pictures.edit_picture` for the options, and its errors.
        """
        from avatargan.editing.pictures import edit_picture

        return edit_picture(self, image, **options)

    def sketch(
        self,
        image: Image.Image,
        hints: Image.Image | None = None,
        follow: float = 0.5,
        *,
        labels: Image.Image | None = None,
        count: int = 1,
        size: int | None = None,
        **attributes: str,
    ) -> "list[SketchedAvatar]":
        """Turn drawn lines into avatars; see :meth:`avatargan.sketching.Sketcher.sketch`.

        It loads the shipped networks for it once. For others, and for what is seen in the sketch,
        use :class:`avatargan.sketching.Sketcher`.

        Raises:
            OptionError: the sketch is empty, or an option is out of range.
            WeightsError: the shipped sketch networks are not for these weights.
        """
        result = self._sketcher.sketch(
            image,
            hints=hints,
            labels=labels,
            follow=follow,
            count=count,
            size=size,
            attributes=attributes,
        )
        return result.avatars

    @cached_property
    def _sketcher(self) -> "Sketcher":
        from avatargan.sketching import Sketcher

        return Sketcher.load(self)

    def latents(self, recipes: Sequence[Recipe]) -> Latents:
        """Return what the pictures of these recipes are drawn from; errors as for :meth:`draw`.

        A recipe that starts from a w or has steps gives the w that is drawn, at psi 1; where there
        is one among them, the latents have neither z nor seeds.
        """
        rows = [self._row_of(recipe) for recipe in recipes]
        if rows:
            return Latents.join(rows)
        z_dim, w_dim = self.generator.z_dim, self.generator.w_dim
        return Latents(
            z=np.zeros((0, z_dim), np.float32),
            w=np.zeros((0, w_dim), np.float32),
            labels=np.zeros((0, len(self.attributes)), np.int64),
            seeds=np.zeros(0, np.int64),
            psi=np.zeros(0, np.float32),
            attributes=self.attributes,
        )

    def _row_of(self, recipe: Recipe) -> Latents:
        self.check_recipe(recipe)
        labels = np.array([self._labels(recipe)], dtype=np.int64)
        z = self.recipe_latents.z_of(recipe)
        if z is None or recipe.steps:
            w = self.recipe_latents.w_of(recipe)[None]
            psi = np.ones(1, np.float32)
            return Latents(w=w, labels=labels, psi=psi, attributes=self.attributes)
        return Latents(
            z=z[None],
            w=self.recipe_latents.start_of(recipe)[None],
            labels=labels,
            seeds=np.array([recipe.seed], dtype=np.int64),
            psi=np.array([recipe.psi], dtype=np.float32),
            attributes=self.attributes,
        )

    def draw_latents(self, latents: Latents, size: int | None = None) -> Iterator[Image.Image]:
        """Draw w, labels and psi of latents, which need not come from seeds.

        What is drawn is w. Where there is z as well, it has to be that which gives w.

        Raises:
            OptionError: the widths or the attributes are not those of these weights, or the z of a
                row does not give its w.
        """
        size = self.default_size if size is None else size
        self.check_size(size)
        self._check_latents(latents)
        self._check_z(latents)
        step = self.renderer.chunk
        for start in range(0, len(latents), step):
            rows = range(start, min(start + step, len(latents)))
            conditions = [
                self._condition(
                    torch.from_numpy(latents.w[row : row + 1]),
                    dict(zip(self.attributes, latents.labels[row].tolist(), strict=True)),
                    float(latents.psi[row]),
                    None if latents.palette is None else torch.from_numpy(latents.palette[row]),
                )
                for row in rows
            ]
            yield from self._render(conditions, size)

    def render(self, w: Tensor, palette: Tensor, size: int | None = None) -> Iterator[Image.Image]:
        """Draw any w and palette embeddings, mixed ones too, one after the other.

        Args:
            w: ``[N, w_dim]``, truncated already (:meth:`ConditionalGenerator.truncate`), or one
                for each block of the synthesis, ``[N, blocks, w_dim]``.
            palette: ``[N, palette_dim]``, from :meth:`ConditionalGenerator.embed_palette`.
            size: side in pixels, one of ``sizes``; the largest by default.

        Raises:
            OptionError: there is no such size.
        """
        size = self.default_size if size is None else size
        self.check_size(size)
        step = self.renderer.chunk
        for start in range(0, len(w), step):
            rows = slice(start, start + step)
            for pixels in self.renderer.draw(w[rows], palette[rows], size):
                yield Image.fromarray(pixels)

    def recipes_behind(self, latents: Latents, size: int | None = None) -> Iterator[Recipe | None]:
        """Yield for each row the recipe that draws the same picture, or None.

        There is one where z and w are those of the row's seed, which is not so for variations,
        mixtures and steps between characters.

        Raises:
            OptionError: as for :meth:`draw_latents`.
        """
        size = self.default_size if size is None else size
        self.check_size(size)
        self._check_latents(latents)
        for row in range(len(latents)):
            if latents.z is None or latents.seeds is None or latents.palette is not None:
                yield None
                continue
            labels = zip(self.attributes, latents.labels[row].tolist(), strict=True)
            try:
                recipe = recipe_from(
                    int(latents.seeds[row]),
                    attributes={name: self.attributes[name][index] for name, index in labels},
                    psi=float(str(latents.psi[row])),  # 0.7, not the 0.699... of its float32
                    size=size,
                    weights_sha256=self.weights_sha256,
                    version=__version__,
                )
            except OptionError:  # latents may hold a seed of -1, or a psi beyond those of recipes
                yield None
                continue
            if not self.can_draw(recipe):  # labels may be "unknown", which no recipe asks for
                yield None
                continue
            own = self._row_of(recipe)
            assert own.z is not None
            same = np.array_equal(own.z[0], latents.z[row]) and np.array_equal(
                own.w[0], latents.w[row]
            )
            yield recipe if same else None

    def check_recipe(self, recipe: Recipe, name: str = "") -> None:
        """Make sure that these weights can draw a recipe.

        Args:
            recipe: from anywhere; it was parsed, which says nothing about what it asks for.
            name: of the file that it came in, for the message.

        Raises:
            RecipeError: it was made with other weights, or asks for a size, an attribute or a
                choice that there is not; "any" and "unknown" are no definite choices.
        """
        prefix = f"{name}: " if name else ""
        if recipe.weights_sha256 != self.weights_sha256:
            self.pipeline_of(recipe, name).check_recipe(recipe, name)
            return
        if recipe.attributes.keys() != set(self.attributes):
            raise RecipeError(
                f"{prefix}this recipe has the attributes {', '.join(recipe.attributes) or 'none'}; "
                f"the weights want {', '.join(self.attributes)}"
            )
        for attribute, choice in recipe.attributes.items():
            offered = self.attributes.offered(attribute)
            if choice not in offered:
                raise RecipeError(
                    f"{prefix}this recipe cannot be drawn: {attribute} is '{choice}'"
                    f"{did_you_mean(choice, offered)} (choices: {', '.join(offered)})"
                )
        if recipe.size not in self.sizes:
            raise RecipeError(
                f"{prefix}this recipe cannot be drawn: there is no size {recipe.size} "
                f"(sizes: {', '.join(map(str, self.sizes))})"
            )
        for other in recipe.characters():
            if isinstance(other, Recipe):
                self.check_recipe(other, name)
        try:
            self.recipe_latents.check(recipe)
        except RecipeError as error:
            raise RecipeError(f"{prefix}{error}") from error

    def can_draw(self, recipe: Recipe) -> bool:
        """Tell whether :meth:`check_recipe` finds nothing wrong."""
        try:
            self.check_recipe(recipe)
        except RecipeError:
            return False
        return True

    def _draw_chunk(self, recipes: list[Recipe]) -> Iterator[Avatar]:
        # Runs of one size, in the order that was asked for.
        for size, run in groupby(recipes, key=attrgetter("size")):
            same_size = list(run)
            conditions = []
            for recipe in same_size:
                self.check_recipe(recipe)
                w = self.recipe_latents.w_of(recipe)
                labels = dict(zip(self.attributes, self._labels(recipe), strict=True))
                conditions.append((torch.from_numpy(w)[None], self._palette(labels)))
            for recipe, image in zip(same_size, self._render(conditions, size), strict=True):
                if recipe.transparent:
                    image = load_background_remover().cut_out(image)
                yield Avatar(image, recipe)

    @cached_property
    def directions(self) -> Directions:
        """The sliders of these weights.

        Raises:
            OptionError: there are none.
            WeightsError: the directions file is damaged.
        """
        return find_directions(self.generator)

    @cached_property
    def quality(self) -> Quality | None:
        """What predicts whether a character is drawn well; None where none holds for the weights.

        Raises:
            WeightsError: the file is damaged.
        """
        return find_quality(self.generator)

    def quality_of(self, recipe: Recipe) -> float | None:
        """Return how likely a character is drawn well, from 0 to 1.

        None where nothing is known: with other weights than the shipped ones.

        Raises:
            RecipeError: the recipe cannot be drawn; see :meth:`check_recipe`.
        """
        self.check_recipe(recipe)
        if self.quality is None:
            return None
        assert isinstance(self.generator, Generator)
        w = torch.from_numpy(self.recipe_latents.w_of(recipe))[None]
        with torch.inference_mode():
            features = self.generator.features_at(self.quality.size, w)
        return self.quality.probability(features.flatten().numpy(), self._style_of(recipe))

    def is_good(self, recipe: Recipe) -> bool:
        """Tell whether a character is likely drawn well; True where nothing is known."""
        probability = self.quality_of(recipe)
        if probability is None or self.quality is None:
            return True
        return probability >= self.quality.threshold(self._style_of(recipe))

    def good_seeds(
        self, candidates: Iterable[int], count: int, *, psi: float, **attributes: str
    ) -> list[int]:
        """Choose seeds whose characters are likely drawn well, in the order of the candidates.

        For seeds that nobody has asked for: dice, not series. All are good where nothing is known.

        Args:
            candidates: seeds, as many as are asked for; endless, or ``MOST_TRIES`` for each.
            count: how many to choose.
            psi: see :meth:`generate`.
            attributes: the same choices for all; see :meth:`generate`.

        Raises:
            OptionError: as for :meth:`generate`.
        """
        if self.quality is None:
            return list(islice(candidates, count))

        def score(seed: int) -> tuple[float, bool]:
            [recipe] = self.recipes(seed, psi=psi, size=self.default_size, **attributes)
            return self.quality_of(recipe) or 0.0, self.is_good(recipe)

        return list(choose_seeds(candidates, count, score))

    def _style_of(self, recipe: Recipe) -> int:
        identity = self.attributes.identity
        return self.attributes.index(identity, recipe.attributes[identity]) if identity else 0

    def _labels(self, recipe: Recipe) -> list[int]:
        """Return the index of each attribute's choice, in the order of the taxonomy."""
        return [self.attributes.index(name, recipe.attributes[name]) for name in self.attributes]

    def _render(self, conditions: list[tuple[Tensor, Tensor]], size: int) -> Iterator[Image.Image]:
        blocks = self.generator.blocks_of_w
        if any(w.ndim == 3 for w, _ in conditions):
            conditions = [
                (w if w.ndim == 3 else w[:, None].expand(-1, blocks, -1), palette)
                for w, palette in conditions
            ]
        w = torch.cat([w for w, _ in conditions])
        palette = torch.cat([palette for _, palette in conditions])
        return self.render(w, palette, size)

    @torch.inference_mode()
    def _condition(
        self, w: Tensor, labels: Mapping[str, int], psi: float, palette: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return truncated w, ``[1, w_dim]`` or ``[1, blocks, w_dim]``, and the palette."""
        identity = self.attributes.identity
        style = torch.tensor([labels[identity]]) if identity is not None else None
        embedded = self._palette(labels) if palette is None else palette[None]
        return self.generator.truncate(w, style, psi), embedded

    @torch.inference_mode()
    def _palette(self, labels: Mapping[str, int]) -> Tensor:
        """Return the palette embedding of one picture, ``[1, palette_dim]``."""
        return self.generator.embed_palette(
            **{name: torch.tensor([labels[name]]) for name in self.attributes.palette}
        )

    @torch.inference_mode()
    def _check_z(self, latents: Latents) -> None:
        """Make sure that nobody changes z and wonders why the picture stays the same.

        Raises:
            OptionError: the z of a row does not give its w.
        """
        if latents.z is None:
            return
        if latents.z.shape != (len(latents), self.generator.z_dim):
            raise OptionError(
                f"these latents have z of {latents.z.shape[-1]} numbers, "
                f"the weights want {self.generator.z_dim}"
            )
        identity = self.attributes.identity
        column = list(self.attributes).index(identity) if identity is not None else None
        for start in range(0, len(latents), _ROWS_CHECKED):
            rows = slice(start, start + _ROWS_CHECKED)
            style = None if column is None else torch.from_numpy(latents.labels[rows, column])
            expected = self.generator.mapping(torch.from_numpy(latents.z[rows]), style).numpy()
            w = latents.w[rows]
            if w.ndim == 3:
                expected = expected[:, None]
            apart = np.linalg.norm(w - expected, axis=-1) / np.linalg.norm(expected, axis=-1)
            worst = apart.reshape(len(w), -1).max(axis=1)
            for row in np.flatnonzero(~(worst <= LARGEST_DIFFERENCE_OF_W)):
                raise OptionError(
                    f"row {start + row}: its z does not give its w ({worst[row]:.0%} apart), and "
                    "w is what is drawn; take w from generator.mapping(z, style), or leave z out "
                    "with latents.with_w(w)"
                )

    def _check_latents(self, latents: Latents) -> None:
        own = {name: list(self.attributes[name]) for name in self.attributes}
        if {name: list(choices) for name, choices in latents.attributes.items()} != own:
            raise OptionError("these latents belong to weights with other attributes")
        if latents.w.shape[-1] != self.generator.w_dim:
            raise OptionError(
                f"these latents have w of {latents.w.shape[-1]} numbers, "
                f"the weights want {self.generator.w_dim}"
            )
        if latents.w.ndim == 3 and latents.w.shape[1] != self.generator.blocks_of_w:
            raise OptionError(
                f"these latents have {latents.w.shape[1]} w for each picture, "
                f"the weights have {self.generator.blocks_of_w} blocks"
            )
        if latents.palette is not None and latents.palette.shape[1] != self.generator.palette_dim:
            raise OptionError(
                f"these latents have palettes of {latents.palette.shape[1]} numbers, "
                f"the weights want {self.generator.palette_dim}"
            )

    def check_size(self, size: object) -> None:
        """Make sure that there is a size.

        Raises:
            OptionError: there is not.
        """
        if size not in self.sizes or isinstance(size, bool):
            raise OptionError(
                f"there is no size {size!r} (sizes: {', '.join(map(str, self.sizes))})"
            )


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Keep torch from spreading small work over cores that may be busy.

    Loading is many short operations; on a machine with other work each of them waits for the
    slowest of its threads, which made loading take eight times as long.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _choice_for_each(name: str, given: str | Sequence[str], count: int) -> list[str]:
    """Return one choice per seed from one for all or a list."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return [given] * count
    choices = list(given)
    if len(choices) != count:
        raise OptionError(
            f"{name} has {len(choices)} choices for {count} seeds; give one or {count}"
        )
    return choices
