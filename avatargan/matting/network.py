"""The matting network: a small U-Net that decides at low resolution, and stages that sharpen it."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Side of the pictures that the body sees: a character's outline can be decided there.
BASE_SIZE = 128
#: Pictures of these sides are matted directly; each has one refinement more than the one before.
SIZES = (BASE_SIZE, 2 * BASE_SIZE, 4 * BASE_SIZE)
#: Channels that a refinement takes over from the one before: the logit of alpha, and notes.
STATE = 8


class Refinement(nn.Module):
    """Doubles the resolution of the state, looking at the picture of that resolution.

    It works at the lower resolution, on pixels in groups of 2 x 2 (sub-pixel convolution, arXiv
    1609.05158).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = _conv(12 + STATE, width)
        self.body = _conv(width, width)
        self.tail = _conv(width, 4 * STATE)

    def forward(self, state: Tensor, image: Tensor) -> Tensor:
        """Map the state ``[B, STATE, S, S]`` and the image ``[B, 3, 2S, 2S]`` to 2S."""
        x = torch.cat([functional.pixel_unshuffle(image, 2), state], dim=1)
        x = functional.relu(self.body(functional.relu(self.head(x))))
        return functional.pixel_shuffle(self.tail(x), 2) + _double(state)


class MattingNetwork(nn.Module):
    """Tells the character from what is behind it, without a trimap.

    Args:
        channels: feature channels at 1/2, 1/4, 1/8 and 1/16 of :data:`BASE_SIZE`.
        widths: feature channels of the refinements to each of :data:`SIZES`.
    """

    def __init__(
        self,
        channels: Sequence[int] = (16, 32, 48, 64),
        widths: Sequence[int] = (20, 16, 16),
    ) -> None:
        super().__init__()
        steps = list(pairwise(channels))
        self.enter = _conv(12, channels[0])
        self.look = nn.ModuleList(_conv(width, width) for width in channels)
        self.down = nn.ModuleList(_conv(fine, coarse, stride=2) for fine, coarse in steps)
        self.bottom = nn.ModuleList(_conv(channels[-1], channels[-1]) for _ in range(2))
        self.up = nn.ModuleList(_conv(coarse, fine) for fine, coarse in steps)
        self.fuse = nn.ModuleList(_conv(fine, fine) for fine, _ in steps)
        self.leave = _conv(channels[0], STATE)
        self.refinements = nn.ModuleList(Refinement(width) for width in widths)
        self.apply(_initialise)

    def body(self, image: Tensor) -> Tensor:
        """Map ``[B, 3, BASE_SIZE, BASE_SIZE]`` in [0, 1] to the state at half that size."""
        x = functional.relu(self.enter(functional.pixel_unshuffle(image, 2)))
        skips = []
        for level, look in enumerate(self.look):
            x = functional.relu(look(x))
            if level < len(self.down):
                skips.append(x)
                x = functional.relu(self.down[level](x))
        for layer in self.bottom:
            x = functional.relu(layer(x))
        for level in reversed(range(len(self.up))):
            # Convolving before enlarging costs a quarter of the other order.
            x = functional.relu(_double(self.up[level](x)) + skips[level])
            x = functional.relu(self.fuse[level](x))
        state: Tensor = self.leave(x)
        return state

    def forward(self, image: Tensor) -> Tensor:
        """Map pictures ``[B, 3, S, S]`` in [0, 1], S in :data:`SIZES`, to logits of alpha."""
        pyramid = image_pyramid(image)
        state = self.body(pyramid[0])
        for refinement, level in zip(self.refinements, pyramid, strict=False):
            state = refinement(state, level)
        return state[:, :1]


def _conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)


def _initialise(module: nn.Module) -> None:
    """Start from weights that keep the variance through ReLUs (He et al., arXiv 1502.01852)."""
    if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    if isinstance(module, Refinement) and not module.tail.weight.is_meta:
        # What a refinement adds starts small.
        with torch.no_grad():
            module.tail.weight.mul_(0.1)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def image_pyramid(image: Tensor) -> list[Tensor]:
    """Return the picture ``[B, 3, S, S]`` averaged down to each of the sizes up to its own."""
    levels = [image]
    while levels[0].shape[-1] > BASE_SIZE:
        levels.insert(0, functional.avg_pool2d(levels[0], 2))
    return levels
