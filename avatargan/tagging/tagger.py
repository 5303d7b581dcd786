"""The tagger: what a face's attributes are, with a probability for each choice."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatargan.attributes import Taxonomy
from avatargan.dataset.dataset import fit_square
from avatargan.errors import OptionError, WeightsError
from avatargan.tagging.calibration import calibrated
from avatargan.tagging.gradients import LENGTH, oriented_gradients
from avatargan.tagging.network import LAST_SIZE, RESOLUTION, TaggerNetwork, channels_last
from avatargan.weights import WeightsFile, read_weights, write_weights
from avatargan.weights_header import SHIPPED_TAGGER, TAGGER_ROLE, shipped_weights

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

#: Pictures go through the network in batches of just this many, the last one filled up: the
#: kernels of other batch sizes round differently, and what is said of a picture must not depend
#: on its company.
BATCH = 16


@dataclass(frozen=True)
class Look:
    """What the tagger sees in some pictures.

    Attributes:
        features: ``[N, F]``, what the probabilities are read from; those of a picture and of its
            mirror image are the same.
        shapes: ``[N, L]``, where which lines are (:mod:`avatargan.tagging.gradients`). The
            features know colours best, these know glasses and hair styles.
        probabilities: of each attribute, ``[N, offered choices]``.
    """

    features: Floats
    shapes: Floats
    probabilities: Mapping[str, Floats]


class Tagger:
    """Tags faces.

    Args:
        network: without normalisation, see :meth:`TaggerNetwork.folded`.
        attributes: the taxonomy, in the order of the network's scores.
        temperatures: of each attribute, see :mod:`avatargan.tagging.calibration`.
        sha256: identifies the weights.
    """

    def __init__(
        self,
        network: TaggerNetwork,
        attributes: Taxonomy,
        temperatures: Mapping[str, float],
        sha256: str,
    ) -> None:
        self.network = channels_last(network.eval())
        self.attributes = attributes
        self.temperatures = dict(temperatures)
        self.sha256 = sha256

    def features(self, pictures: Pixels) -> Floats:
        """Return features ``[N, F]``, the layer that the probabilities are read from.

        Args:
            pictures: ``[N, H, W, 3]`` RGB of any size; of others than squares the middle is taken.
        """
        return self.look(pictures).features

    def probabilities(self, pictures: Pixels) -> dict[str, Floats]:
        """Return for each attribute how likely each choice is, ``[N, offered choices]``.

        Args:
            pictures: ``[N, H, W, 3]`` RGB of any size; of others than squares the middle is taken.
        """
        return dict(self.look(pictures).probabilities)

    @torch.inference_mode()
    def look(self, pictures: Pixels) -> Look:
        """Return all that the tagger sees, of which the methods above are parts.

        Raises:
            OptionError: the pictures are not ``[N, H, W, 3]`` of uint8.
        """
        if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8:
            raise OptionError(
                f"pictures must be uint8 [N, H, W, 3], not {pictures.dtype} {list(pictures.shape)}"
            )
        count = len(pictures)
        features = np.empty((count, self.network.feature_dim), np.float32)
        shapes = np.empty((count, LENGTH), np.float32)
        scores = [np.empty((count, choices), np.float32) for choices in self.network.choices]
        for start, batch in _batches(pictures):
            end = min(start + BATCH, count)
            seen, own = self.network.glances(batch)
            features[start:end] = seen[: end - start].numpy()
            shapes[start:end] = oriented_gradients(batch)[: end - start].numpy()
            for whole, part in zip(scores, own, strict=True):
                whole[start:end] = part[: end - start].numpy()
        probabilities = {
            name: calibrated(torch.from_numpy(own), self.temperatures[name]).numpy()
            for name, own in zip(self.attributes, scores, strict=True)
        }
        return Look(features, shapes, probabilities)


def load_tagger(path: str | os.PathLike[str] | None = None) -> Tagger:
    """Return the tagger of a weights file (the shipped one by default).

    Every size is read from the tensors.

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    weights = read_weights(
        Path(path) if path is not None else shipped_weights(SHIPPED_TAGGER), TAGGER_ROLE
    )
    attributes = weights.attributes
    if weights.integer("resolution") != RESOLUTION:
        raise WeightsError(f"{weights.path}: the resolution in the header is not {RESOLUTION}")
    widths = [weights.shape("stem.conv.weight", 4)[0]]
    while f"down.{len(widths) - 1}.conv.weight" in weights.tensors:
        widths.append(weights.shape(f"down.{len(widths) - 1}.conv.weight", 4)[0])
    if RESOLUTION // 2 ** len(widths) != LAST_SIZE:
        raise WeightsError(f"{weights.path}: {len(widths)} levels do not lead to {LAST_SIZE} px")
    with torch.device("meta"):
        network = TaggerNetwork(
            [len(attributes.offered(name)) for name in attributes],
            widths=widths,
            feature_dim=weights.shape("features.weight", 2)[0],
        )
    weights.give_to(network)
    return Tagger(network.requires_grad_(False), attributes, _temperatures(weights), weights.sha256)


def save_tagger(
    path: str | os.PathLike[str],
    network: TaggerNetwork,
    attributes: Taxonomy,
    temperatures: Mapping[str, float],
    remarks: Mapping[str, str] | None = None,
) -> None:
    """Write a tagger as fp16 weights.

    Args:
        path: the file.
        network: without normalisation, see :meth:`TaggerNetwork.folded`.
        attributes: the taxonomy, in the order of the network's scores.
        temperatures: of each attribute.
        remarks: more entries for the header, such as what it was trained on.

    Raises:
        OutputError: the file cannot be written.
    """
    metadata = {
        **(remarks or {}),
        "role": TAGGER_ROLE,
        "resolution": str(RESOLUTION),
        "attributes": attributes.to_json(),
        "temperatures": json.dumps({name: round(temperatures[name], 4) for name in attributes}),
    }
    write_weights(Path(path), network.state_dict(), metadata)


def to_unit(pictures: Tensor) -> Tensor:
    """Return ``[B, 3, H, W]`` of uint8 as floats in [-1, 1], channels last in memory."""
    return pictures.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def _batches(pictures: Pixels) -> Iterator[tuple[int, Tensor]]:
    """Yield the start of each batch, and its pictures for the network, filled up to the size."""
    for start in range(0, len(pictures), BATCH):
        part = np.zeros((BATCH, RESOLUTION, RESOLUTION, 3), np.uint8)
        for place, picture in enumerate(pictures[start : start + BATCH]):
            part[place] = fit_square(picture, RESOLUTION)
        yield start, to_unit(torch.from_numpy(part).permute(0, 3, 1, 2))


def _temperatures(weights: WeightsFile) -> dict[str, float]:
    """Return the temperature of each attribute from the header.

    Raises:
        WeightsError: one is missing, or none.
    """
    try:
        found = json.loads(weights.metadata.get("temperatures", ""))
        temperatures = {name: float(found[name]) for name in weights.attributes}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WeightsError(
            f"{weights.path}: the header has no 'temperatures' for its attributes"
        ) from error
    if not all(math.isfinite(value) and value > 0 for value in temperatures.values()):
        raise WeightsError(f"{weights.path}: a temperature in the header is not above 0")
    return temperatures
