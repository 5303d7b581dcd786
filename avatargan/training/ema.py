"""Averaging the generator over its recent past.

The average draws better than the weights of any one moment (Yazici et al., arXiv 1806.04498).
"""

import copy

import torch
from torch import Tensor, nn

from avatargan.networks import ConditionalGenerator

#: The average never reaches back further than this part of what was seen: early in a run the
#: past is bad (as in StyleGAN2-ADA, arXiv 2006.06676).
LARGEST_PART = 0.05


def ema_decay(batch: int, images_seen: int, half_life: float) -> float:
    """Return what is kept of the average in a step: ``0.5 ** (batch / half-life)``.

    Args:
        batch: images seen in the step.
        images_seen: images seen before it.
        half_life: in images; shorter while less than 20 half-lives were seen.
    """
    half_life = min(half_life, LARGEST_PART * images_seen)
    return 0.5 ** (batch / half_life) if half_life > 0 else 0.0


class Ema:
    """An exponential moving average of a generator's weights.

    Attributes:
        generator: the average; what it needs beside the weights is brought up to date with
            :meth:`ConditionalGenerator.update_statistics` before it draws.
    """

    def __init__(self, generator: ConditionalGenerator, half_life: float) -> None:
        self.generator = copy.deepcopy(generator).eval().requires_grad_(False)
        self.half_life = half_life

    @torch.no_grad()
    def update(self, generator: nn.Module, batch: int, images_seen: int) -> None:
        """Move the average towards the weights after a step.

        Args:
            generator: with the weights of now, of the same parameters.
            batch: images seen in the step.
            images_seen: images seen before it.
        """
        averages, values = parameters_of(self.generator), parameters_of(generator)
        if averages.keys() != values.keys():
            raise ValueError("the average is of a network with other parameters")
        weight = 1 - ema_decay(batch, images_seen, self.half_life)
        torch._foreach_lerp_(list(averages.values()), list(values.values()), weight)


def parameters_of(network: nn.Module) -> dict[str, Tensor]:
    """Return the parameters by name."""
    return dict(network.named_parameters())
