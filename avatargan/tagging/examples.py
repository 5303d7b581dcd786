"""Examples to teach an attribute from: a folder with one folder of pictures per choice."""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avatargan.attributes import ANY, RESERVED, UNKNOWN, is_name
from avatargan.dataset.dataset import fit_square
from avatargan.dataset.stores import FolderStore
from avatargan.errors import DatasetError
from avatargan.tagging.regions import RESOLUTION
from avatargan.tagging.tagger import Pixels

#: With fewer of a choice, neither the head nor its cross-validation says anything.
FEWEST_EXAMPLES = 10
#: Names that mean something else wherever choices are given.
NO_CHOICES = sorted({ANY, UNKNOWN, *RESERVED})
#: Beyond this a network of its own would be the better tool, and memory would not stay small.
MOST_EXAMPLES = 20_000


@dataclass(frozen=True)
class Examples:
    """Pictures of which one attribute is known.

    Attributes:
        choices: the names of the folders, sorted.
        files: inside the folder, with forward slashes.
        labels: index of each picture's choice, ``[N]``.
        pictures: ``[N, 128, 128, 3]`` RGB, which every tagger makes as small as it sees them.
        repeated: how many more files showed what another file of the same choice shows; they are
            left out, because a picture that is learnt and asked about proves nothing.
    """

    choices: tuple[str, ...]
    files: tuple[str, ...]
    labels: NDArray[np.int64]
    pictures: Pixels
    repeated: int


def read_examples(folder: str | os.PathLike[str]) -> Examples:
    """Read a folder that has one folder of pictures for each choice.

    Raises:
        DatasetError: there is no such folder, it has fewer than two choices, a choice has too few
            examples or a name that no choice can have, a picture cannot be read, or one picture
            is in the folders of two choices.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "not a folder" if folder.exists() else "there is no such folder"
        raise DatasetError(f"{folder}: {what}")
    store = FolderStore.open(folder)
    choices = _choices(folder, store)
    files: list[str] = []
    labels: list[int] = []
    pictures: list[Pixels] = []
    seen: dict[bytes, int] = {}
    repeated = 0
    for index, file in enumerate(store.names):
        label = choices.index(file.partition("/")[0])
        pixels = fit_square(store.read(index), RESOLUTION)
        digest = hashlib.sha256(pixels.tobytes()).digest()
        if digest not in seen:
            seen[digest] = len(files)
            files.append(file)
            labels.append(label)
            pictures.append(pixels)
        elif labels[seen[digest]] == label:
            repeated += 1
        else:
            raise DatasetError(
                f"{folder}: '{file}' and '{files[seen[digest]]}' are the same picture; it can "
                "only be an example of one choice"
            )
    _require_enough(folder, choices, labels)
    return Examples(choices, tuple(files), np.array(labels), np.stack(pictures), repeated)


def _choices(folder: Path, store: FolderStore) -> tuple[str, ...]:
    loose = [name for name in store.names if "/" not in name]
    if loose:
        raise DatasetError(
            f"{folder}: '{loose[0]}' is in no choice's folder; put each example into a folder "
            "named after its choice"
        )
    choices = sorted({name.partition("/")[0] for name in store.names})
    for choice in choices:
        if not is_name(choice) or choice in NO_CHOICES:
            raise DatasetError(
                f"{folder}: '{choice}' cannot be a choice (up to 40 letters and digits, with "
                f"dashes and underscores; not {', '.join(NO_CHOICES)})"
            )
    if not choices:
        raise DatasetError(f"{folder}: there are no pictures in it")
    if len(choices) < 2:
        raise DatasetError(
            f"{folder}: two choices or more are needed, each a folder of examples; there is only "
            f"'{choices[0]}'"
        )
    if len(store.names) > MOST_EXAMPLES:
        raise DatasetError(
            f"{folder}: {len(store.names)} examples are more than {MOST_EXAMPLES}; train a tagger "
            "on them instead ('avatargan train-tagger')"
        )
    return tuple(choices)


def _require_enough(folder: Path, choices: tuple[str, ...], labels: list[int]) -> None:
    counts = Counter(labels)
    for label, choice in enumerate(choices):
        if counts[label] < FEWEST_EXAMPLES:
            raise DatasetError(
                f"{folder}: {counts[label]} different examples of '{choice}' are too few; give "
                f"{FEWEST_EXAMPLES} at least, better a few dozen"
            )
