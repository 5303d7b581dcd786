"""From a sketch to avatars: reading, finding, drawing, painting."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from avatargan.attributes import ANY
from avatargan.errors import OptionError, WeightsError
from avatargan.pipeline import Avatar, AvatarPipeline
from avatargan.recipe import Recipe, changed, encode_png, encode_w
from avatargan.sketching.finder import CharacterFinder, load_finder, mapping_sha256
from avatargan.sketching.following import (
    at_size,
    correlation,
    edge_map,
    luminance,
    stroke_map,
)
from avatargan.sketching.hints import wanted_choices, with_labels
from avatargan.sketching.painter import PAINTED_SIZE, Painter
from avatargan.sketching.painting import load_painter, paint, with_ink
from avatargan.sketching.reading import Sketch, read_sketch
from avatargan.version import __version__
from avatargan.weights_header import SHIPPED_SKETCH_ENCODER, SHIPPED_SKETCH_PAINTER

#: Between a clean character and exactly the lines.
DEFAULT_FOLLOW = 0.5
#: Up to here nothing is painted: the picture is a character that its recipe draws.
CLEAN_UP_TO = 0.15
#: Proposals of one sketch.
MOST_PROPOSALS = 12
#: Characters that are drawn to see which follows best, beside those that are wanted.
LOOKED_AT = 3
#: Two proposals whose edges are more alike than this are one.
TOO_MUCH_ALIKE = 0.985


@dataclass(frozen=True)
class SketchedAvatar(Avatar):
    """A picture made of a sketch.

    Attributes:
        follows: how well its edges follow the strokes: a correlation, from -1 to 1.
        painted: whether it was painted over the sketch. Its recipe then draws the clean character
            that the painting began with: the sketch itself is not kept in the picture.
    """

    follows: float
    painted: bool

    def to_png(self) -> bytes:
        """Return a PNG file with the recipe inside, and a note if that does not draw it."""
        return encode_png(self.image, self.recipe, painted=self.painted)


@dataclass(frozen=True)
class Sketched:
    """What became of a sketch.

    Attributes:
        avatars: the proposals, the best first.
        seen: what the encoder thinks it sees, each with a probability.
        remark: what had to be guessed about the sketch; empty if nothing.
    """

    avatars: list[SketchedAvatar]
    seen: dict[str, float]
    remark: str


class Sketcher:
    """Makes avatars of sketches.

    Args:
        pipeline: what draws.
        finder: of the pipeline's generator.
        painter: of any.
    """

    def __init__(self, pipeline: AvatarPipeline, finder: CharacterFinder, painter: Painter) -> None:
        if finder.mapping_sha256 != mapping_sha256(pipeline.generator):
            raise WeightsError(
                "the sketch networks belong to another generator; make some for these weights with "
                "'avatargan train-sketch', and name their folder with --networks"
            )
        self.pipeline, self.finder, self.painter = pipeline, finder, painter

    @classmethod
    def load(
        cls, pipeline: AvatarPipeline, folder: str | os.PathLike[str] | None = None
    ) -> "Sketcher":
        """Load the networks from a folder that ``train-sketch`` wrote, the shipped ones by default.

        Raises:
            WeightsError: a file is missing or damaged, or of another generator.
        """
        if folder is None:
            return cls(pipeline, load_finder(), load_painter())
        place = Path(folder)
        return cls(
            pipeline,
            load_finder(place / SHIPPED_SKETCH_ENCODER),
            load_painter(place / SHIPPED_SKETCH_PAINTER),
        )

    def sketch(
        self,
        image: Image.Image,
        *,
        hints: Image.Image | None = None,
        labels: Image.Image | None = None,
        follow: float = DEFAULT_FOLLOW,
        count: int = 1,
        size: int | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> Sketched:
        """Make avatars of a sketch.

        Args:
            image: dark lines on light ground, or on transparency; any size.
            hints: dabs of colour on transparency, of the same shape.
            labels: what the dabs are for; see :data:`avatargan.sketching.reading.LABELS`.
            follow: 0 a clean character much like the sketch, 1 exactly its lines.
            count: how many proposals.
            size: side of the pictures; the largest by default.
            attributes: choices by name; what is left out or "any" follows the hints, or else is
                the same for every sketch, so that colours stay while one draws.

        Raises:
            OptionError: the sketch is empty, or an option is out of range.
        """
        if not 0 <= follow <= 1:
            raise OptionError(f"follow must be from 0 to 1, got {follow}")
        if not 1 <= count <= MOST_PROPOSALS:
            raise OptionError(f"count must be from 1 to {MOST_PROPOSALS}, got {count}")
        pipeline = self.pipeline
        size = pipeline.default_size if size is None else size
        pipeline.check_size(size)
        asked = dict(attributes or {})
        for name, choice in asked.items():
            pipeline.attributes.check(name, choice)
        sketch = read_sketch(image, hints, labels)
        return self._sketched(sketch, follow, count, size, asked)

    def _sketched(
        self, sketch: Sketch, follow: float, count: int, size: int, asked: dict[str, str]
    ) -> Sketched:
        chosen = self._chosen(sketch, count, asked)
        seen = self._seen(sketch)
        if follow > CLEAN_UP_TO:
            strength = (follow - CLEAN_UP_TO) / (1 - CLEAN_UP_TO)
            painted = [
                self._painted(recipe, planes, sketch, strength, size) for recipe, planes in chosen
            ]
            return Sketched(painted, seen, sketch.remark)
        recipes = [changed(recipe, size=size) for recipe, _ in chosen]
        avatars = [
            SketchedAvatar(avatar.image, avatar.recipe, _follows(planes, sketch), painted=False)
            for avatar, (_, planes) in zip(self.pipeline.draw(recipes), chosen, strict=True)
        ]
        return Sketched(avatars, seen, sketch.remark)

    def _chosen(
        self, sketch: Sketch, count: int, asked: Mapping[str, str]
    ) -> list[tuple[Recipe, Tensor]]:
        """Return clean characters, the one that follows best first, and how they look.

        The looks are ``[1, 3, R, R]`` in [-1, 1], R the generator's resolution.
        """
        attributes = self.pipeline.attributes
        identity = attributes.identity
        style = asked.get(identity, ANY) if identity is not None else ANY
        index = attributes.index(identity, style) if identity and style != ANY else None
        found = self.finder.find(sketch.strokes, index)
        dabbed = wanted_choices(sketch, self.finder.palette)
        wanted = {
            name: choice
            for name, choice in (dabbed | {k: v for k, v in asked.items() if v != ANY}).items()
            if name in attributes
        }
        recipes: list[Recipe] = []
        for row in _different(found.edges, count + LOOKED_AT):
            if identity is not None:
                wanted[identity] = attributes[identity][int(found.styles[row])]
            recipes.append(self._recipe(found.w[row], attributes.resolve(wanted, len(recipes))))
        drawn = [to_planes(avatar.image) for avatar in self.pipeline.draw(recipes)]
        order = sorted(range(len(drawn)), key=lambda row: -_follows(drawn[row], sketch))
        return [(recipes[row], drawn[row]) for row in order[:count]]

    def _recipe(self, w: Tensor, attributes: Mapping[str, str]) -> Recipe:
        return Recipe(
            w=encode_w(w.numpy()),
            attributes=dict(attributes),
            psi=1.0,
            size=self.pipeline.sizes[0],
            weights_sha256=self.pipeline.weights_sha256,
            version=__version__,
        )

    def _seen(self, sketch: Sketch) -> dict[str, float]:
        styles, traits = self.finder.see(sketch.strokes)
        seen = dict(zip(self.finder.traits, traits.tolist(), strict=True))
        identity = self.pipeline.attributes.identity
        if identity is not None:
            seen |= dict(zip(self.pipeline.attributes[identity], styles.tolist(), strict=True))
        return seen

    def _painted(
        self, recipe: Recipe, character: Tensor, sketch: Sketch, strength: float, size: int
    ) -> SketchedAvatar:
        coloured = with_labels(sketch, self.finder.palette, recipe.attributes)
        picture = paint(self.painter, coloured, at_size(character, PAINTED_SIZE), strength)
        pixels = self.pipeline.renderer.enlarge(picture[0].numpy(), size)
        image = Image.fromarray(with_ink(pixels, sketch, strength))
        follows = _follows(to_planes(image), sketch)
        return SketchedAvatar(image, changed(recipe, size=size), follows, painted=True)


def to_planes(image: Image.Image) -> Tensor:
    """Return a picture as ``[1, 3, H, W]`` in [-1, 1]."""
    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1


def _follows(planes: Tensor, sketch: Sketch) -> float:
    edges = edge_map(luminance(planes * 0.5 + 0.5))
    return float(correlation(edges, stroke_map(sketch.strokes)))


def _different(edges: Tensor, count: int) -> list[int]:
    """Return rows of what is foretold, the first first, leaving out what is much like one taken."""
    unit = functional.normalize(edges, dim=1)
    taken: list[int] = []
    for row in range(len(unit)):
        if all(float(unit[row] @ unit[other]) < TOO_MUCH_ALIKE for other in taken):
            taken.append(row)
        if len(taken) == count:
            return taken
    return taken + [row for row in range(len(unit)) if row not in taken][: count - len(taken)]
