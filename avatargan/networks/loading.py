"""Networks from weights files: every size is read from the header or from the tensors."""

from pathlib import Path

import torch

from avatargan.networks.conditional import ConditionalCritic, ConditionalGenerator
from avatargan.networks.registry import family_of
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


def load_generator(path: str | Path | None = None) -> ConditionalGenerator:
    """Return the generator of a weights file (the shipped one by default), ready to draw.

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    return generator_from_weights(
        read_weights(path or shipped_weights(SHIPPED_GENERATOR), GENERATOR_ROLE)
    )


def generator_from_weights(weights: WeightsFile) -> ConditionalGenerator:
    """Return the generator of a weights file that is in memory; errors as above."""
    with torch.device("meta"):
        generator = family_of(weights).generator.from_header(weights)
    weights.give_to(generator)
    return generator.eval().requires_grad_(False)


def load_critic(path: str | Path | None = None) -> ConditionalCritic:
    """Return the critic of a weights file (the shipped one by default); errors as above."""
    return critic_from_weights(read_weights(path or shipped_weights(SHIPPED_CRITIC), CRITIC_ROLE))


def critic_from_weights(weights: WeightsFile) -> ConditionalCritic:
    """Return the critic of a weights file that is in memory; errors as above."""
    with torch.device("meta"):
        critic = family_of(weights).critic.from_header(weights)
    weights.give_to(critic)
    return critic.eval().requires_grad_(False)


def load_upscaler(path: str | Path | None = None) -> Upscaler:
    """Return the upscaler of a weights file (the shipped one by default); errors as above."""
    weights = read_weights(path or shipped_weights(SHIPPED_UPSCALER), UPSCALER_ROLE)
    with torch.device("meta"):
        upscaler = Upscaler(
            channels=weights.shape("head.weight", 4)[0], depth=weights.count("body.{}.weight")
        )
    weights.give_to(upscaler)
    return upscaler.eval().requires_grad_(False)
