"""Tagging all pictures of a folder, with flat memory.

A table of tags says by which tagger (``tagger``: its SHA-256) and, where a picture has no tags for
a reason that the tagger tells, which one that is (``reason``: "face: no").
"""

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatargan.attributes import UNKNOWN, Taxonomy
from avatargan.dataset import Dataset, split_of
from avatargan.dataset.dataset import fit_square
from avatargan.dataset.stores import FolderStore
from avatargan.dataset.tags import FILE, PROBABILITY_ENDING, REASON, TAGGER
from avatargan.devices import usable_cores
from avatargan.errors import DatasetError, OptionError
from avatargan.parallel import ordered_map
from avatargan.tables import is_utf8
from avatargan.tagging.heads import AttributeHead
from avatargan.tagging.tagger import Floats, Pixels, Tagger

#: Below this a tag is "unknown": on faces of another style than the tagger learnt from, guesses
#: that it is less sure of are wrong about as often as right.
DEFAULT_THRESHOLD = 0.6
#: Pictures that are looked at together.
AT_A_TIME = 64


@dataclass(frozen=True)
class TaggedPicture:
    """What is said of one picture.

    Attributes:
        file: its path inside the folder, with forward slashes.
        choices: the likeliest choice of each attribute, or "unknown".
        probabilities: how likely the likeliest choice is, "unknown" or not.
        reason: why attributes are "unknown" that the tagger could have guessed at, such as
            "eyelids: closed"; empty where there is none.
    """

    file: str
    choices: Mapping[str, str]
    probabilities: Mapping[str, float]
    reason: str = ""


@dataclass(frozen=True)
class SkippedPicture:
    """A file that looks like a picture and cannot be read.

    Attributes:
        file: its path inside the folder, with forward slashes.
        reason: in words for people.
    """

    file: str
    reason: str


