"""The generator: z and attributes to a picture.

A conditional DCGAN grown up: all-convolutional, with StyleGAN2's modulation and RGB skips
(arXiv 1912.04958). Its one idea: the identity attribute (style) acts from 4 px up, the palette
(hair, eyes, whatever the header of the weights names) only from 16 px up, so that changing a
colour cannot change who the character is.
"""

from collections.abc import Iterable, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from avatargan.attributes import Taxonomy
from avatargan.errors import WeightsError
from avatargan.networks.conditional import (
    ConditionalGenerator,
    LatentBatch,
    embedding_dims,
    look_up,
    read_attributes,
)
from avatargan.networks.layers import (
    EPSILON,
    EqualLinear,
    ModulatedConv2d,
    leaky_relu,
    standard_normal,
    upsample,
)
from avatargan.weights_header import WeightsHeader

#: From this size in pixels up the palette is seen.
PALETTE_FROM_SIZE = 16
#: The mapping learns a hundred times more slowly than the rest, as in StyleGAN.
MAPPING_LR_MUL = 0.01
#: Widths of the shipped network, and of every one that is trained anew.
Z_DIM = 128
W_DIM = 256
STYLE_EMBEDDING = 32
PALETTE_EMBEDDING = 48


class MappingNetwork(nn.ModuleList):
    """z and the style to w: pixel norm, then fully connected layers."""

    def __init__(
        self, z_dim: int, w_dim: int, layers: int, style_embedding: nn.Embedding | None
    ) -> None:
        style_dim = style_embedding.embedding_dim if style_embedding is not None else 0
        super().__init__(
            EqualLinear(z_dim + style_dim if index == 0 else w_dim, w_dim, MAPPING_LR_MUL)
            for index in range(layers)
        )
        # In a list, so that the table is registered once, by the generator that owns it.
        self._style_embedding = [style_embedding]

    def forward(self, z: Tensor, style: Tensor | None = None) -> Tensor:
        """Return w ``[B, w_dim]``, not truncated.

        Args:
            z: latents ``[B, z_dim]``, drawn from N(0, 1).
            style: indices ``[B]`` or mixed embeddings ``[B, style_dim]``; left out where the
                weights have no style.
        """
        w = z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON)
        (table,) = self._style_embedding
        if table is not None:
            if style is None:
                raise TypeError("these weights need a style beside z")
            w = torch.cat([w, look_up(table, style)], dim=1)
        for layer in self:
            w = leaky_relu(layer(w))
        return w


