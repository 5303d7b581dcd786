"""How alike two faces are: by what the critic sees, by pixels, and by lines.

The critic learnt to tell drawings apart that have these attributes; its features at 16 and 8 px,
compared place by place with their length taken out (as LPIPS does, arXiv 1801.03924, without its
learnt weights), follow shapes more than colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from avatargan.networks.critic import Critic
from avatargan.networks.layers import leaky_relu

#: Sides of the feature maps that are compared, in pixels.
FEATURE_SIZES = (16, 8)
#: Side at which lines are compared.
LINE_SIZE = 64
_EPSILON = 1e-6


@dataclass(frozen=True)
class Distances:
    """How far pictures are apart, ``[B]`` each.

    Attributes:
        features: mean squared difference of the critic's unit-length features.
        pixels: mean absolute difference, 0 to 1.
        lines: one less the correlation of their edges.
    """

    features: Tensor
    pixels: Tensor
    lines: Tensor


def critic_features(critic: Critic, pictures: Tensor) -> list[Tensor]:
    """Return feature maps of unit length at every place, by :data:`FEATURE_SIZES`.

    Args:
        critic: trained on pictures of this size.
        pictures: ``[B, 3, R, R]`` in [-1, 1].
    """
    x = leaky_relu(critic.from_rgb(pictures))
    maps = []
    for block in critic.blocks.values():
        x = block(x)
        if x.shape[2] in FEATURE_SIZES:
            maps.append(x / (x.square().sum(1, keepdim=True).sqrt() + _EPSILON))
        if x.shape[2] == min(FEATURE_SIZES):
            break
    return maps


def feature_distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Return the mean over maps and places of the squared difference, ``[B]``."""
    each = [(a - b).square().sum(1).mean((1, 2)) for a, b in zip(first, second, strict=True)]
    return torch.stack(each).mean(0)


def edges(pictures: Tensor) -> Tensor:
    """Return how bright pictures change to the right and downwards, ``[B, 2, H, W]``."""
    gray = pictures.mean(1, keepdim=True)
    right = functional.pad(gray[..., 1:] - gray[..., :-1], (0, 1))
    down = functional.pad(gray[..., 1:, :] - gray[..., :-1, :], (0, 0, 0, 1))
    return torch.cat([right, down], dim=1)


def line_distance(first: Tensor, second: Tensor) -> Tensor:
    """Return one less the correlation of where pictures have edges, ``[B]``."""
    flat = []
    for pictures in (first, second):
        small = functional.interpolate(pictures, (LINE_SIZE, LINE_SIZE), mode="area")
        strength = edges(small).square().sum(1).add(1e-8).sqrt()
        # A line that is off by a pixel is nearly right.
        strength = functional.avg_pool2d(strength[:, None], 3, 1, 1).flatten(1)
        strength = strength - strength.mean(1, keepdim=True)
        flat.append(strength / (strength.norm(dim=1, keepdim=True) + _EPSILON))
    apart: Tensor = 1 - (flat[0] * flat[1]).sum(1)
    return apart


@torch.inference_mode()
def distances(critic: Critic, first: Tensor, second: Tensor) -> Distances:
    """Return how far pictures are from others, one by one.

    Args:
        critic: see :func:`critic_features`.
        first: ``[B, 3, R, R]`` in [-1, 1].
        second: as many, or one that all are compared with.
    """
    second = second.expand(len(first), -1, -1, -1)
    features = feature_distance(critic_features(critic, first), critic_features(critic, second))
    pixels = (first.clamp(-1, 1) - second.clamp(-1, 1)).abs().mean((1, 2, 3)) / 2
    return Distances(features, pixels, line_distance(first, second))
