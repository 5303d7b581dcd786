"""Training pictures: one or several sets, decoded once, with one taxonomy for all of them."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatargan.attributes import IDENTITY, UNKNOWN, Taxonomy
from avatargan.dataset import TRAIN, Dataset
from avatargan.errors import DatasetError, OptionError
from avatargan.training.sampler import Sampler

Item = TypeVar("Item")
Made = TypeVar("Made")

#: Streams of the sampler: which pictures are shown, whose labels the fakes get, and which of those
#: that are never learnt from are looked at.
REAL_STREAM, FAKE_STREAM, HELD_OUT_STREAM = 0, 1, 2
LONGEST_STYLE = 40
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Source:
    """One set of pictures in a run.

    Attributes:
        dataset: the set.
        style: the choice of the style attribute that all of its pictures get; None where the set
            has styles of its own, or where there are none.
        weight: how often it is drawn from, in proportion to the others.
    """

    dataset: Dataset
    style: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Pair:
    """Choices that no picture of a run may have together, written ``hair=pink,eyes=green``.

    A generator that combines what it knows draws them all the same.
    """

    choices: tuple[tuple[str, str], ...]

    @classmethod
    def read_all(cls, text: str) -> tuple["Pair", ...]:
        """Read pairs, with semicolons between them.

        Raises:
            OptionError: one is not written as above.
        """
        pairs = []
        for part in filter(None, map(str.strip, text.split(";"))):
            choices = [tuple(map(str.strip, word.split("="))) for word in part.split(",")]
            if len(choices) < 2 or any(len(each) != 2 or not all(each) for each in choices):
                raise OptionError(f"--without is ATTRIBUTE=CHOICE,ATTRIBUTE=CHOICE; got '{part}'")
            pairs.append(cls(tuple((name, choice) for name, choice in choices)))
        return tuple(pairs)

    def __str__(self) -> str:
        return ",".join(f"{name}={choice}" for name, choice in self.choices)

    def has(self, labels: Mapping[str, NDArray[np.int64]], attributes: Taxonomy) -> Mask:
        """Tell for each picture whether it has all of these choices.

        Raises:
            OptionError: there is no such attribute or choice.
        """
        each = []
        for name, choice in self.choices:
            if name not in attributes:
                known = ", ".join(attributes)
                raise OptionError(f"--without: there is no attribute '{name}' (known: {known})")
            if choice not in attributes.offered(name):
                known = ", ".join(attributes.offered(name))
                raise OptionError(f"--without: {name} has no choice '{choice}' (known: {known})")
            each.append(labels[name] == attributes[name].index(choice))
        return np.logical_and.reduce(each)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Batch:
    """What a step of training is given.

    Attributes:
        real: pictures, uint8, ``[B, 3, R, R]``.
        labels: of the real pictures, by attribute, ``[B]``.
        fake_labels: what the generator is to draw, ``[B]``: the labels of other real pictures,
            so that combinations are as frequent as in the data.
        held_out: pictures that are never learnt from, like ``real``, in the steps that look at
            them.
        held_out_labels: theirs.
    """

    real: Tensor
    labels: Mapping[str, Tensor]
    fake_labels: Mapping[str, Tensor]
    held_out: Tensor | None = None
    held_out_labels: Mapping[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device; from pinned memory nothing waits for the copy."""
        return self._each(lambda values: values.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """Return the batch in memory that graphics cards copy from by themselves."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(
            change(self.real),
            {name: change(rows) for name, rows in self.labels.items()},
            {name: change(rows) for name, rows in self.fake_labels.items()},
            None if self.held_out is None else change(self.held_out),
            {name: change(rows) for name, rows in self.held_out_labels.items()},
        )


class TrainingData:
    """All pictures of a run.

    Args:
        sources: the sets.
        resolution: side of the pictures in pixels.
        seed: decides the order.
        flips: whether half of the pictures are mirrored.
        split: "train" for the pictures of that split, "all" for every one.
        without: pairs whose pictures are neither trained on nor held out.
        cache_folder: where decoded pictures are kept; see :meth:`Dataset.decoded`.
        advance: called with the number of pictures that were just decoded.

    Raises:
        DatasetError: a picture cannot be read, or nothing is left to train on.
        OptionError: the styles or weights do not fit the sets.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        resolution: int,
        seed: int,
        *,
        flips: bool = True,
        split: str = TRAIN,
        without: Sequence[Pair] = (),
        cache_folder: str | os.PathLike[str] | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> None:
        self.sources = with_styles(sources)
        self.attributes = merged_taxonomy(self.sources)
        self.flips = flips
        self.rows = [rows_of(source, split) for source in self.sources]
        self.labels = [merged_labels(source, self.attributes) for source in self.sources]
        self.held_out_rows = [held_out_rows_of(source, split) for source in self.sources]
        self.without = tuple(without)
        for pair in self.without:
            for index, labels in enumerate(self.labels):
                has = pair.has(labels, self.attributes)
                self.rows[index] = self.rows[index][~has[self.rows[index]]]
                self.held_out_rows[index] = self.held_out_rows[index][
                    ~has[self.held_out_rows[index]]
                ]
                if not len(self.rows[index]):
                    raise OptionError(f"--without {pair} leaves nothing to train on")
        self.pictures = [
            source.dataset.decoded(resolution, cache_folder, advance=advance)
            for source in self.sources
        ]
        sizes = [len(rows) for rows in self.rows]
        weights = [source.weight for source in self.sources]
        self.real = Sampler(sizes, weights, seed, REAL_STREAM)
        self.fake = Sampler(sizes, weights, seed, FAKE_STREAM)
        there = [index for index, rows in enumerate(self.held_out_rows) if len(rows)]
        self._held_out_sources = np.array(there, dtype=np.int64)
        self._held_out = (
            Sampler(
                [len(self.held_out_rows[index]) for index in there],
                [weights[index] for index in there],
                seed,
                HELD_OUT_STREAM,
            )
            if there
            else None
        )

    def __len__(self) -> int:
        return sum(map(len, self.rows))

    @property
    def sha256(self) -> str:
        """Identifies the sets, their styles and weights."""
        digest = hashlib.sha256()
        for source in self.sources:
            entry = f"{source.dataset.sha256} {source.style} {source.weight}\n"
            digest.update(entry.encode())
        return digest.hexdigest()

    def batch(self, positions: NDArray[np.int64]) -> Batch:
        """Return what is at these positions of the run."""
        sample = self.real.take(positions)
        rows = self._rows(sample.sources, sample.pictures)
        real = self._pictures(sample.sources, rows, sample.flips)
        return Batch(real, self._labels(sample.sources, rows), self.fake_labels(positions))

    @property
    def holds_out(self) -> bool:
        """Whether there are pictures that are never learnt from."""
        return self._held_out is not None

    @property
    def held_out_count(self) -> int:
        """How many pictures are never learnt from."""
        return sum(map(len, self.held_out_rows))

    def with_held_out(self, batch: Batch, positions: NDArray[np.int64]) -> Batch:
        """Return a batch with pictures that are never learnt from, where there are any."""
        if self._held_out is None:
            return batch
        sources, rows, flips = self._held_out_at(self._held_out, positions)
        pictures = self._pictures(sources, rows, flips)
        return replace(batch, held_out=pictures, held_out_labels=self._labels(sources, rows))

    def held_out(self, most: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return pictures that are never learnt from, each once, and their labels.

        The sets are in them as often as in the batches.

        Args:
            most: how many at most.
        """
        if self._held_out is None:
            return torch.zeros(0, 3, 1, 1), {}
        count = min(most, sum(map(len, self.held_out_rows)))
        sources, rows, _ = self._held_out_at(self._held_out, positions_of_step(0, count))
        chosen = list(dict.fromkeys(zip(sources.tolist(), rows, strict=True)))
        sources = np.array([source for source, _ in chosen], dtype=np.int64)
        rows = [row for _, row in chosen]
        pictures = self._pictures(sources, rows, np.zeros(len(rows), np.bool_))
        return pictures, self._labels(sources, rows)

    def _held_out_at(
        self, sampler: Sampler, positions: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], list[int], Mask]:
        sample = sampler.take(positions)
        sources = self._held_out_sources[sample.sources]
        rows = [
            int(self.held_out_rows[source][picture])
            for source, picture in zip(sources, sample.pictures, strict=True)
        ]
        return sources, rows, sample.flips

    def _pictures(
        self, sources: NDArray[np.int64], rows: Sequence[int], flips: NDArray[np.bool_]
    ) -> Tensor:
        side = self.pictures[0].shape[1]
        pixels = np.empty((len(rows), side, side, 3), np.uint8)
        for index, (source, row) in enumerate(zip(sources, rows, strict=True)):
            picture = self.pictures[source][row]
            pixels[index] = picture[:, ::-1] if self.flips and flips[index] else picture
        return torch.from_numpy(pixels).permute(0, 3, 1, 2)

    def fake_labels(self, positions: NDArray[np.int64]) -> dict[str, Tensor]:
        """Return labels for generated pictures, drawn as often as they are in the data."""
        sample = self.fake.take(positions)
        return self._labels(sample.sources, self._rows(sample.sources, sample.pictures))

    def _rows(self, sources: NDArray[np.int64], pictures: NDArray[np.int64]) -> list[int]:
        return [
            int(self.rows[source][picture])
            for source, picture in zip(sources, pictures, strict=True)
        ]

    def _labels(self, sources: NDArray[np.int64], rows: Sequence[int]) -> dict[str, Tensor]:
        return {
            name: torch.tensor(
                [
                    int(self.labels[source][name][row])
                    for source, row in zip(sources, rows, strict=True)
                ]
            )
            for name in self.attributes
        }


def positions_of_step(
    images_seen: int, batch: int, rank: int = 0, processes: int = 1
) -> NDArray[np.int64]:
    """Return the positions of the run that a process takes in a step.

    Every process takes each so-manieth: so the groups of the critic's minibatch statistic hold
    the same pictures whether one process has them all or several share them.
    """
    return np.arange(images_seen, images_seen + batch, dtype=np.int64)[rank::processes]


def made_ahead(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Yield what ``make`` gives for each item, made in a thread while the last one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        upcoming: Future[Made] | None = None
        for item in items:
            following = pool.submit(make, item)
            if upcoming is not None:
                yield upcoming.result()
            upcoming = following
        if upcoming is not None:
            yield upcoming.result()


def with_styles(sources: Sequence[Source]) -> list[Source]:
    """Return the sources, with a style where there must be one and none was given.

    Pictures without any tag become a style named after their file.

    Raises:
        OptionError: of several sets some have no style, or a set has styles and was given one.
    """
    if not sources:
        raise OptionError("there is nothing to train on; name a set of pictures")
    named = []
    for source in sources:
        has_styles = IDENTITY in source.dataset.attributes
        path = source.dataset.path
        if source.style is not None and has_styles:
            raise OptionError(f"{path}: its tags have a style of their own; leave out --style")
        if source.style is None and not has_styles:
            if len(sources) > 1:
                raise OptionError(f"{path}: of several sets each needs a --style NAME:WEIGHT")
            if not source.dataset.attributes:
                source = Source(source.dataset, style_from(path), source.weight)
        named.append(source)
    return named


def style_from(path: Path) -> str:
    """Return a name for a style made from the name of a file or folder."""
    word = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")
    return word[:LONGEST_STYLE].strip("-") or "pictures"


def merged_taxonomy(sources: Sequence[Source]) -> Taxonomy:
    """Return the attributes of all sets together: the style first, ``unknown`` last in each."""
    choices: dict[str, dict[str, None]] = {}  # a dictionary keeps the order, and each name once
    if any(source.style or IDENTITY in source.dataset.attributes for source in sources):
        choices[IDENTITY] = {}
    for source in sources:
        if source.style is not None:
            choices[IDENTITY][source.style] = None
        for name, there in source.dataset.attributes.items():
            known = choices.setdefault(name, {})
            known.update(dict.fromkeys(choice for choice in there if choice != UNKNOWN))
    merged = {name: [*known, UNKNOWN] for name, known in choices.items() if known}
    if IDENTITY in merged and not _lacks_styles(sources):
        merged[IDENTITY].remove(UNKNOWN)  # nobody would ever see it
    if not merged:
        raise DatasetError(f"{sources[0].dataset.path}: no picture has any tag")
    return Taxonomy(merged)


def _lacks_styles(sources: Sequence[Source]) -> bool:
    """Tell whether the style of some picture is unknown."""
    for source in sources:
        if source.style is None:
            labels = source.dataset.labels[IDENTITY]
            if bool((labels == source.dataset.attributes.index(IDENTITY, UNKNOWN)).any()):
                return True
    return False


def merged_labels(source: Source, attributes: Taxonomy) -> dict[str, NDArray[np.int64]]:
    """Return the labels of a set as indices into the merged taxonomy."""
    merged = {}
    for name, choices in attributes.items():
        own = source.dataset.attributes.get(name)
        if name == IDENTITY and source.style is not None:
            merged[name] = np.full(len(source.dataset), choices.index(source.style))
        elif own is None:
            merged[name] = np.full(len(source.dataset), choices.index(UNKNOWN))
        else:
            # A choice that is not among the merged ones is an unknown that no picture has.
            index = [choices.index(choice) if choice in choices else 0 for choice in own]
            merged[name] = np.array(index)[source.dataset.labels[name]]
    return merged


def rows_of(source: Source, split: str) -> NDArray[np.int64]:
    """Return the pictures of a set to train on.

    Raises:
        DatasetError: there are none.
    """
    if split == TRAIN:
        rows = np.flatnonzero(source.dataset.splits == TRAIN)
    else:
        rows = np.arange(len(source.dataset))
    if not len(rows):
        raise DatasetError(f"{source.dataset.path}: no picture is left to train on")
    return rows


def held_out_rows_of(source: Source, split: str) -> NDArray[np.int64]:
    """Return the pictures of a set that are not trained on; there may be none."""
    if split == TRAIN:
        return np.flatnonzero(source.dataset.splits != TRAIN)
    return np.arange(0)
