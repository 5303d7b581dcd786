"""The encoder: a picture of a face to the w that the generator would draw it from.

A small residual network on 64 px. It gives a code in the coordinates of w that show most
(:mod:`avatargan.editing.training.visible`), from which two matrices in the same file give w, and
how likely each choice of each attribute is.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatargan.attributes import Taxonomy
from avatargan.errors import WeightsError
from avatargan.weights import read_weights
from avatargan.weights_header import (
    EDIT_ENCODER_ROLE,
    SHIPPED_EDIT_ENCODER,
    WeightsHeader,
    shipped_weights,
)

#: Side of what the encoder looks at, in pixels.
SIZE = 64
CHANNELS = (32, 64, 128, 192)
FEATURES = 384
_SLOPE = 0.2
_GROUPS = 8


class _Block(nn.Module):
    """Halves the size, then adds a second convolution to what the first gave."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
        self.norm0 = nn.GroupNorm(_GROUPS, out_channels)
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(_GROUPS, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(self.norm0(self.conv0(x)), _SLOPE)
        return x + functional.leaky_relu(self.norm1(self.conv1(x)), _SLOPE)


class EditEncoder(nn.Module):
    """Reads w and attributes off pictures.

    Args:
        attributes: the taxonomy of the generator.
        w_dim: width of w.
        code_dim: how many coordinates are told; the rest stay at their mean.
        channels: features at 32, 16, 8 and 4 px.
        features: width of the last hidden layer.
    """

    def __init__(
        self,
        attributes: Taxonomy,
        w_dim: int,
        code_dim: int,
        channels: tuple[int, ...] = CHANNELS,
        features: int = FEATURES,
    ) -> None:
        super().__init__()
        self.attributes = attributes
        self.stem = nn.Conv2d(3, channels[0], 5, stride=2, padding=2)
        self.blocks = nn.ModuleList(
            _Block(before, after) for before, after in itertools.pairwise(channels)
        )
        self.hidden = nn.Linear(channels[-1] * (SIZE >> len(channels)) ** 2, features)
        self.code = nn.Linear(features, code_dim)
        self.choices = nn.ModuleDict(
            {name: nn.Linear(features, len(attributes.offered(name))) for name in attributes}
        )
        self.register_buffer("mean", torch.zeros(w_dim))
        self.register_buffer("basis", torch.zeros(w_dim, code_dim))

    mean: Tensor
    basis: Tensor

    def forward(self, pictures: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return codes ``[B, code_dim]`` and, by attribute, scores ``[B, offered choices]``.

        Args:
            pictures: ``[B, 3, 64, 64]`` in [-1, 1].
        """
        x = functional.leaky_relu(self.stem(pictures), _SLOPE)
        for block in self.blocks:
            x = block(x)
        h = functional.leaky_relu(self.hidden(x.flatten(1)), _SLOPE)
        return self.code(h), {name: choice(h) for name, choice in self.choices.items()}

    def w_of(self, code: Tensor) -> Tensor:
        """Return w ``[B, w_dim]``, truncated as it were, of codes."""
        return self.mean + code @ self.basis.T

    @torch.inference_mode()
    def encode(self, pictures: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return codes ``[B, code_dim]`` and probabilities of the choices of each attribute.

        Args:
            pictures: ``[B, 3, S, S]`` in [-1, 1], any S of 64 or more.
        """
        small = functional.interpolate(pictures, (SIZE, SIZE), mode="bilinear", antialias=True)
        code, scores = self(small)
        return code, {name: each.softmax(1) for name, each in scores.items()}

    def metadata(self, w_space: str) -> dict[str, str]:
        """Return the entries of a weights header that describe this network."""
        return {
            "role": EDIT_ENCODER_ROLE,
            "attributes": self.attributes.to_json(),
            "w_space": w_space,
        }

    @classmethod
    def from_header(cls, header: WeightsHeader) -> "EditEncoder":
        """Return an encoder with the sizes that a weights file tells."""
        blocks = header.count("blocks.{}.conv0.weight")
        channels = [header.shape("stem.weight", 4)[0]] + [
            header.shape(f"blocks.{index}.conv0.weight", 4)[0] for index in range(blocks)
        ]
        w_dim, code_dim = header.shape("basis", 2)
        features = header.shape("hidden.weight", 2)[0]
        if blocks > 4 or any(channel % _GROUPS for channel in channels):
            raise WeightsError(f"{header.path}: not the sizes of an encoder of this project")
        return cls(header.attributes, w_dim, code_dim, tuple(channels), features)


def load_edit_encoder(path: str | Path | None = None) -> tuple[EditEncoder, Mapping[str, str]]:
    """Return the encoder of a weights file (the shipped one by default) and its header.

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    weights = read_weights(path or shipped_weights(SHIPPED_EDIT_ENCODER), EDIT_ENCODER_ROLE)
    with torch.device("meta"):
        encoder = EditEncoder.from_header(weights)
    weights.give_to(encoder)
    return encoder.eval().requires_grad_(False), weights.metadata
