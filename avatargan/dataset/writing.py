"""Writing a set that :func:`avatargan.dataset.open_dataset` reads.

A built set is a folder with ``dataset.json`` (the index), ``attributes.json`` (the taxonomy),
``tags.csv`` (file, source, split and one column per attribute) and shards: ``.npy`` arrays
``[n, R, R, 3]`` of uint8 RGB, which are mapped into memory instead of being read.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatargan.attributes import Taxonomy
from avatargan.dataset.dataset import split_of
from avatargan.dataset.opening import (
    ATTRIBUTES_FILE,
    BUILT_FORMAT,
    BUILT_VERSION,
    INDEX_FILE,
)
from avatargan.dataset.report import REPORT_FILE
from avatargan.dataset.tags import FILE, SOURCE, SPLIT, TAGS_FILE, with_unknown
from avatargan.errors import OutputError
from avatargan.files import atomic_folder
from avatargan.tables import write_table
from avatargan.version import __version__

#: Shards are written from memory, so this bounds what a build takes.
SHARD_BYTES = 64 * 2**20
_FILES = frozenset({INDEX_FILE, ATTRIBUTES_FILE, TAGS_FILE, REPORT_FILE})
_SHARD_NAME = re.compile(r"pictures-\d{5,}\.npy")


class SetWriter:
    """Takes the pictures of a set one by one.

    Args:
        folder: where the files go; kept as the attribute of the same name.
        attributes: the taxonomy of the tags; "unknown" is added where it is missing.
        resolution: side of the pictures in pixels.
    """

    def __init__(self, folder: Path, attributes: Taxonomy, resolution: int) -> None:
        self.folder = folder
        self.attributes = with_unknown(attributes)
        self.resolution = resolution
        self._pending: list[NDArray[np.uint8]] = []
        self._shard_size = max(1, SHARD_BYTES // (3 * resolution**2))
        self._shards: list[dict[str, Any]] = []
        self._names: list[str] = []
        self._tags: list[list[str]] = []
        #: What each picture was cut from; may be replaced until the set is finished.
        self.sources: list[str] = []

    def add(
        self, name: str, pixels: NDArray[np.uint8], source: str, tags: Mapping[str, str]
    ) -> None:
        """Add a picture, ``[resolution, resolution, 3]``, with its choice of each attribute."""
        self._pending.append(pixels)
        self._names.append(name)
        self.sources.append(source)
        self._tags.append([tags[attribute] for attribute in self.attributes])
        if len(self._pending) == self._shard_size:
            self._write_shard()

    def finish(self, **facts: Any) -> None:
        """Write what is left and the index, with facts on how the set was made."""
        self._write_shard()
        columns = [FILE, SOURCE, SPLIT, *self.attributes]
        rows = (
            [name, source, split_of(source), *tags]
            for name, source, tags in zip(self._names, self.sources, self._tags, strict=True)
        )
        (self.folder / TAGS_FILE).write_text(
            write_table(columns, rows), encoding="utf-8", errors="surrogateescape"
        )
        if self.attributes:
            text = json.dumps({name: list(self.attributes[name]) for name in self.attributes})
            (self.folder / ATTRIBUTES_FILE).write_text(text, encoding="utf-8")
        hashes = "".join(shard["sha256"] for shard in self._shards)
        index = {
            "format": BUILT_FORMAT,
            "version": BUILT_VERSION,
            "avatargan": __version__,
            "resolution": self.resolution,
            "sha256": hashlib.sha256(hashes.encode()).hexdigest(),
            "shards": self._shards,
            **facts,
            "files": self._names,
        }
        (self.folder / INDEX_FILE).write_text(json.dumps(index, indent=1), encoding="utf-8")

    def _write_shard(self) -> None:
        if not self._pending:
            return
        buffer = io.BytesIO()
        np.save(buffer, np.stack(self._pending), allow_pickle=False)
        name = f"pictures-{len(self._shards):05}.npy"
        (self.folder / name).write_bytes(buffer.getbuffer())
        self._shards.append(
            {
                "file": name,
                "count": len(self._pending),
                "sha256": hashlib.sha256(buffer.getbuffer()).hexdigest(),
            }
        )
        self._pending.clear()


@contextmanager
def new_set(
    out: Path, attributes: Taxonomy, resolution: int, *, overwrite: bool = False
) -> Iterator[SetWriter]:
    """Make a set that appears in ``out`` whole, or not at all.

    Raises:
        OutputError: there is something in ``out`` that is not a set, or a set that is not to be
            replaced; or the system refused to write.
    """
    check_set_folder(out, overwrite=overwrite)
    with atomic_folder(out) as folder:
        yield SetWriter(folder, attributes, resolution)


def check_set_folder(out: Path, *, overwrite: bool) -> None:
    """Find out before any work is done that a set cannot be written; errors as above."""
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() and not (out / INDEX_FILE).exists():
        raise OutputError(f"{out} is not a set that was built here; choose another folder")
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists already; choose another folder, or --overwrite it")
    foreign = sorted(
        path.name
        for path in (out.iterdir() if out.exists() else ())
        if path.name not in _FILES and _SHARD_NAME.fullmatch(path.name) is None
    )
    if foreign:
        raise OutputError(
            f"{out} holds '{foreign[0]}', which is not the set's and would be lost with it; move "
            "it away, or choose another folder"
        )
