"""The layers that generator and critic share, with equalised learning rates.

Parameters are stored at unit variance and scaled at run time, so that Adam moves all of them at
the same relative speed (Karras et al., "Progressive Growing of GANs", arXiv 1710.10196).
"""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Keeps the variance of a leaky ReLU's output near its input's; 1.4, not the square root of 2.
ACTIVATION_GAIN = 1.4
ACTIVATION_SLOPE = 0.2
#: Under the square roots of normalisations.
EPSILON = 1e-8


def leaky_relu(x: Tensor) -> Tensor:
    """``1.4 * leaky_relu(x, 0.2)``, the activation used everywhere."""
    return functional.leaky_relu(x, ACTIVATION_SLOPE) * ACTIVATION_GAIN


def upsample(x: Tensor) -> Tensor:
    """Bilinear x2 upsampling of ``[B, C, H, W]``."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def standard_normal(*shape: int) -> Tensor:
    """Return values from N(0, 1); on the "meta" device a shape without values.

    There ``torch.randn`` and ``normal_`` would import torch's compiler, which makes loading
    weights slower by more than a second and the process larger by tens of megabytes.
    """
    values = torch.empty(shape)
    return values if values.is_meta else values.normal_()


def embedding_table(rows: int, dim: int) -> nn.Embedding:
    """Return a trainable embedding, initialised as torch does it (see above for why by hand)."""
    return nn.Embedding(rows, dim, _weight=standard_normal(rows, dim))


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which autocast computes nothing in bf16.

    For the few cheap operations whose small differences and squares bf16, with its 8 bits, loses:
    minibatch statistics, demodulation, the last layers of a critic (as StyleGAN2-ADA does,
    arXiv 2006.06676). Where autocast is off it does nothing.
    """
    if device.type not in ("cpu", "cuda") or not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


class EqualLinear(nn.Module):
    """``y = x @ (weight * lr_mul / sqrt(in)).T + bias * lr_mul``.

    Args:
        in_features: width of x, ``[B, in]``.
        out_features: width of y, ``[B, out]``.
        lr_mul: factor on the learning rate; below 1 for the mapping, which must learn slowly.
        bias_init: what ``bias * lr_mul`` starts at.
    """

    def __init__(
        self, in_features: int, out_features: int, lr_mul: float = 1.0, bias_init: float = 0.0
    ) -> None:
        super().__init__()
        self.lr_mul = lr_mul
        self.weight_gain = lr_mul / math.sqrt(in_features)
        self.weight = nn.Parameter(standard_normal(out_features, in_features).mul_(1 / lr_mul))
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_mul))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in]`` to ``[B, out]``."""
        return functional.linear(x, self.weight * self.weight_gain, self.bias * self.lr_mul)


class EqualConv2d(nn.Module):
    """ "Same" convolution with the kernel ``weight / sqrt(in * k * k)``."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True
    ) -> None:
        super().__init__()
        self.padding = kernel_size // 2
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)
        self.weight = nn.Parameter(
            standard_normal(out_channels, in_channels, kernel_size, kernel_size)
        )
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in, H, W]`` to ``[B, out, H, W]``."""
        return functional.conv2d(x, self.weight * self.weight_gain, self.bias, padding=self.padding)


class ModulatedConv2d(nn.Module):
    """Convolution whose input channels a style scales, StyleGAN2's way (arXiv 1912.04958).

    Scaling the activations instead of the kernel, and dividing the output by the norm that the
    scaled kernel would have, gives the same result with one dense convolution for the whole
    batch in place of one group per picture.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: 1 or 3.
        style_dim: width of the style vector.
        demodulate: whether each output channel is brought back to unit variance.
        upsample: whether the output has twice the size; the upsampling follows the convolution,
            which costs a quarter of the other order.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        style_dim: int,
        demodulate: bool = True,
        upsample: bool = False,
    ) -> None:
        super().__init__()
        self.demodulate = demodulate
        self.upsample = upsample
        self.padding = kernel_size // 2
        self.weight_gain = 1 / math.sqrt(in_channels * kernel_size**2)
        self.weight = nn.Parameter(
            standard_normal(out_channels, in_channels, kernel_size, kernel_size)
        )
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.affine = EqualLinear(style_dim, in_channels, bias_init=1.0)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map x ``[B, in, H, W]`` and style ``[B, style_dim]`` to ``[B, out, H', W']``."""
        kernel = self.weight * self.weight_gain
        with full_precision(x.device):
            scale = self.affine(style.to(self.weight.dtype))  # [B, in]
            if self.demodulate:
                norm = torch.rsqrt(scale.square() @ self.kernel_energy().T + EPSILON)  # [B, out]
        scaled = x * scale[:, :, None, None].to(x.dtype)
        y = functional.conv2d(scaled, kernel, padding=self.padding)
        if self.demodulate:
            y = y * norm[:, :, None, None].to(y.dtype)
        if self.upsample:
            y = upsample(y)
        return y + self.bias[:, None, None]

    def kernel_energy(self) -> Tensor:
        """Return the squared norm of the kernel between each pair of channels, ``[out, in]``."""
        return (self.weight * self.weight_gain).square().sum(dim=(2, 3))
