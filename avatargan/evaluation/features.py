"""Features: what pictures are compared by. A figure means nothing without their name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from avatargan.attributes import Taxonomy
from avatargan.dataset.dataset import fit_square
from avatargan.errors import WeightsError
from avatargan.evaluation.torchscript import TorchScriptNetwork, load_torchscript

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

#: Side of the pictures that FID's Inception network takes.
INCEPTION_SIDE = 299
#: Width of its last pooling layer, whose features FID is defined on.
INCEPTION_DIMENSION = 2048
#: Pictures go through the network in batches of just this many, the last one filled up: kernels
#: of other batch sizes may round differently.
INCEPTION_BATCH = 8
#: Side of the grid of mean colours that :class:`PixelFeatures` are.
PIXEL_GRID = 16


class FeatureExtractor(Protocol):
    """Maps pictures to features, each picture by itself."""

    @property
    def name(self) -> str:
        """What the features are called in results."""
        ...

    @property
    def sha256(self) -> str | None:
        """Identifies the file of the network; None where the features need no file."""
        ...

    def features(self, pictures: Pixels) -> Floats:
        """Return ``[N, F]`` for pictures ``[N, H, W, 3]``; independent of the batch."""
        ...


class AttributeJudge(Protocol):
    """What the tagger offers an evaluation: features, and a judgement of attributes."""

    @property
    def sha256(self) -> str:
        """Identifies the weights."""
        ...

    @property
    def attributes(self) -> Taxonomy:
        """The attributes it can judge."""
        ...

    def features(self, pictures: Pixels) -> Floats:
        """Return ``[N, F]`` for pictures ``[N, H, W, 3]``; independent of the batch."""
        ...

    def probabilities(self, pictures: Pixels) -> Mapping[str, Floats]:
        """Return ``[N, offered choices]`` for each attribute; independent of the batch."""
        ...


@dataclass(frozen=True)
class TaggerFeatures:
    """The layer of the tagger that its probabilities are read from."""

    judge: AttributeJudge
    name: str = "tagger"

    @property
    def sha256(self) -> str:
        """See :class:`FeatureExtractor`."""
        return self.judge.sha256

    def features(self, pictures: Pixels) -> Floats:
        """See :class:`FeatureExtractor`."""
        return self.judge.features(pictures)


@dataclass(frozen=True)
class InceptionFeatures:
    """The last pooling layer of the Inception network that FID is defined on (arXiv 1706.08500).

    The network takes ``(x - 128) / 128`` of values from 0 to 255, at 299 px. Pictures are resized
    as the published implementation does it, which :func:`resize_as_published` says more about.
    """

    network: TorchScriptNetwork
    name: str = "inception"

    @property
    def sha256(self) -> str:
        """See :class:`FeatureExtractor`."""
        return self.network.sha256

    def features(self, pictures: Pixels) -> Floats:
        """See :class:`FeatureExtractor`.

        Raises:
            WeightsError: the file holds another network.
        """
        result = np.empty((len(pictures), INCEPTION_DIMENSION), np.float32)
        for start in range(0, len(pictures), INCEPTION_BATCH):
            part = np.array(pictures[start : start + INCEPTION_BATCH])
            batch = torch.from_numpy(part).permute(0, 3, 1, 2).float()
            batch = functional.pad(batch, (0, 0, 0, 0, 0, 0, 0, INCEPTION_BATCH - len(part)))
            batch = (resize_as_published(batch, INCEPTION_SIDE) - 128) / 128
            found = self.network(batch)
            if found.shape != (INCEPTION_BATCH, INCEPTION_DIMENSION):
                raise WeightsError(
                    f"{self.network.path}: this network gives {list(found.shape[1:])} numbers per "
                    f"picture, FID's Inception network gives {INCEPTION_DIMENSION}"
                )
            result[start : start + len(part)] = found[: len(part)].numpy()
        return result


@dataclass(frozen=True)
class PixelFeatures:
    """Mean colours of a 16 x 16 grid, less their mean and brought to length 1: shows copies.

    The distance of two pictures is ``(2 - 2 r)^(1/2)``, with r the correlation of their grids, so
    that neither brightness nor contrast hides a copy.
    """

    name: str = "pixels-16"
    sha256: None = None

    def features(self, pictures: Pixels) -> Floats:
        """See :class:`FeatureExtractor`."""
        grids = [fit_square(picture, PIXEL_GRID).reshape(-1) for picture in pictures]
        rows = np.array(grids, np.float64).reshape(len(grids), 3 * PIXEL_GRID**2)
        rows -= rows.mean(1, keepdims=True)
        # Plain pictures have no direction; they stay at 0, as far from all others.
        lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        features: Floats = (rows / lengths).astype(np.float32)
        return features


def load_inception(path: str | Path, device: str = "cpu") -> InceptionFeatures:
    """Load FID's Inception network from a TorchScript file.

    Loading runs the program in the file: name only files that you trust.

    Raises:
        WeightsError: the file is missing, is no TorchScript, or holds another network.
    """
    inception = InceptionFeatures(load_torchscript(path, device))
    inception.features(np.zeros((1, 8, 8, 3), np.uint8))  # is it what it should be?
    return inception


def resize_as_published(pictures: Tensor, side: int) -> Tensor:
    """Resize ``[B, C, H, W]`` bilinearly as the first FID implementation did.

    That was TensorFlow 1's ``resize_bilinear`` without aligned corners: the pixel ``i`` of the
    result is read at ``i * (old / new)``, not from the middle of pixels, and nothing is averaged
    where pictures get smaller. Every published FID carries this (arXiv 2104.11222 says what it
    does); other resizing would give other figures.
    """
    vertical = _line_weights(pictures.shape[2], side)
    horizontal = _line_weights(pictures.shape[3], side)
    return torch.einsum("oh,bchw,pw->bcop", vertical, pictures, horizontal)


def _line_weights(old: int, new: int) -> Tensor:
    """Return how much of each old pixel goes into each new one along a line, ``[new, old]``."""
    places = torch.arange(new, dtype=torch.float64) * (old / new)
    left = places.floor().long().clamp(max=old - 1)
    right = (left + 1).clamp(max=old - 1)
    share = places - left
    weights = torch.zeros(new, old, dtype=torch.float64)
    rows = torch.arange(new)
    weights.index_put_((rows, left), 1 - share, accumulate=True)
    weights.index_put_((rows, right), share, accumulate=True)
    return weights.float()
