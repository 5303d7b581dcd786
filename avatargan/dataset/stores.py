"""Where the pixels of a set are: in a folder of files, in an archive, or in shards."""

import hashlib
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avatargan.errors import DatasetError, PictureError
from avatargan.files import open_regular
from avatargan.pictures import PICTURE_ENDINGS, open_picture, rgb_pixels

Pixels = NDArray[np.uint8]
#: A picture of 25 megapixels, stored without compression, fits; so no file can fill the memory.
LARGEST_FILE = 128 * 2**20


class PictureStore(Protocol):
    """Pictures by index. Reading is safe from several threads."""

    @property
    def names(self) -> tuple[str, ...]:
        """The pictures' names, in the order of their indices."""
        ...

    def read(self, index: int) -> Pixels:
        """Return a picture, ``[H, W, 3]`` RGB.

        Raises:
            DatasetError: it cannot be read.
        """
        ...

    def mapped(self, resolution: int, places: NDArray[np.int64]) -> Pixels | None:
        """Return the pictures at ``places`` as one memory map where the store is one already."""
        ...

    def digest(self) -> str:
        """Identify the content of all pictures."""
        ...


@dataclass(frozen=True)
class FolderStore:
    """Files in a folder and the folders in it."""

    folder: Path
    names: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path) -> "FolderStore":
        """Look for pictures; hidden files and links to folders are left out.

        Raises:
            DatasetError: a folder cannot be listed.
        """
        names = []
        for place, folders, files in os.walk(folder, onerror=_refuse_unlisted):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            inner = Path(place).relative_to(folder)
            names += [(inner / name).as_posix() for name in files if is_picture_name(name)]
        return cls(folder, tuple(sorted(names)))

    def read(self, index: int) -> Pixels:
        """See :class:`PictureStore`."""
        path = self.folder / self.names[index]
        try:
            return rgb_pixels(open_picture(path))
        except PictureError as error:
            raise DatasetError(_naming(str(path), error)) from error

    def mapped(self, resolution: int, places: NDArray[np.int64]) -> None:
        """See :class:`PictureStore`: files are not mapped."""

    def digest(self) -> str:
        """See :class:`PictureStore`."""
        digest = hashlib.sha256()
        for name in self.names:
            try:
                with open_regular(self.folder / name) as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            except OSError as error:
                raise DatasetError(f"{self.folder / name}: {error.strerror}") from error
        return digest.hexdigest()


@dataclass(frozen=True)
class TarStore:
    """Members of an uncompressed tar file, read where they lie.

    Attributes:
        path: the archive.
        members: offset and length in bytes of each file, by its name.
        names: those that are pictures.
    """

    path: Path
    members: Mapping[str, tuple[int, int]]
    names: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> "TarStore":
        """List an archive.

        A folder that everything lies in is left out of the names. Nothing is unpacked.

        Raises:
            DatasetError: it is compressed, damaged or cannot be read.
        """
        members = {}
        try:
            size = path.stat().st_size
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    if not member.isreg() or member.issparse():
                        continue
                    if member.offset_data + member.size > size:
                        raise DatasetError(f"{path}: truncated in '{member.name}'")
                    members[member.name.removeprefix("./")] = (member.offset_data, member.size)
        # Chained and enormous headers make tarfile recurse, or ask for more memory than there is.
        except (
            tarfile.TarError,
            EOFError,
            ValueError,
            OverflowError,
            RecursionError,
            MemoryError,
        ) as error:
            raise DatasetError(
                f"{path}: not an uncompressed tar file, or a damaged one ({error})"
            ) from error
        except OSError as error:
            raise DatasetError(f"{path}: {error.strerror or error}") from error
        members = _without_common_folder(members)
        names = sorted(name for name in members if is_picture_name(PurePosixPath(name).name))
        return cls(path, members, tuple(names))

    def content(self, name: str) -> bytes:
        """Return the bytes of a member.

        Raises:
            DatasetError: it cannot be read.
        """
        offset, length = self.members[name]
        if length > LARGEST_FILE:
            raise DatasetError(f"{self.path}: '{name}' is larger than 128 MiB")
        try:
            content = os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise DatasetError(f"{self.path}: {error.strerror}") from error
        if len(content) < length:
            raise DatasetError(f"{self.path}: truncated in '{name}'")
        return content

    def read(self, index: int) -> Pixels:
        """See :class:`PictureStore`."""
        name = self.names[index]
        try:
            return rgb_pixels(open_picture(self.content(name)))
        except PictureError as error:
            raise DatasetError(_naming(f"{self.path}: '{name}'", error)) from error

    def mapped(self, resolution: int, places: NDArray[np.int64]) -> None:
        """See :class:`PictureStore`: members are not mapped."""

    def digest(self) -> str:
        """See :class:`PictureStore`."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def _file(self) -> "_OpenFile":
        return _OpenFile(self.path)

    @property
    def _descriptor(self) -> int:
        return self._file.descriptor


class _OpenFile:
    """A file that is open as long as it is needed, and in no other process."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        os.close(self.descriptor)


@dataclass(frozen=True)
class ShardStore:
    """Arrays ``[n, R, R, 3]`` in ``.npy`` files that are mapped into memory.

    Attributes:
        shards: the arrays, all of one resolution.
        names: the pictures' names.
        sha256: identifies the content, as it was built.
    """

    shards: tuple[Pixels, ...]
    names: tuple[str, ...]
    sha256: str

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum([0] + [len(shard) for shard in self.shards])

    def read(self, index: int) -> Pixels:
        """See :class:`PictureStore`."""
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return np.array(self.shards[shard][index - self._starts[shard]])

    def mapped(self, resolution: int, places: NDArray[np.int64]) -> Pixels | None:
        """See :class:`PictureStore`: a set of one shard is a memory map."""
        whole = len(self.shards) == 1 and np.array_equal(places, np.arange(len(self.names)))
        return self.shards[0] if whole and self.shards[0].shape[1] == resolution else None

    def digest(self) -> str:
        """See :class:`PictureStore`."""
        return self.sha256


def is_picture_name(name: str) -> bool:
    """Tell whether a file name looks like that of a picture; hidden files do not."""
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in PICTURE_ENDINGS


def _without_common_folder(
    members: Mapping[str, tuple[int, int]],
) -> dict[str, tuple[int, int]]:
    first = {name.partition("/")[0] for name in members}
    if len(first) != 1 or any("/" not in name for name in members):
        return dict(members)
    return {name.partition("/")[2]: place for name, place in members.items()}


def _naming(place: str, error: PictureError) -> str:
    """Return a message that names the place once; some errors about pictures name it already."""
    text = str(error).removeprefix(f"{place}: ").removeprefix("the picture: ")
    return f"{place}: {text}"


def _refuse_unlisted(error: OSError) -> None:
    raise DatasetError(f"{error.filename}: {error.strerror}") from error
