"""The painter: exactly my lines, in colour.

A conditional GAN in the manner of pix2pix (Isola et al., arXiv 1611.07004): a U-Net that sees the
lines and a guide, and a critic of patches. The guide is what makes colours certain: a blurred
picture of a character much like the sketch, with the colours that somebody dabbed. Where edges are,
the lines say; what colour is between them, the guide.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatargan.networks.layers import EqualConv2d, leaky_relu

#: Side of the pictures it paints.
PAINTED_SIZE = 128
#: Lines, three colours of the guide, and where the guide was dabbed by hand.
INPUTS = 5


class Painter(nn.Module):
    """Lines and a guide to a picture.

    Args:
        widths: channels at 64, 32, 16 and 8 px.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 112, 144)) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.enter = _conv(4 * INPUTS, widths[0])
        self.down = nn.ModuleList(
            _conv(wide, narrow, stride=2) for wide, narrow in pairwise(widths)
        )
        self.bottom = nn.ModuleList(_conv(widths[-1], widths[-1]) for _ in range(2))
        self.up = nn.ModuleList(_conv(narrow, wide) for wide, narrow in pairwise(widths))
        self.fuse = nn.ModuleList(_conv(width, width) for width in widths[:-1])
        self.leave = _conv(widths[0], 12)

    def forward(self, lines: Tensor, guide: Tensor, dabbed: Tensor) -> Tensor:
        """Return pictures ``[B, 3, 128, 128]`` in about [-1, 1].

        Args:
            lines: ``[B, 1, 128, 128]``, 0 paper, 1 ink.
            guide: ``[B, 3, 128, 128]`` in [-1, 1].
            dabbed: where the guide is somebody's wish, ``[B, 1, 128, 128]`` in [0, 1].
        """
        x = torch.cat([lines * 2 - 1, guide, dabbed], dim=1)
        x = _active(self.enter(functional.pixel_unshuffle(x, 2)))
        skips = []
        for down in self.down:
            skips.append(x)
            x = _active(down(x))
        for layer in self.bottom:
            x = x + _active(layer(x))
        for up, fuse in zip(reversed(self.up), reversed(self.fuse), strict=True):
            x = functional.interpolate(up(x), scale_factor=2, mode="bilinear", align_corners=False)
            x = _active(x + skips.pop())
            x = x + _active(fuse(x))
        painted: Tensor = functional.pixel_shuffle(self.leave(x), 2)
        return painted


class PatchCritic(nn.Module):
    """Scores how real each patch of a picture looks beside its lines (arXiv 1611.07004, 3.2.2).

    Args:
        widths: channels at 64, 32, 16 and 8 px.
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 96, 128)) -> None:
        super().__init__()
        self.enter = EqualConv2d(16, widths[0], 3)
        self.layers = nn.ModuleList(
            EqualConv2d(wide, narrow, 3) for wide, narrow in pairwise(widths)
        )
        self.score = EqualConv2d(widths[-1], 1, 3)

    def forward(self, picture: Tensor, lines: Tensor) -> Tensor:
        """Return scores of patches ``[B, 8, 8]``, each of which sees some 60 pixels."""
        x = functional.pixel_unshuffle(torch.cat([picture, lines * 2 - 1], dim=1), 2)
        x = leaky_relu(self.enter(x))
        for layer in self.layers:
            x = functional.avg_pool2d(leaky_relu(layer(x)), 2)
        scores: Tensor = self.score(x)[:, 0]
        return scores


def _conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)


def _active(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)
