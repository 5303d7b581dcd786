"""Networks from weights files: every size is read from the header or from the tensors."""

from pathlib import Path

import torch
from torch import nn

from avatargan.errors import WeightsError
from avatargan.networks.critic import Critic
from avatargan.networks.generator import Generator
from avatargan.networks.upscaler import Upscaler
from avatargan.weights import WeightsFile, read_weights
from avatargan.weights_header import (
    CRITIC_ROLE,
    GENERATOR_ROLE,
    SHIPPED_CRITIC,
    SHIPPED_GENERATOR,
    SHIPPED_UPSCALER,
    UPSCALER_ROLE,
    shipped_weights,
)


def load_generator(path: str | Path | None = None) -> Generator:
    """Return the generator of a weights file (the shipped one by default), ready to draw.

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    return generator_from_weights(
        read_weights(path or shipped_weights(SHIPPED_GENERATOR), GENERATOR_ROLE)
    )


def generator_from_weights(weights: WeightsFile) -> Generator:
    """Return the generator of a weights file that is in memory; errors as above."""
    attributes = weights.attributes
    for name in attributes:
        if hasattr(nn.ModuleDict, name):  # torch keeps the embeddings under their names
            raise WeightsError(f"{weights.path}: '{name}' cannot be the name of an attribute")
    channels = {
        size: weights.shape(f"blocks.{size}.conv1.weight", 4)[0] for size in _sizes(weights)
    }
    with torch.device("meta"):
        generator = Generator(
            attributes,
            z_dim=weights.integer("z_dim"),
            w_dim=weights.integer("w_dim"),
            channels=channels,
            embedding_dims={
                name: weights.shape(f"embed.{name}.weight", 2)[1] for name in attributes
            },
            mapping_layers=_count(weights, "mapping.{}.weight"),
        )
    weights.give_to(generator)
    return generator.eval().requires_grad_(False)


def load_critic(path: str | Path | None = None) -> Critic:
    """Return the critic of a weights file (the shipped one by default); errors as above."""
    weights = read_weights(path or shipped_weights(SHIPPED_CRITIC), CRITIC_ROLE)
    attributes = weights.attributes
    channels = {
        size: weights.shape(f"blocks.{size}.conv0.weight", 4)[0]
        for size in _sizes(weights)
        if size > 4
    }
    channels[4] = weights.shape("final_conv.weight", 4)[0]
    with torch.device("meta"):
        critic = Critic(
            attributes, channels=channels, feature_dim=weights.shape("features.weight", 2)[0]
        )
    weights.give_to(critic)
    return critic.eval().requires_grad_(False)


def load_upscaler(path: str | Path | None = None) -> Upscaler:
    """Return the upscaler of a weights file (the shipped one by default); errors as above."""
    weights = read_weights(path or shipped_weights(SHIPPED_UPSCALER), UPSCALER_ROLE)
    with torch.device("meta"):
        upscaler = Upscaler(
            channels=weights.shape("head.weight", 4)[0], depth=_count(weights, "body.{}.weight")
        )
    weights.give_to(upscaler)
    return upscaler.eval().requires_grad_(False)


def _sizes(weights: WeightsFile) -> list[int]:
    """Return 4, 8, ... up to the resolution in the header.

    Raises:
        WeightsError: the resolution is not a power of two from 8 to 1024.
    """
    resolution = weights.integer("resolution")
    sizes = [2**power for power in range(2, 11)]
    if resolution not in sizes[1:]:
        raise WeightsError(
            f"{weights.path}: the resolution in the header is {resolution}, "
            "expected a power of two from 8 to 1024"
        )
    return sizes[: sizes.index(resolution) + 1]


def _count(weights: WeightsFile, pattern: str) -> int:
    """Return how many tensors are named by the pattern with 0, 1, 2, ..."""
    count = 0
    while pattern.format(count) in weights.tensors:
        count += 1
    return count
