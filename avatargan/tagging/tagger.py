"""The tagger: what a face's attributes are, with a probability for each choice."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from avatargan.attributes import Taxonomy
from avatargan.dataset.dataset import fit_square
from avatargan.errors import OptionError, WeightsError
from avatargan.tagging.calibration import calibrated
from avatargan.tagging.gradients import LENGTH, SHAPE_SIZE, oriented_gradients
from avatargan.tagging.network import LAST_SIZE, RESOLUTION, TaggerNetwork, channels_last
from avatargan.tagging.regions import ARCHITECTURE as REGIONS
from avatargan.tagging.regions import RESOLUTION as REGION_RESOLUTION
from avatargan.tagging.regions import RegionNetwork, swaps_of
from avatargan.weights import WeightsFile, read_weights, write_weights
from avatargan.weights_header import (
    SHIPPED_JUDGE,
    SHIPPED_TAGGER,
    TAGGER_ROLE,
    shipped_weights,
)

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Checked = TypeVar("Checked")
#: Of some attributes, choices and what they are in a mirror.
Mirrored = Mapping[str, Mapping[str, str]]
#: Of some attributes, choices and the attributes of which nothing can be said then.
Silences = Mapping[str, Mapping[str, Sequence[str]]]

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
        silences: of some attributes, choices and the attributes of which nothing can be said
            then: closed eyes have no colour.
        internal: attributes that are there for the sake of what they silence alone, such as
            whether a picture shows a face; tables have no column for them.
    """

    def __init__(
        self,
        network: TaggerNetwork | RegionNetwork,
        attributes: Taxonomy,
        temperatures: Mapping[str, float],
        sha256: str,
        *,
        silences: Silences | None = None,
        internal: Sequence[str] = (),
    ) -> None:
        self.silences = dict(silences or {})
        self.internal = tuple(internal)
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
        resolution = self.network.resolution
        for start, batch in _batches(pictures, resolution):
            end = min(start + BATCH, count)
            seen, own = self.network.glances(batch)
            features[start:end] = seen[: end - start].numpy()
            small = functional.avg_pool2d(batch, resolution // SHAPE_SIZE)
            shapes[start:end] = oriented_gradients(small)[: end - start].numpy()
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
    layout = weights.metadata.get("architecture", "")
    if layout not in ("", REGIONS):
        raise WeightsError(f"{weights.path}: no tagger is laid out as {layout[:40]!r}")
    resolution = REGION_RESOLUTION if layout == REGIONS else RESOLUTION
    if weights.integer("resolution") != resolution:
        raise WeightsError(f"{weights.path}: the resolution in the header is not {resolution}")
    widths = [weights.shape("stem.conv.weight", 4)[0]]
    while f"down.{len(widths) - 1}.conv.weight" in weights.tensors:
        widths.append(weights.shape(f"down.{len(widths) - 1}.conv.weight", 4)[0])
    if RESOLUTION // 2 ** len(widths) != LAST_SIZE:
        raise WeightsError(f"{weights.path}: {len(widths)} levels do not lead to {LAST_SIZE} px")
    offered = {name: attributes.offered(name) for name in attributes}
    choices = [len(each) for each in offered.values()]
    feature_dim = weights.shape("features.weight", 2)[0]
    network: TaggerNetwork | RegionNetwork
    with torch.device("meta"):
        if layout == REGIONS:
            network = RegionNetwork(
                choices,
                swaps=swaps_of(offered, _entry(weights, "mirrored", _checked_mirrored)),
                widths=widths,
                fine=weights.shape("fine.conv.weight", 4)[0],
                regions=weights.shape("maps.weight", 4)[0],
                colours=weights.shape("colour0.weight", 4)[0],
                joined=weights.shape("maps.weight", 4)[1],
                feature_dim=feature_dim,
            )
        else:
            network = TaggerNetwork(choices, widths=widths, feature_dim=feature_dim)
    weights.give_to(network)
    return Tagger(
        network.requires_grad_(False),
        attributes,
        _temperatures(weights),
        weights.sha256,
        silences=_entry(weights, "silences", _checked_silences),
        internal=_entry(weights, "internal", lambda found: [str(name) for name in found or ()]),
    )


def load_judge() -> Tagger:
    """Return the tagger that judges drawings.

    It is another one than tags by default: what tagged the pictures that a generator learnt from
    must not judge its drawings.
    """
    return load_tagger(shipped_weights(SHIPPED_JUDGE))


def save_tagger(
    path: str | os.PathLike[str],
    network: TaggerNetwork | RegionNetwork,
    attributes: Taxonomy,
    temperatures: Mapping[str, float],
    remarks: Mapping[str, str] | None = None,
    *,
    mirrored: Mirrored | None = None,
    silences: Silences | None = None,
    internal: Sequence[str] = (),
) -> None:
    """Write a tagger as fp16 weights.

    Args:
        path: the file.
        network: without normalisation, see :meth:`TaggerNetwork.folded`.
        attributes: the taxonomy, in the order of the network's scores.
        temperatures: of each attribute.
        remarks: more entries for the header, such as what it was trained on.
        mirrored: of some attributes, choices and what they are in a mirror.
        silences, internal: see :class:`Tagger`.

    Raises:
        OutputError: the file cannot be written.
    """
    layout = {"architecture": REGIONS} if isinstance(network, RegionNetwork) else {}
    for name, entry in (("mirrored", mirrored), ("silences", silences), ("internal", internal)):
        if entry:
            layout[name] = json.dumps(entry)
    metadata = {
        **(remarks or {}),
        **layout,
        "role": TAGGER_ROLE,
        "resolution": str(network.resolution),
        "attributes": attributes.to_json(),
        "temperatures": json.dumps({name: round(temperatures[name], 4) for name in attributes}),
    }
    write_weights(Path(path), network.state_dict(), metadata)


def to_unit(pictures: Tensor) -> Tensor:
    """Return ``[B, 3, H, W]`` of uint8 as floats in [-1, 1], channels last in memory."""
    return pictures.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def _batches(pictures: Pixels, resolution: int) -> Iterator[tuple[int, Tensor]]:
    """Yield the start of each batch, and its pictures for the network, filled up to the size."""
    for start in range(0, len(pictures), BATCH):
        part = np.zeros((BATCH, resolution, resolution, 3), np.uint8)
        for place, picture in enumerate(pictures[start : start + BATCH]):
            part[place] = fit_square(picture, resolution)
        yield start, to_unit(torch.from_numpy(part).permute(0, 3, 1, 2))


def _entry(weights: WeightsFile, name: str, check: Callable[[Any], Checked]) -> Checked:
    """Return a JSON entry of the header that may be missing.

    Raises:
        WeightsError: it is malformed.
    """
    try:
        return check(json.loads(weights.metadata.get(name, "{}")))
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise WeightsError(f"{weights.path}: '{name}' in the header cannot be read") from error


def _checked_mirrored(found: Any) -> dict[str, dict[str, str]]:
    return {str(name): {str(a): str(b) for a, b in own.items()} for name, own in found.items()}


def _checked_silences(found: Any) -> dict[str, dict[str, list[str]]]:
    return {
        str(name): {str(choice): [str(other) for other in others] for choice, others in own.items()}
        for name, own in found.items()
    }


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