class FolderTagger:
    """Tags the pictures of a folder and of the folders in it.

    Hidden files and links to folders are left out.

    Args:
        folder: where the pictures are.
        tagger: tells the attributes it was trained for.
        heads: more attributes, taught on the same tagger.
        threshold: choices that are less likely become "unknown".

    Attributes:
        folder: as it was given.
        store: reads the files.
        attributes: the taxonomy of the tags.
        files: the files that look like pictures, in the order of their names.
        tagger_sha256: identifies the tagger.

    Raises:
        DatasetError: there is no such folder, it cannot be listed, or it has no pictures.
        OptionError: a head is of another tagger, an attribute is there twice, or the threshold
            is not from 0 to 1.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        tagger: Tagger,
        *,
        heads: Sequence[AttributeHead] = (),
        threshold: float = DEFAULT_THRESHOLD,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise OptionError(f"the threshold must be from 0 to 1, got {threshold}")
        self.folder = Path(folder)
        self._tagger = tagger
        self.tagger_sha256 = tagger.sha256
        self._heads = tuple(heads)
        self._threshold = threshold
        self.attributes = _joined_attributes(tagger, heads)
        self._offered = {name: tagger.attributes.offered(name) for name in tagger.attributes}
        self._offered |= {head.attribute: head.choices for head in self._heads}
        if not self.folder.is_dir():
            what = "not a folder" if self.folder.exists() else "there is no such folder"
            raise DatasetError(f"{folder}: {what}")
        self.store = FolderStore.open(self.folder)
        self.files = self.store.names
        if not self.files:
            raise DatasetError(f"{folder}: there are no pictures in it")

    def run(self) -> Iterator[TaggedPicture | SkippedPicture]:
        """Yield one or the other for each of the files, in order."""
        with ThreadPoolExecutor(max_workers=usable_cores()) as pool:
            decoded = ordered_map(
                pool, self._decode, range(len(self.files)), most_pending=2 * AT_A_TIME
            )
            while batch := list(islice(decoded, AT_A_TIME)):
                yield from self._tag(batch)

    def _decode(self, index: int) -> tuple[str, Pixels] | SkippedPicture:
        file = self.files[index]
        if not is_utf8(file):
            shown = file.encode(errors="backslashreplace").decode()
            return SkippedPicture(shown, "its name is not valid UTF-8, which a table must be")
        try:
            return file, fit_square(self.store.read(index), self._tagger.network.resolution)
        except DatasetError as error:
            path = str(self.folder / file)
            reason = str(error).removeprefix(f"{path}: ").replace(f" {path!r}", "")
            return SkippedPicture(file, reason)

    def _tag(
        self, batch: Sequence[tuple[str, Pixels] | SkippedPicture]
    ) -> Iterator[TaggedPicture | SkippedPicture]:
        readable = [each[1] for each in batch if not isinstance(each, SkippedPicture)]
        look = self._tagger.look(np.stack(readable or [np.zeros((1, 1, 3), np.uint8)]))
        probabilities = dict(look.probabilities)
        probabilities |= {head.attribute: head.probabilities(look) for head in self._heads}
        row = 0
        for each in batch:
            if isinstance(each, SkippedPicture):
                yield each
                continue
            yield self._describe(each[0], {name: p[row] for name, p in probabilities.items()})
            row += 1

    def _describe(self, file: str, probabilities: Mapping[str, Floats]) -> TaggedPicture:
        choices, sure = {}, {}
        for name, own in probabilities.items():
            best = int(own.argmax())
            sure[name] = float(own[best])
            likeliest = self._offered[name][best]
            choices[name] = likeliest if sure[name] >= self._threshold else UNKNOWN
        reasons = []
        for name, silenced in self._tagger.silences.items():
            for other in silenced.get(choices[name], ()):
                if choices.get(other, UNKNOWN) != UNKNOWN:
                    choices[other] = UNKNOWN
            if choices[name] in silenced:
                reasons.append(f"{name}: {choices[name]}")
        told = {name: choices[name] for name in self.attributes}
        return TaggedPicture(file, told, {name: sure[name] for name in told}, "; ".join(reasons))


class TagTable:
    """The tags of a folder, row by row.

    Args:
        tagged: what makes them.

    Attributes:
        columns: of the ``tags.csv``.
        files: of the rows.
    """

    def __init__(self, tagged: FolderTagger) -> None:
        self._tagged = tagged
        self._attributes = tagged.attributes
        columns = [FILE]
        for name in tagged.attributes:
            columns += [name, name + PROBABILITY_ENDING]
        self.columns = (*columns, TAGGER, REASON)
        self.files: list[str] = []
        self._labels = {name: array("q") for name in tagged.attributes}
        self._sure = {name: array("f") for name in tagged.attributes}

    def add(self, picture: TaggedPicture) -> tuple[str, ...]:
        """Remember a picture, and return its row."""
        self.files.append(picture.file)
        row = [picture.file]
        for name, choice in picture.choices.items():
            self._labels[name].append(self._attributes.index(name, choice))
            row += [choice, f"{picture.probabilities[name]:.3f}"]
            self._sure[name].append(picture.probabilities[name])
        return (*row, self._tagged.tagger_sha256, picture.reason)

    def counts(self, name: str) -> dict[str, int]:
        """Return how often each choice of an attribute was said, with "unknown"."""
        choices = self._attributes[name]
        found = np.bincount(self._column(name), minlength=len(choices))
        return {choice: int(count) for choice, count in zip(choices, found, strict=True)}

    @property
    def probabilities(self) -> dict[str, NDArray[np.float32]]:
        """How likely the likeliest choice of each attribute is, in the order of the files."""
        return {name: np.array(own, np.float32) for name, own in self._sure.items()}

    def dataset(self) -> Dataset:
        """Return the tagged pictures as a set to look at."""
        index = {name: place for place, name in enumerate(self._tagged.files)}
        return Dataset(
            self._tagged.folder,
            self._attributes,
            tuple(self.files),
            {name: self._column(name) for name in self._attributes},
            tuple(self.files),
            np.array([split_of(file) for file in self.files]),
            self._tagged.store,
            np.array([index[file] for file in self.files], dtype=np.int64),
        )

    def _column(self, name: str) -> NDArray[np.int64]:
        return np.array(self._labels[name], dtype=np.int64)


def _joined_attributes(tagger: Tagger, heads: Sequence[AttributeHead]) -> Taxonomy:
    attributes = {
        name: (*tagger.attributes.offered(name), UNKNOWN)
        for name in tagger.attributes
        if name not in tagger.internal
    }
    for head in heads:
        head.require_tagger(tagger)
        if head.attribute in attributes:
            raise OptionError(
                f"the attribute '{head.attribute}' would be there twice; leave a head out"
            )
        attributes[head.attribute] = (*head.choices, UNKNOWN)
    return Taxonomy(attributes)
