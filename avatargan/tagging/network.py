"""The tagger's network: a small residual convnet that reads attributes from faces.

Residual blocks as in arXiv 1512.03385 behind a space-to-depth stem, which costs a quarter of a
convolution at full size. It is trained with batch normalisation (arXiv 1502.03167), which is
folded into the convolutions afterwards: what is saved and run has none.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

#: Side of the pictures it takes, in pixels.
RESOLUTION = 64
#: Size and place, in half heights below the middle, of more views of a picture. Eyes are few pixels
#: large, and where these fall between the strides of the network makes a difference.
SMALLER_VIEWS = ((0.9, 0.0), (0.9, 0.036))
#: The last feature map is this wide and high.
LAST_SIZE = 4

Network = TypeVar("Network", bound=nn.Module)


class ConvUnit(nn.Module):
    """A 3x3 convolution, normalised while it is trained."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int = 1, normalised: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, 3, stride=stride, padding=1, bias=not normalised
        )
        self.norm = nn.BatchNorm2d(out_channels) if normalised else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in, H, W]`` to ``[B, out, H / stride, W / stride]``."""
        y: Tensor = self.norm(self.conv(x))
        return y

    def folded(self) -> "ConvUnit":
        """Return a unit of the same function, as it is in evaluation, without normalisation."""
        conv, norm = self.conv, self.norm
        unit = ConvUnit(conv.in_channels, conv.out_channels, stride=conv.stride[0])
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None  # torch's types allow for norms without it
            assert norm.running_var is not None
            unit.conv.weight, unit.conv.bias = fuse_conv_bn_weights(
                conv.weight,
                None,
                norm.running_mean,
                norm.running_var,
                norm.eps,
                norm.weight,
                norm.bias,
            )
        else:
            unit.conv.load_state_dict(conv.state_dict())
        return unit


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, channels: int, *, normalised: bool = False) -> None:
        super().__init__()
        self.conv0 = ConvUnit(channels, channels, normalised=normalised)
        self.conv1 = ConvUnit(channels, channels, normalised=normalised)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, C, H, W]`` to the same shape."""
        return functional.relu(x + self.conv1(functional.relu(self.conv0(x))))


def channels_last(network: Network) -> Network:
    """Return the network with its weights laid out in memory as CPUs like them."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


class TaggerNetwork(nn.Module):
    """Maps faces to features, and features to scores for every choice of every attribute.

    Args:
        choices: how many choices each attribute has.
        widths: channels at 32, 16, 8 and 4 px.
        feature_dim: width of the features that all scores are read from.
        normalised: with batch normalisation, for training; see :meth:`folded`.
    """

    def __init__(
        self,
        choices: Sequence[int],
        *,
        widths: Sequence[int] = (32, 64, 128, 192),
        feature_dim: int = 256,
        normalised: bool = False,
    ) -> None:
        super().__init__()
        self.resolution = RESOLUTION
        self.choices = tuple(choices)
        self.widths = tuple(widths)
        self.feature_dim = feature_dim
        self.stem = ConvUnit(12, widths[0], normalised=normalised)
        self.down = nn.ModuleList(
            ConvUnit(wide, narrow, stride=2, normalised=normalised)
            for wide, narrow in pairwise(widths)
        )
        # None at 32 px: there it would cost as much as all others together.
        self.blocks = nn.ModuleList(
            ResidualBlock(width, normalised=normalised) for width in widths[1:]
        )
        self.features = nn.Linear(widths[-1] * LAST_SIZE**2, feature_dim)
        # One layer for all attributes: their names would otherwise have to be names of modules.
        self.scores = nn.Linear(feature_dim, sum(choices))

    def forward(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return features ``[B, feature_dim]`` and scores ``[B, choices]`` of each attribute.

        Args:
            image: ``[B, 3, 64, 64]`` in [-1, 1].
        """
        x = functional.relu(self.stem(functional.pixel_unshuffle(image, 2)))
        for down, block in zip(self.down, self.blocks, strict=True):
            x = block(functional.relu(down(x)))
        features = functional.relu(self.features(x.flatten(1)))
        return features, self.scores(features).split(self.choices, dim=1)

    def glances(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return what :meth:`forward` does, averaged over several views of each picture.

        All have the same attributes, and asking about all is right more often than about one:
        the picture, what :data:`SMALLER_VIEWS` makes of it, and the mirror images of these. So a
        picture and its mirror image are told alike.
        """
        views = torch.cat([image, *(_smaller(image, *view) for view in SMALLER_VIEWS)])
        features, _ = self(torch.cat([views, views.flip(3)]))
        mean = features.unflatten(0, (-1, len(image))).mean(0)
        return mean, self.scores(mean).split(self.choices, dim=1)

    @torch.no_grad()
    def folded(self) -> "TaggerNetwork":
        """Return a network of the same function, as it is in evaluation, without normalisation."""
        folded = TaggerNetwork(self.choices, widths=self.widths, feature_dim=self.feature_dim)
        folded.load_state_dict(
            {
                **{f"features.{k}": v for k, v in self.features.state_dict().items()},
                **{f"scores.{k}": v for k, v in self.scores.state_dict().items()},
            },
            strict=False,
        )
        for name, module in self.named_modules():
            if isinstance(module, ConvUnit):
                parent, _, child = name.rpartition(".")
                setattr(folded.get_submodule(parent), child, module.folded())
        return folded.eval().requires_grad_(False)


def _smaller(image: Tensor, scale: float, below: float) -> Tensor:
    """Return pictures reduced and moved down; what is at their border goes on beyond it."""
    matrix = torch.tensor([[1 / scale, 0, 0], [0, 1 / scale, -below / scale]])
    grid = functional.affine_grid(
        matrix.expand(len(image), 2, 3), list(image.shape), align_corners=False
    )
    return functional.grid_sample(image, grid, padding_mode="border", align_corners=False)
