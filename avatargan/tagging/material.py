"""What a tagger learns from: several sets of pictures, each with its share of every batch."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatargan.attributes import UNKNOWN, Taxonomy
from avatargan.dataset import TEST, TRAIN, Dataset
from avatargan.errors import DatasetError
from avatargan.tagging.augmentation import paper_background
from avatargan.tagging.regions import RESOLUTION

#: Index of a tag that nobody knows, which no loss is made of.
MISSING = -100
#: Paper is looked for in copies this large; finer is slower and finds the same.
PAPER_SIZE = 64


@dataclass(frozen=True)
class PictureSet:
    """Pictures with tags.

    Attributes:
        name: for messages.
        pictures: uint8 RGB ``[M, S, S, 3]``.
        places: which of them make up the set, ``[N]``.
        labels: index of the offered choice or :data:`MISSING`, ``[attributes, N]``.
        certainty: how much each tag counts, 0 to 1, ``[attributes, N]``.
        paper: white paper around the face, bool ``[M, 64, 64]``.
        share: how much of every batch comes from here, compared with the others'.
    """

    name: str
    pictures: NDArray[np.uint8]
    places: NDArray[np.int64]
    labels: Tensor
    certainty: Tensor
    paper: NDArray[np.bool_]
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.places)

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return pictures ``[B, 3, S, S]`` uint8 and where they show paper, ``[B, S, S]``."""
        places = self.places[rows]
        pictures = torch.from_numpy(np.ascontiguousarray(self.pictures[places]))
        paper = torch.from_numpy(self.paper[places])
        factor = pictures.shape[1] // PAPER_SIZE
        paper = paper.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
        return pictures.permute(0, 3, 1, 2), paper

    def subset(self, rows: NDArray[np.int64]) -> "PictureSet":
        """Return the set of some of the pictures."""
        return replace(
            self,
            places=self.places[rows],
            labels=self.labels[:, rows],
            certainty=self.certainty[:, rows],
        )

    def with_labels(self, labels: Tensor, certainty: Tensor) -> "PictureSet":
        """Return the set with other tags."""
        return replace(self, labels=labels, certainty=certainty)


@dataclass(frozen=True)
class Part:
    """One dataset, divided.

    Attributes:
        data: what was opened.
        decoded: all its pictures, ``[N, 128, 128, 3]``.
        train: what is learnt from.
        calibration: what the probabilities are calibrated on.
        test: indices of the pictures that nothing is done with before the end.
    """

    data: Dataset
    decoded: NDArray[np.uint8]
    train: PictureSet
    calibration: PictureSet
    test: NDArray[np.int64]


@dataclass(frozen=True)
class TrainingParts:
    """Which pictures are for what: indices into the dataset."""

    train: NDArray[np.int64]
    calibration: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Material:
    """All that a tagger learns from.

    Attributes:
        attributes: what is learnt.
        parts: one for each dataset.
        sha256: identifies the datasets.
    """

    attributes: Taxonomy
    parts: tuple[Part, ...]
    sha256: str

    @property
    def train(self) -> list[PictureSet]:
        """What is learnt from."""
        return [part.train for part in self.parts]

    @property
    def calibration(self) -> list[PictureSet]:
        """What the probabilities are calibrated on."""
        return [part.calibration for part in self.parts]


def gather(
    sets: Sequence[Dataset],
    *,
    calibration: float = 0.1,
    cache_folder: str | os.PathLike[str] | None = None,
    advance: Callable[[int], None] | None = None,
) -> Material:
    """Return some datasets as material: a larger one has a larger share, as its root grows.

    Args:
        sets: tagged pictures, or pictures alone.
        calibration: part of the training pictures that is held back.
        cache_folder: where decoded pictures are kept.
        advance: called with the number of pictures that were just decoded.

    Raises:
        DatasetError: a picture cannot be read, or there is nothing to learn.
    """
    attributes = learnable(sets)
    parts = []
    for data in sets:
        divided = divide(data, calibration)
        decoded = data.decoded(RESOLUTION, cache_folder, advance=advance)
        labels = labels_in(data, attributes)
        whole = PictureSet(
            data.path.name,
            decoded,
            np.arange(len(data)),
            labels,
            torch.ones(labels.shape),
            paper_of(decoded),
            float(np.sqrt(len(divided.train))),
        )
        parts.append(
            Part(
                data,
                decoded,
                whole.subset(divided.train),
                whole.subset(divided.calibration),
                divided.test,
            )
        )
    digest = hashlib.sha256("".join(data.sha256 for data in sets).encode())
    together = sets[0].sha256 if len(sets) == 1 else digest.hexdigest()
    return Material(attributes, tuple(parts), together)


def learnable(sets: Sequence[Dataset]) -> Taxonomy:
    """Return the attributes of some datasets that can be learnt: with two choices or more.

    Raises:
        DatasetError: there are none.
    """
    choices: dict[str, dict[str, None]] = {}
    for data in sets:
        for name in data.attributes:
            choices.setdefault(name, {}).update(dict.fromkeys(data.attributes.offered(name)))
    attributes = Taxonomy(
        {name: (*sorted(found), UNKNOWN) for name, found in choices.items() if len(found) > 1}
    )
    if not attributes:
        raise DatasetError(
            f"{', '.join(str(data.path) for data in sets)}: no attribute with two choices or more "
            "is tagged; a tags.csv with columns such as file,hair,eyes is needed"
        )
    return attributes


def mirrored_choices(attributes: Taxonomy) -> dict[str, dict[str, str]]:
    """Return the attributes that a mirror changes: those with the choices left and right."""
    swap = {"left": "right", "right": "left"}
    return {name: swap for name in attributes if set(swap) <= set(attributes[name])}


def divide(data: Dataset, calibration: float) -> TrainingParts:
    """Decide which pictures are for training, for calibration and for the test.

    By their sources, so that no source is in two parts.

    Raises:
        DatasetError: nothing is left to train on.
    """
    held_back = np.array([_share(source) < calibration for source in data.sources])
    is_train = data.splits == TRAIN
    parts = TrainingParts(
        np.flatnonzero(is_train & ~held_back),
        np.flatnonzero(is_train & held_back),
        np.flatnonzero(data.splits == TEST),
    )
    if len(parts.train) < 2:
        raise DatasetError(f"{data.path}: {len(parts.train)} pictures are too few to train on")
    return parts


def paper_of(pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where pictures ``[N, S, S, 3]`` show white paper, ``[N, 64, 64]``."""
    step = pictures.shape[1] // PAPER_SIZE
    return paper_background(np.ascontiguousarray(pictures[:, ::step, ::step]))


def labels_in(data: Dataset, attributes: Taxonomy) -> Tensor:
    """Return ``[attributes, N]``: the index among the offered choices, or :data:`MISSING`."""
    columns = []
    for name in attributes:
        offered = attributes.offered(name)
        if name not in data.attributes:
            columns.append(np.full(len(data), MISSING))
            continue
        table = [
            offered.index(choice) if choice in offered and choice != UNKNOWN else MISSING
            for choice in data.attributes[name]
        ]
        columns.append(np.array(table)[data.labels[name]])
    return torch.from_numpy(np.stack(columns).astype(np.int64))


def _share(source: str) -> float:
    """Return a number in [0, 1) that depends on the source alone, and not as its split does."""
    digest = hashlib.sha256(b"calibration " + source.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8]) / 2**64
