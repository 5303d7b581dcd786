"""The network of the second look: where in a picture are middles of faces, and how large.

It is fully convolutional and small. Maps of three scales are brought together at an eighth of
the picture's resolution, where each cell answers for a face whose middle lies in it (as in
"Objects as Points", arXiv 1904.07850).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Pixels from one cell of the answer to the next.
STRIDE = 8
#: Sides of pictures must be multiples of this.
MULTIPLE = 32
#: Side of a face for which the answer about the size is 0.
UNIT_SIDE = 40.0
#: Degrees of tilt for which that answer is 1.
UNIT_TILT = 45.0

CHANNELS = (16, 24, 48, 80, 112)
_ANSWERS = 5


class Convolution(nn.Module):
    """3x3 convolution, batch normalisation while training, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in, H, W]`` to ``[B, out, H / stride, W / stride]``."""
        return functional.relu(self.norm(self.conv(x)), inplace=True)

    def fold(self) -> None:
        """Put the normalisation into the convolution; training is over then."""
        norm = self.norm
        if isinstance(norm, nn.BatchNorm2d):
            assert self.conv.bias is not None
            assert norm.running_mean is not None
            assert norm.running_var is not None
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            bias = (self.conv.bias - norm.running_mean) * gain + norm.bias
            with torch.no_grad():
                self.conv.weight.mul_(gain[:, None, None, None])
                self.conv.bias.copy_(bias)
        self.norm = nn.Identity()


class Residual(nn.Module):
    """``relu(x + convolution(convolution(x)))``, the last ReLU after the sum left out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Convolution(channels, channels)
        self.second = Convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape ``[B, C, H, W]``."""
        added: Tensor = self.second(self.first(x))
        return x + added


@dataclass(frozen=True)
class Answer:
    """What the network says of each cell, all ``[B, H / 8, W / 8]``.

    Attributes:
        logit: log odds that the middle of a face is in the cell.
        across, down: from the middle of the cell to that of the face, in cells.
        size: log of the side of the face over :data:`UNIT_SIDE`.
        tilt: clockwise, in units of :data:`UNIT_TILT`.
    """

    logit: Tensor
    across: Tensor
    down: Tensor
    size: Tensor
    tilt: Tensor

    def planes(self) -> tuple[Tensor, ...]:
        """Return all of them, in the order above."""
        return self.logit, self.across, self.down, self.size, self.tilt


class FaceNetwork(nn.Module):
    """Finds the middles of faces.

    Args:
        channels: of the maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution.
    """

    def __init__(self, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        half, quarter, fine, middle, coarse = channels
        self.enter = nn.Sequential(
            Convolution(3, half, 2), Convolution(half, quarter, 2), Convolution(quarter, quarter)
        )
        self.fine = nn.Sequential(Convolution(quarter, fine, 2), Residual(fine))
        self.middle = nn.Sequential(Convolution(fine, middle, 2), Residual(middle))
        self.coarse = nn.Sequential(
            Convolution(middle, coarse, 2), Residual(coarse), Residual(coarse)
        )
        self.coarse_to_middle = nn.Conv2d(coarse, middle, 1)
        self.join_middle = Convolution(middle, middle)
        self.middle_to_fine = nn.Conv2d(middle, fine, 1)
        self.join_fine = Convolution(fine, fine)
        self.head = Convolution(fine, fine)
        self.answer = nn.Conv2d(fine, _ANSWERS, 1)
        if not self.answer.weight.is_meta:
            # Few cells hold a face: training starts from that, not from even odds.
            with torch.no_grad():
                self.answer.weight.mul_(0.1)
                assert self.answer.bias is not None
                self.answer.bias.zero_()
                self.answer.bias[0] = -4.0

    def forward(self, pictures: Tensor) -> Answer:
        """Look at pictures ``[B, 3, H, W]`` in [-1, 1], sides multiples of 32."""
        fine = self.fine(self.enter(pictures))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.join_middle(middle + _double(self.coarse_to_middle(coarse)))
        fine = self.join_fine(fine + _double(self.middle_to_fine(middle)))
        return Answer(*self.answer(self.head(fine)).unbind(1))

    def fold(self) -> "FaceNetwork":
        """Put all normalisations into the convolutions, and return the network."""
        for module in self.modules():
            if isinstance(module, Convolution):
                module.fold()
        return self.eval().requires_grad_(False)


class FaceNetworks(nn.Module):
    """The two networks of the second look.

    Args:
        glance: channels of the one that sees whole pictures.
        close: channels of the one that sees candidates, all at one size.
    """

    def __init__(self, glance: Sequence[int] = CHANNELS, close: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.glance = FaceNetwork(glance)
        self.close = FaceNetwork(close)

    def fold(self) -> "FaceNetworks":
        """Make both ready for use, and return them."""
        self.glance.fold()
        self.close.fold()
        return self


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")