class SynthesisBlock(nn.Module):
    """Two modulated convolutions and an RGB skip at one size."""

    def __init__(
        self, in_channels: int, out_channels: int, style_dim: int, upsample_first: bool
    ) -> None:
        super().__init__()
        self.conv0 = ModulatedConv2d(
            in_channels, out_channels, 3, style_dim, upsample=upsample_first
        )
        self.conv1 = ModulatedConv2d(out_channels, out_channels, 3, style_dim)
        self.to_rgb = ModulatedConv2d(out_channels, 3, 1, style_dim, demodulate=False)
        self.noise_strength = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features ``[B, out, H, W]`` and what they add to the picture."""
        for index, conv in enumerate((self.conv0, self.conv1)):
            x = conv(x, style)
            if self.training:
                noise = torch.randn_like(x[:, :1])  # [B, 1, H, W]
                x = x + self.noise_strength[index] * noise
            x = leaky_relu(x)
        return x, self.to_rgb(x, style)


class Generator(ConditionalGenerator):
    """The shipped generator: modulated convolutions from a learnt constant.

    Args:
        attributes: the taxonomy; kept as the attribute of the same name.
        z_dim: width of z.
        w_dim: width of w.
        channels: feature channels by size in pixels, each size twice the one before; kept.
        embedding_dims: width of each attribute's embedding.
        mapping_layers: depth of the mapping; kept.
    """

    architecture = "avatar"

    def __init__(
        self,
        attributes: Taxonomy,
        *,
        z_dim: int,
        w_dim: int,
        channels: Mapping[int, int],
        embedding_dims: Mapping[str, int],
        mapping_layers: int = 3,
    ) -> None:
        super().__init__(
            attributes,
            z_dim=z_dim,
            w_dim=w_dim,
            resolution=max(channels),
            embedding_dims=embedding_dims,
        )
        self.mapping = MappingNetwork(z_dim, w_dim, mapping_layers, self.style_table)
        smallest = min(channels)
        self.const = nn.Parameter(standard_normal(1, channels[smallest], smallest, smallest))
        blocks = {}
        previous = channels[smallest]
        for size in sorted(channels):
            style_dim = w_dim + (self.palette_dim if self.sees_palette(size) else 0)
            blocks[str(size)] = SynthesisBlock(
                previous, channels[size], style_dim, upsample_first=size > smallest
            )
            previous = channels[size]
        self.blocks = nn.ModuleDict(blocks)
        self.blocks_of_w = len(blocks)
        self.channels = dict(channels)
        self.mapping_layers = mapping_layers

    @classmethod
    def from_header(cls, header: WeightsHeader) -> Self:
        """See :meth:`ConditionalGenerator.from_header`."""
        return cls(
            read_attributes(header),
            z_dim=header.integer("z_dim"),
            w_dim=header.integer("w_dim"),
            channels={
                size: header.shape(f"blocks.{size}.conv1.weight", 4)[0]
                for size in sizes_up_to_resolution(header)
            },
            embedding_dims=embedding_dims(header),
            mapping_layers=header.count("mapping.{}.weight"),
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
        )

    def sees_palette(self, size: int) -> bool:
        """Tell whether the block of a size in pixels reads the palette beside w."""
        return size >= PALETTE_FROM_SIZE

    def synthesis_from_embedding(self, w: Tensor, palette: Tensor) -> Tensor:
        """See :meth:`ConditionalGenerator.synthesis_from_embedding`."""
        image, _ = self.body(w, palette)
        return image

    def body(self, w: Tensor, palette: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """Return what the blocks draw, and the features of each by its size in pixels.

        Args:
            w: as for :meth:`synthesis_from_embedding`.
            palette: what :meth:`embed_palette` returned.
        """
        palette = palette.expand(w.shape[0], -1)
        x = self.const.expand(w.shape[0], -1, -1, -1)
        image: Tensor | None = None
        features: dict[int, Tensor] = {}
        for index, (size, block) in enumerate(self.blocks.items()):
            style = w if w.ndim == 2 else w[:, index]
            if self.sees_palette(int(size)):
                style = torch.cat([style, palette], dim=1)
            x, rgb = block(x, style)
            features[int(size)] = x
            image = rgb if image is None else rgb + upsample(image)
        assert image is not None
        return image, features

    def features_at(self, size: int, w: Tensor) -> Tensor:
        """Return the features ``[B, channels, size, size]`` of a block that reads w alone.

        Args:
            size: in pixels, below that from which the palette is seen.
            w: as for :meth:`synthesis_from_embedding`.
        """
        x = self.const.expand(w.shape[0], -1, -1, -1)
        for index, (own, block) in enumerate(self.blocks.items()):
            features: Tensor = block(x, w if w.ndim == 2 else w[:, index])[0]
            if int(own) == size:
                return features
            x = features
        raise ValueError(f"there is no block of {size} px")

    @torch.no_grad()
    def update_statistics(self, batches: Iterable[LatentBatch]) -> None:
        """Set ``w_mean`` to the mean of w for each style, over the latents of the batches."""
        sums = torch.zeros_like(self.w_mean, dtype=torch.float64)
        count = 0
        for z, _ in batches:
            for row in range(len(sums)):
                style = torch.full((len(z),), row, device=z.device)
                sums[row] += self.mapping(z, style).double().sum(0)
            count += len(z)
        self.w_mean.copy_(sums / count)


def channels_by_size(resolution: int, width: float = 1.0) -> dict[int, int]:
    """Return the feature channels of the shipped networks at each size, times ``width``.

    256 up to 32 px, then half as many at each size that doubles.
    """
    sizes = [2**power for power in range(2, resolution.bit_length())]
    full = {size: max(256 >> max(size.bit_length() - 6, 0), 16) for size in sizes}
    return {size: max(round(channels * width), 4) for size, channels in full.items()}


def sizes_up_to_resolution(header: WeightsHeader) -> list[int]:
    """Return 4, 8, ... up to the resolution in a header.

    Raises:
        WeightsError: the resolution is not a power of two from 8 to 1024.
    """
    resolution = header.integer("resolution")
    sizes = [2**power for power in range(2, 11)]
    if resolution not in sizes[1:]:
        raise WeightsError(
            f"{header.path}: the resolution in the header is {resolution}, "
            "expected a power of two from 8 to 1024"
        )
    return sizes[: sizes.index(resolution) + 1]
