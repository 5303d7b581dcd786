"""What a generator with a palette in its blocks teaches one that paints parts.

Where a character's picture changes its hue with an attribute, that attribute's part is: the hair
for the hair colour, the irises for the eye colour. How the part looks in a colour, the teacher
shows with the means of all other attributes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from avatargan.attributes import UNKNOWN
from avatargan.errors import OptionError
from avatargan.latents import seeds_to_z
from avatargan.networks.generator import Generator
from avatargan.networks.recolouring import PART_CHANNELS, RecolouringGenerator
from avatargan.rendering import Renderer

#: Seeds from here on are for training; those before are drawn by people and benchmarks.
FIRST_SEED = 30_000_000
#: A pixel belongs to a part that moves its hue at least so much of what it moves the most.
LEAST_MOVEMENT = 0.45
#: How sharply that limit is drawn.
SHARPNESS = 12.0
#: Lines thinner than this many pixels do not divide a part.
CLOSED = 5


class Lesson(NamedTuple):
    """What there is to learn from one character.

    Attributes:
        image: what the student's body draws, ``[3, R, R]`` float32.
        features: its features by size that the parts read, float16.
        masks: where the parts are, ``[attributes, R, R]`` in [0, 1].
        pictures: of each attribute, the character in every choice, ``[choices, 3, R, R]`` uint8.
    """

    image: Tensor
    features: dict[int, Tensor]
    masks: Tensor
    pictures: dict[str, Tensor]


@dataclass(frozen=True)
class Teacher:
    """A generator whose blocks see the palette, and what draws with it.

    Attributes:
        generator: the network.
        renderer: draws with it.
    """

    generator: Generator
    renderer: Renderer

    def student(self, part_channels: int = PART_CHANNELS) -> RecolouringGenerator:
        """Return a generator that draws every character as this one does in the mean colours.

        The mean embeddings are folded into the biases of the layers that read them. Mapping, w
        and embeddings stay as they are; the parts are new.
        """
        old = self.generator
        new = RecolouringGenerator(
            old.attributes,
            z_dim=old.z_dim,
            w_dim=old.w_dim,
            channels=old.channels,
            embedding_dims={name: old.embedding(name).shape[1] for name in old.attributes},
            mapping_layers=old.mapping_layers,
            part_channels=part_channels,
        )
        mean = self.mean_palette()[0]
        tensors = dict(old.state_dict())
        for name, weight in old.state_dict().items():
            if not name.endswith(".affine.weight") or weight.shape[1] == old.w_dim:
                continue
            # Equalised layers divide by the square root of their inputs at run time.
            gain = weight.shape[1] ** -0.5
            bias = name.removesuffix("weight") + "bias"
            tensors[bias] = tensors[bias] + weight[:, old.w_dim :] @ mean * gain
            tensors[name] = weight[:, : old.w_dim] * gain * old.w_dim**0.5
        new.load_state_dict(tensors, strict=False)
        return new.eval()

    def mean_palette(self) -> Tensor:
        """Return the mean embeddings of all choices that are offered, ``[1, palette_dim]``."""
        return torch.cat([self.rows(name).mean(0) for name in self.generator.attributes.palette])[
            None
        ]

    def rows(self, name: str) -> Tensor:
        """Return the embeddings of an attribute's choices that are offered, ``[choices, dim]``."""
        return offered_rows(self.generator, name)

    def lessons(self, student: RecolouringGenerator, count: int) -> Iterator[Lesson]:
        """Draw so many characters of all styles, psi from 0.5 to 1.2.

        Raises:
            OptionError: the teacher has no palette.
        """
        if student.painter is None:
            raise OptionError("these weights have no palette, and so nothing to recolour")
        for index in range(count):
            w = self._w(index)
            with torch.inference_mode():
                image, features = student.body(w, w.new_zeros(1, 0))
                read = {size: features[size][0].half() for size in student.painter.sizes}
            pictures = {
                name: torch.from_numpy(self._in_every_choice(w, name)).permute(0, 3, 1, 2)
                for name in self.generator.attributes.palette
            }
            yield Lesson(image[0], read, part_masks(pictures), pictures)

    @torch.inference_mode()
    def _w(self, index: int) -> Tensor:
        random = np.random.default_rng([FIRST_SEED, index])
        z = torch.from_numpy(seeds_to_z([FIRST_SEED + index], self.generator.z_dim))
        style = None
        if self.generator.attributes.identity is not None:
            # The first style is what most pictures are of.
            styles = len(self.generator.attributes.offered(self.generator.attributes.identity))
            style = torch.tensor([int(random.integers(styles)) if random.random() < 0.5 else 0])
        w = self.generator.mapping(z, style)
        return self.generator.truncate(w, style, float(random.uniform(0.5, 1.2)))

    @torch.inference_mode()
    def _in_every_choice(self, w: Tensor, name: str) -> NDArray[np.uint8]:
        rows = self.rows(name)
        columns = []
        for other in self.generator.attributes.palette:
            columns.append(
                rows if other == name else self.rows(other).mean(0).expand(len(rows), -1)
            )
        palette = torch.cat(columns, dim=1)
        return self.renderer.draw(w.expand(len(rows), -1), palette, self.generator.resolution)


def offered_rows(generator: Generator, name: str) -> Tensor:
    """Return the embeddings of an attribute's choices that are offered, ``[choices, dim]``."""
    known = [choice != UNKNOWN for choice in generator.attributes[name]]
    return generator.embedding(name).detach()[known]


def part_masks(pictures: dict[str, Tensor]) -> Tensor:
    """Return where each attribute's part is, ``[attributes, R, R]`` in [0, 1].

    Args:
        pictures: of each attribute, one character in every choice, ``[choices, 3, R, R]`` uint8.
    """
    masks: list[Tensor] = []
    for own in pictures.values():
        moved = functional.avg_pool2d(hue_spread(own.float() / 127.5 - 1)[None], 3, 1, 1)
        share = moved / moved.amax()
        share = -functional.max_pool2d(
            -functional.max_pool2d(share, CLOSED, 1, CLOSED // 2), CLOSED, 1, CLOSED // 2
        )
        mask = torch.sigmoid((share - LEAST_MOVEMENT) * SHARPNESS / LEAST_MOVEMENT)[0, 0]
        # What is smaller was found in the larger: irises move a little with the hair, too.
        masks = [before * (1 - mask) for before in masks]
        masks.append(mask)
    return torch.stack(masks)


def hue_spread(pictures: Tensor) -> Tensor:
    """Return how far the hue of each pixel moves among pictures ``[N, 3, H, W]``: ``[1, H, W]``.

    Lightness is left out: leaks of one colour into another are mostly of that.
    """
    red, green, blue = pictures.unbind(1)
    opponents = torch.stack([red - green, blue - (red + green) / 2], dim=1)
    return opponents.std(0).square().sum(0, keepdim=True).sqrt()
