"""The critic: scores how real a picture with given attributes looks, and reads the attributes.

Residual StyleGAN2 critic (arXiv 1912.04958) with a projection on the labels (arXiv 1802.05637)
and auxiliary classifiers (arXiv 1610.09585).
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatargan.attributes import UNKNOWN, Taxonomy
from avatargan.networks.conditional import ConditionalCritic, read_attributes
from avatargan.networks.generator import channels_by_size, sizes_up_to_resolution
from avatargan.networks.layers import (
    EPSILON,
    EqualConv2d,
    EqualLinear,
    embedding_table,
    full_precision,
    leaky_relu,
)
from avatargan.weights_header import WeightsHeader

#: Pictures that share one minibatch statistic.
STATISTIC_GROUP = 8
#: The skip and the branch of a residual block are added at unit variance.
RESIDUAL_GAIN = 0.7071


class CriticBlock(nn.Module):
    """A residual block that halves the size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv0 = EqualConv2d(in_channels, in_channels, 3)
        self.conv1 = EqualConv2d(in_channels, out_channels, 3)
        self.skip = EqualConv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in, H, W]`` to ``[B, out, H/2, W/2]``."""
        y = leaky_relu(self.conv1(functional.avg_pool2d(leaky_relu(self.conv0(x)), 2)))
        skip: Tensor = self.skip(functional.avg_pool2d(x, 2))
        return RESIDUAL_GAIN * (y + skip)


class Critic(ConditionalCritic):
    """The shipped critic: residual blocks and a minibatch statistic.

    Args:
        attributes: the taxonomy; kept as the attribute of the same name.
        channels: feature channels by size in pixels, from the picture's down to 4 px.
        feature_dim: width of the features that scores and classes are read from.
    """

    architecture = "avatar"

    def __init__(
        self, attributes: Taxonomy, *, channels: Mapping[int, int], feature_dim: int = 256
    ) -> None:
        super().__init__(attributes, max(channels))
        sizes = sorted(channels, reverse=True)
        self.from_rgb = EqualConv2d(3, channels[sizes[0]], 1)
        self.blocks = nn.ModuleDict(
            {
                str(size): CriticBlock(channels[size], channels[smaller])
                for size, smaller in pairwise(sizes)
            }
        )
        last = channels[sizes[-1]]
        self.final_conv = EqualConv2d(last + 1, last, 3)
        self.features = EqualLinear(last * sizes[-1] ** 2, feature_dim)
        self.score = EqualLinear(feature_dim, 1)
        self.project = nn.ModuleDict(
            {name: embedding_table(len(attributes[name]), feature_dim) for name in attributes}
        )
        self.classify = nn.ModuleDict(
            {
                name: EqualLinear(feature_dim, len(attributes.offered(name)))
                for name in attributes.palette
                if UNKNOWN in attributes[name] or len(attributes[name]) > 1
            }
        )
        # One embedding per attribute is summed; the shipped weights hold 1.7 for their three.
        self.projection_gain = 1 / math.sqrt(feature_dim) / 1.7

    @classmethod
    def from_header(cls, header: WeightsHeader) -> Self:
        """See :meth:`ConditionalCritic.from_header`."""
        channels = {
            size: header.shape(f"blocks.{size}.conv0.weight", 4)[0]
            for size in sizes_up_to_resolution(header)
            if size > 4
        }
        channels[4] = header.shape("final_conv.weight", 4)[0]
        return cls(
            read_attributes(header),
            channels=channels,
            feature_dim=header.shape("features.weight", 2)[0],
        )

    @classmethod
    def for_training(cls, attributes: Taxonomy, resolution: int, width: float = 1.0) -> Self:
        """See :meth:`ConditionalCritic.for_training`."""
        return cls(attributes, channels=channels_by_size(resolution, width))

    def forward(
        self, image: Tensor, labels: Mapping[str, Tensor], groups: int = 1
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See :meth:`ConditionalCritic.forward`."""
        x = leaky_relu(self.from_rgb(image))
        for block in self.blocks.values():
            x = block(x)
        with full_precision(x.device):
            x = x.to(self.final_conv.weight.dtype)
            statistic = torch.cat([minibatch_statistic(part) for part in x.chunk(groups)])
            x = leaky_relu(self.final_conv(torch.cat([x, statistic], dim=1)))
            h = leaky_relu(self.features(x.flatten(1)))  # [B, feature_dim]
            projection = torch.stack([table(labels[name]) for name, table in self.project.items()])
            score = self.score(h).squeeze(1) + (h * projection.sum(0)).sum(1) * self.projection_gain
            return score, {name: classifier(h) for name, classifier in self.classify.items()}

    def early_layers(self, count: int) -> list[nn.Module]:
        """See :meth:`ConditionalCritic.early_layers`."""
        return [self.from_rgb, *list(self.blocks.values())[:count]] if count else []


def minibatch_statistic(x: Tensor) -> Tensor:
    """Return how much the pictures of a group of 8 differ, as a channel ``[B, 1, H, W]``.

    The standard deviation over the group (biased), averaged over channels and places (arXiv
    1710.10196). Sample i belongs to group ``i mod (B / 8)``.

    Raises:
        ValueError: the batch is not a multiple of the group.
    """
    batch, _, height, width = x.shape
    group = min(STATISTIC_GROUP, batch)
    if batch % group:
        raise ValueError(f"a batch of {batch} pictures cannot be split into groups of {group}")
    grouped = x.reshape(group, batch // group, *x.shape[1:])
    deviation = torch.sqrt(grouped.var(dim=0, unbiased=False) + EPSILON)  # [B/8, C, H, W]
    mean = deviation.mean(dim=(1, 2, 3))  # [B/8]
    return mean.repeat(group)[:, None, None, None].expand(batch, 1, height, width)
