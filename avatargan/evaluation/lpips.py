"""LPIPS, the learned perceptual distance (arXiv 1801.03924), out of a file that the user brings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avatargan.errors import WeightsError
from avatargan.evaluation.features import Floats, Pixels
from avatargan.evaluation.torchscript import TorchScriptNetwork, load_torchscript

#: Pairs go through the network in batches of just this many, the last one filled up.
BATCH = 8


@dataclass(frozen=True)
class LpipsDistance:
    """A TorchScript network that maps two batches in [-1, 1] to a distance for each pair."""

    network: TorchScriptNetwork
    name: str = "lpips"

    @property
    def sha256(self) -> str:
        """Identifies the file of the network."""
        return self.network.sha256

    def distances(self, one: Pixels, other: Pixels) -> Floats:
        """Return the distance of each pair, ``[N]``, for two times ``[N, H, W, 3]``.

        Raises:
            WeightsError: the file holds another network.
        """
        result = np.empty(len(one), np.float32)
        for start in range(0, len(one), BATCH):
            parts = [_to_unit(each[start : start + BATCH]) for each in (one, other)]
            found = self.network(*parts)
            if found.numel() != BATCH:
                raise WeightsError(
                    f"{self.network.path}: this network gives {list(found.shape)} for {BATCH} "
                    "pairs of pictures; LPIPS gives one number for each"
                )
            count = len(one[start : start + BATCH])
            result[start : start + count] = found.flatten()[:count].numpy()
        return result


def load_lpips(path: str | Path, device: str = "cpu") -> LpipsDistance:
    """Load LPIPS from a TorchScript file.

    Loading runs the program in the file: name only files that you trust.

    Raises:
        WeightsError: the file is missing, is no TorchScript, or holds another network.
    """
    lpips = LpipsDistance(load_torchscript(path, device))
    plain = np.zeros((1, 64, 64, 3), np.uint8)
    lpips.distances(plain, plain)  # is it what it should be?
    return lpips


def _to_unit(pictures: Pixels) -> Tensor:
    """Return ``[BATCH, 3, H, W]`` in [-1, 1], filled up with grey."""
    batch = torch.zeros((BATCH, 3, *pictures.shape[1:3]))
    planes = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2)
    batch[: len(pictures)] = planes.float() / 127.5 - 1
    return batch
