"""The generator: z and attributes to a picture.

A conditional DCGAN grown up: all-convolutional, with StyleGAN2's modulation and RGB skips
(arXiv 1912.04958). Its one idea: the identity attribute (style) acts from 4 px up, the palette
(hair, eyes, whatever the header of the weights names) only from 16 px up, so that changing a
colour cannot change who the character is.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatargan.attributes import Taxonomy
from avatargan.latents import truncate
from avatargan.networks.layers import (
    EPSILON,
    EqualLinear,
    ModulatedConv2d,
    embedding_table,
    leaky_relu,
    standard_normal,
    upsample,
)

#: From this size in pixels up the palette is seen.
PALETTE_FROM_SIZE = 16
#: The mapping learns a hundred times more slowly than the rest, as in StyleGAN.
MAPPING_LR_MUL = 0.01


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


class Generator(nn.Module):
    """Draws pictures from latents and attributes.

    Args:
        attributes: the taxonomy; kept as the attribute of the same name.
        z_dim: width of z.
        w_dim: width of w.
        channels: feature channels by size in pixels, each size twice the one before.
        embedding_dims: width of each attribute's embedding.
        mapping_layers: depth of the mapping.
    """

    #: Mean of w for each style, ``[styles, w_dim]`` (one row without styles): the centre of
    #: truncation.
    w_mean: Tensor

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
        super().__init__()
        self.attributes = attributes
        self.z_dim = z_dim
        self.w_dim = w_dim
        self.resolution = max(channels)
        tables = {
            name: embedding_table(len(attributes[name]), embedding_dims[name])
            for name in attributes
        }
        self.embed = nn.ModuleDict(tables)
        identity = attributes.identity
        style_table = tables[identity] if identity is not None else None
        self.mapping = MappingNetwork(z_dim, w_dim, mapping_layers, style_table)
        styles = len(attributes[identity]) if identity is not None else 1
        self.register_buffer("w_mean", torch.zeros(styles, w_dim))

        self.palette_dim = sum(embedding_dims[name] for name in attributes.palette)
        smallest = min(channels)
        self.const = nn.Parameter(standard_normal(1, channels[smallest], smallest, smallest))
        blocks = {}
        previous = channels[smallest]
        for size in sorted(channels):
            style_dim = w_dim + (self.palette_dim if size >= PALETTE_FROM_SIZE else 0)
            blocks[str(size)] = SynthesisBlock(
                previous, channels[size], style_dim, upsample_first=size > smallest
            )
            previous = channels[size]
        self.blocks = nn.ModuleDict(blocks)

    def embed_palette(self, *palette: Tensor, **named: Tensor) -> Tensor:
        """Return the embeddings of all palette attributes side by side, ``[B, palette_dim]``.

        Without any in the taxonomy, one empty row for the whole batch, ``[1, 0]``.

        Each is given as indices ``[B]`` or as embeddings ``[B, dim]``, which may be mixed
        linearly; by position in the order of the taxonomy, or by name.

        Raises:
            TypeError: an attribute is missing, given twice, or not in the palette.
        """
        names = self.attributes.palette
        given = dict(zip(names, palette, strict=False))
        twice = given.keys() & named.keys()
        given |= named
        if len(palette) > len(names) or twice or given.keys() != set(names):
            raise TypeError(f"expected each of {', '.join(names)} once")
        if not names:  # weights may have a style and nothing else
            return self.const.new_zeros(1, 0)
        return torch.cat([look_up(self.embed[name], given[name]) for name in names], dim=1)

    def synthesis(self, w: Tensor, *palette: Tensor, **named: Tensor) -> Tensor:
        """Return pictures ``[B, 3, resolution, resolution]`` in about [-1, 1], not clamped.

        Args:
            w: ``[B, w_dim]``, truncated or not.
            palette: see :meth:`embed_palette`; for the shipped weights ``hair, eyes``.
            named: the same by name.
        """
        return self.synthesis_from_embedding(w, self.embed_palette(*palette, **named))

    def synthesis_from_embedding(self, w: Tensor, palette: Tensor) -> Tensor:
        """Like :meth:`synthesis`, from what :meth:`embed_palette` returned."""
        w_and_palette = torch.cat([w, palette.expand(len(w), -1)], dim=1)
        x = self.const.expand(len(w), -1, -1, -1)
        image: Tensor | None = None
        for size, block in self.blocks.items():
            x, rgb = block(x, w if int(size) < PALETTE_FROM_SIZE else w_and_palette)
            image = rgb if image is None else rgb + upsample(image)
        assert image is not None
        return image

    def forward(
        self, z: Tensor, style: Tensor | None, *palette: Tensor, psi: float = 1.0
    ) -> Tensor:
        """Draw from z in one go: mapping, truncation, synthesis."""
        w = self.truncate(self.mapping(z, style), style, psi)
        return self.synthesis(w, *palette)

    def truncate(self, w: Tensor, style: Tensor | None, psi: float | Tensor) -> Tensor:
        """Pull w towards the mean of its style; see :func:`avatargan.latents.truncate`.

        Args:
            w: ``[B, w_dim]``.
            style: indices ``[B]``, or weights of each style ``[B, styles]``, for mixed styles.
            psi: 1 changes nothing, 0 gives the mean; a number, or ``[B, 1]``.
        """
        if style is None:
            mean = self.w_mean
        elif style.is_floating_point():
            mean = style @ self.w_mean
        else:
            mean = self.w_mean[style]
        truncated: Tensor = truncate(w, mean, psi)
        return truncated


def look_up(table: nn.Module, value: Tensor) -> Tensor:
    """Return the rows of an embedding for indices; embeddings come back as they are."""
    if value.is_floating_point():
        return value
    assert isinstance(table, nn.Embedding)
    return functional.embedding(value, table.weight)
