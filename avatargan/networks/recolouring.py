"""The recolouring generator: colours that stay where they belong.

Its blocks see w alone and draw the character in no particular colours. Small parts on their
features find what each attribute of the palette colours (the hair, the irises) and paint just
that. Where a part finds nothing, its colour cannot get: changing the eyes leaves every pixel of
the hair as it is, by construction and not by training.

It is distilled from a :class:`~avatargan.networks.generator.Generator`, whose mapping and w it
shares; see :mod:`avatargan.training.recolouring`.
"""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from avatargan.attributes import Taxonomy
from avatargan.errors import WeightsError
from avatargan.networks.conditional import embedding_dims, read_attributes
from avatargan.networks.generator import (
    PALETTE_EMBEDDING,
    STYLE_EMBEDDING,
    W_DIM,
    Z_DIM,
    Generator,
    channels_by_size,
    sizes_up_to_resolution,
)
from avatargan.networks.layers import EqualConv2d, ModulatedConv2d, leaky_relu, upsample
from avatargan.weights_header import WeightsHeader

#: Feature channels of the parts, in the shipped network and in every one that is trained anew.
PART_CHANNELS = 16
#: The parts read the features of the last so many sizes.
SIZES_READ = 3


class Part(nn.Module):
    """Paints what one attribute of the palette colours."""

    def __init__(self, channels: int, embedding_dim: int) -> None:
        super().__init__()
        self.shade = ModulatedConv2d(channels, channels, 1, embedding_dim)
        self.to_rgb = ModulatedConv2d(channels, 3, 1, embedding_dim, demodulate=False)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Map features ``[B, C, H, W]`` and an embedding ``[B, dim]`` to colours everywhere."""
        painted: Tensor = self.to_rgb(leaky_relu(self.shade(x, embedding)), embedding)
        return painted


class Parts(nn.Module):
    """Finds and paints what each attribute of the palette colours.

    Args:
        in_channels: channels of the features that are read, by size, the smallest first.
        channels: feature channels of the parts themselves.
        palette_dims: width of the embedding of each attribute, in the order of the taxonomy.
    """

    def __init__(
        self, in_channels: Mapping[int, int], channels: int, palette_dims: Mapping[str, int]
    ) -> None:
        super().__init__()
        self.sizes = tuple(in_channels)
        self.palette_dims = dict(palette_dims)
        self.read = nn.ModuleDict(
            {str(size): EqualConv2d(width, channels, 1) for size, width in in_channels.items()}
        )
        self.read_image = EqualConv2d(3, channels, 1, bias=False)
        self.look = EqualConv2d(channels, channels, 3)
        self.find = EqualConv2d(channels, len(palette_dims), 1)
        self.paint = nn.ModuleDict(
            {name: Part(channels, dim) for name, dim in palette_dims.items()}
        )

    def part(self, name: str) -> Part:
        """Return what paints one attribute."""
        part = self.paint[name]
        assert isinstance(part, Part)
        return part

    def reader(self, size: int) -> EqualConv2d:
        """Return what reads the features of one size."""
        reader = self.read[str(size)]
        assert isinstance(reader, EqualConv2d)
        return reader

    def features(self, image: Tensor, features: Mapping[int, Tensor]) -> Tensor:
        """Return what everything below reads, ``[B, C, H, W]``."""
        x: Tensor | None = None
        for size in self.sizes:
            seen: Tensor = self.read[str(size)](features[size])
            x = seen if x is None else upsample(x) + seen
        assert x is not None
        return leaky_relu(self.look(leaky_relu(x + self.read_image(image))))

    def masks(self, x: Tensor) -> Tensor:
        """Return where the parts are, ``[B, attributes, H, W]`` in [0, 1]."""
        return torch.sigmoid(self.find(x))

    def forward(self, image: Tensor, features: Mapping[int, Tensor], palette: Tensor) -> Tensor:
        """Paint the parts of a picture ``[B, 3, H, W]``, in the order of the taxonomy.

        Args:
            image: what the blocks drew.
            features: theirs, by size.
            palette: the embeddings side by side, ``[B, palette_dim]``.
        """
        x = self.features(image, features)
        embeddings = torch.split(palette, list(self.palette_dims.values()), dim=1)
        masks = torch.split(self.masks(x), 1, dim=1)
        for part, mask, embedding in zip(self.paint.values(), masks, embeddings, strict=True):
            image = image + mask * (part(x, embedding) - image)
        return image


class RecolouringGenerator(Generator):
    """A generator whose palette colours parts that it finds; arguments as of the base.

    Args:
        part_channels: feature channels of the parts.
    """

    architecture = "avatar-recolouring"

    def __init__(
        self,
        attributes: Taxonomy,
        *,
        z_dim: int,
        w_dim: int,
        channels: Mapping[int, int],
        embedding_dims: Mapping[str, int],
        mapping_layers: int = 3,
        part_channels: int = PART_CHANNELS,
    ) -> None:
        super().__init__(
            attributes,
            z_dim=z_dim,
            w_dim=w_dim,
            channels=channels,
            embedding_dims=embedding_dims,
            mapping_layers=mapping_layers,
        )
        self.painter: Parts | None = None
        if attributes.palette:
            self.painter = Parts(
                {size: channels[size] for size in sorted(channels)[-SIZES_READ:]},
                part_channels,
                {name: embedding_dims[name] for name in attributes.palette},
            )

    @classmethod
    def from_header(cls, header: WeightsHeader) -> Self:
        """See :meth:`ConditionalGenerator.from_header`."""
        attributes = read_attributes(header)
        return cls(
            attributes,
            z_dim=header.integer("z_dim"),
            w_dim=header.integer("w_dim"),
            channels={
                size: header.shape(f"blocks.{size}.conv1.weight", 4)[0]
                for size in sizes_up_to_resolution(header)
            },
            embedding_dims=embedding_dims(header),
            mapping_layers=header.count("mapping.{}.weight"),
            part_channels=(
                header.shape("painter.look.weight", 4)[0] if attributes.palette else PART_CHANNELS
            ),
        )

    @classmethod
    def for_training(cls, attributes: Taxonomy, resolution: int, width: float = 1.0) -> Self:
        """See :meth:`ConditionalGenerator.for_training`."""
        return cls(
            attributes,
            z_dim=Z_DIM,
            w_dim=W_DIM,
            channels=channels_by_size(resolution, width),
            embedding_dims={
                name: STYLE_EMBEDDING if name == attributes.identity else PALETTE_EMBEDDING
                for name in attributes
            },
            part_channels=max(round(PART_CHANNELS * width), 4),
        )

    def sees_palette(self, size: int) -> bool:
        """See :meth:`Generator.sees_palette`: none does."""
        return False

    def synthesis_from_embedding(self, w: Tensor, palette: Tensor) -> Tensor:
        """See :meth:`ConditionalGenerator.synthesis_from_embedding`."""
        image, features = self.body(w, palette)
        if self.painter is None:
            return image
        painted: Tensor = self.painter(image, features, palette.expand(w.shape[0], -1))
        return painted

    def parts(self, w: Tensor) -> Tensor:
        """Return where each attribute of the palette has its say, whatever the colours.

        Args:
            w: ``[B, w_dim]`` or ``[B, blocks, w_dim]``, truncated or not.

        Returns:
            Soft masks ``[B, attributes, resolution, resolution]`` in [0, 1], in the order of the
            palette: for the shipped weights hair, then eyes.

        Raises:
            WeightsError: these weights have no palette.
        """
        if self.painter is None:
            raise WeightsError("these weights have no palette, and so no parts that it colours")
        image, features = self.body(w, w.new_zeros(1, 0))
        masks: Tensor = self.painter.masks(self.painter.features(image, features))
        return masks
