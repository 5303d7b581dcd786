"""Smaller networks from larger ones: the layers that touch pixels are fitted anew.

The lower blocks of a generator do not draw a finished picture: the blocks above them add most of
the contrast. So the last layer to RGB of a smaller generator is fitted to draw what the larger one
draws, averaged down, and the first layer from RGB of a smaller critic to give the features that the
larger one computes. Both are linear least squares, in closed form, on pictures that the larger
generator draws: no data is needed.
"""

import functools

import torch
from torch import Tensor
from torch.nn import functional

from avatargan.networks import ConditionalGenerator, Critic, Generator
from avatargan.networks.generator import SynthesisBlock
from avatargan.networks.layers import (
    ACTIVATION_GAIN,
    ACTIVATION_SLOPE,
    leaky_relu,
    upsample,
)
from avatargan.training.randomness import StepRandom

#: Pictures to fit with: far more pixels than numbers to find.
PICTURES = 24
_BATCH = 8
_REFITTING = 13


@torch.no_grad()
def refit_generator(new: Generator, old: Generator, seed: int = 0) -> None:
    """Fit the last layer to RGB of a smaller generator to a larger one.

    Their taxonomies may differ: the layer does not see the labels.

    Args:
        new: with the lower blocks of the old one, of the same width; changed in place.
        old: what it is to draw like.
        seed: decides the pictures.
    """
    block = old.blocks[str(new.resolution)]
    assert isinstance(block, SynthesisBlock)
    features: list[Tensor] = []
    rgbs: list[Tensor] = []
    hooks = [
        each.register_forward_hook(lambda *call: rgbs.append(call[2][1]))
        for each in old.blocks.values()
    ]
    hooks.append(
        block.to_rgb.register_forward_hook(
            lambda layer, inputs, _: features.append(
                inputs[0] * layer.affine(inputs[1])[:, :, None, None]
            )
        )
    )
    fit = _LeastSquares()
    for z, labels in _latents(old, seed):
        image = averaged_down(old.draw(z, labels), new.resolution)
        lower = [rgb for rgb in rgbs if rgb.shape[-1] < new.resolution]
        below = functools.reduce(lambda total, rgb: rgb + upsample(total), lower)
        fit.add(features.pop(), image - upsample(below))
        rgbs.clear()
    for hook in hooks:
        hook.remove()
    weight, bias = fit.solve()
    own = new.blocks[str(new.resolution)]
    assert isinstance(own, SynthesisBlock)
    own.to_rgb.weight.copy_(weight[:, :, None, None] / own.to_rgb.weight_gain)
    own.to_rgb.bias.copy_(bias)


@torch.no_grad()
def refit_critic(new: Critic, old: Critic, generator: ConditionalGenerator, seed: int = 0) -> None:
    """Fit the first layer from RGB of a smaller critic to a larger one.

    Args:
        new: with the lower blocks of the old one; changed in place.
        old: whose features it is to compute.
        generator: of the old one's resolution; draws the pictures.
        seed: decides the pictures.
    """
    fit = _LeastSquares()
    for z, labels in _latents(generator, seed):
        image = generator.draw(z, labels)
        x = leaky_relu(old.from_rgb(image))
        for size, block in old.blocks.items():
            if int(size) > new.resolution:
                x = block(x)
        # What the new layer must give before its activation.
        slope = torch.where(x > 0, 1.0, ACTIVATION_SLOPE) * ACTIVATION_GAIN
        fit.add(averaged_down(image, new.resolution), x / slope)
    weight, bias = fit.solve()
    layer = new.from_rgb
    layer.weight.copy_(weight[:, :, None, None] / layer.weight_gain)
    assert layer.bias is not None
    layer.bias.copy_(bias)


class _LeastSquares:
    """Finds the matrix and bias that map features to targets best, pixel by pixel."""

    def __init__(self) -> None:
        self.squares = torch.zeros(0)
        self.products = torch.zeros(0)

    def add(self, features: Tensor, targets: Tensor) -> None:
        """Count pixels: features ``[B, C, H, W]`` and targets ``[B, D, H, W]``."""
        rows = features.double().permute(0, 2, 3, 1).flatten(0, 2)
        rows = torch.cat([rows, torch.ones_like(rows[:, :1])], dim=1)  # [pixels, C + 1]
        wanted = targets.double().permute(0, 2, 3, 1).flatten(0, 2)
        squares, products = rows.T @ rows, rows.T @ wanted
        if self.squares.numel():
            squares, products = squares + self.squares, products + self.products
        self.squares, self.products = squares, products

    def solve(self) -> tuple[Tensor, Tensor]:
        """Return the matrix ``[D, C]`` and the bias ``[D]``."""
        # A little ridge keeps features that hardly occur from getting wild weights.
        ridge = 1e-4 * self.squares.diagonal().mean() * torch.eye(len(self.squares))
        solution = torch.linalg.solve(self.squares + ridge, self.products)
        return solution[:-1].T.float(), solution[-1].float()


def averaged_down(image: Tensor, resolution: int) -> Tensor:
    """Return pictures of a smaller resolution, areas averaged."""
    return functional.avg_pool2d(image, image.shape[-1] // resolution)


def _latents(generator: ConditionalGenerator, seed: int) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """Return latents and labels of all kinds, in batches."""
    batches = []
    for number in range(PICTURES // _BATCH):
        random = StepRandom((seed, _REFITTING, number))
        labels = {
            name: (random.uniform(_BATCH) * len(choices)).long()
            for name, choices in generator.attributes.items()
        }
        batches.append((random.normal(_BATCH, generator.z_dim), labels))
    return batches
