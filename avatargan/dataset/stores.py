"""Where the pixels of a set are: in a folder of files, in an archive, or in shards."""

import hashlib
import os
import posixpath
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avatargan.dataset.tags import TAGS_FILE
from avatargan.errors import DatasetError, PictureError
from avatargan.files import open_regular
from avatargan.pictures import PICTURE_ENDINGS, open_picture, rgb_pixels

Pixels = NDArray[np.uint8]
#: What macOS, Windows and storage devices put beside pictures, in small letters.
FOREIGN_NAMES = frozenset({"__macosx", "@eadir", "thumbs.db", "desktop.ini", "$recycle.bin"})
#: Links to links that are followed.
_LONGEST_CHAIN = 8
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
    """Files in a folder and the folders in it.

    Attributes:
        folder: where they are.
        names: the pictures.
        others: the files that are no pictures.
    """

    folder: Path
    names: tuple[str, ...]
    others: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: Path) -> "FolderStore":
        """Look for pictures; hidden and foreign ones and links to folders are left out.

        Raises:
            DatasetError: a folder cannot be listed.
        """
        names: list[str] = []
        others: list[str] = []
        for place, folders, files in os.walk(folder, onerror=_refuse_unlisted):
            folders[:] = sorted(name for name in folders if not is_foreign(name))
            inner = Path(place).relative_to(folder)
            paths = ((inner / name).as_posix() for name in files if not is_foreign(name))
            for path in paths:
                (names if is_picture_name(path) else others).append(path)
        return cls(folder, tuple(sorted(names)), tuple(sorted(others)))

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
        members: offset and length in bytes of each file, by its name. Hidden files and what
            other systems leave in archives are not among them.
        names: those that are pictures.
    """

    path: Path
    members: Mapping[str, tuple[int, int]]
    names: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> "TarStore":
        """List an archive.

        The folder that the tags lie in, or all pictures where there are none, is left out of the
        names. Nothing is unpacked.

        Raises:
            DatasetError: it is compressed, damaged or cannot be read, or its tags cannot be used.
        """
        try:
            members = _list_members(path)
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
        tables = tables_among(members)
        inside = [PurePosixPath(name) for name in members if is_picture_name(name)]
        if len(tables) > 1:
            raise DatasetError(
                f"{path}: '{tables[0]}' and '{tables[1]}' are both in it, and one table is read; "
                "pack them apart"
            )
        folder = PurePosixPath(tables[0]).parent if tables else _common_folder(inside)
        members = {
            PurePosixPath(name).relative_to(folder).as_posix(): place
            for name, place in members.items()
            if PurePosixPath(name).is_relative_to(folder)
        }
        return cls(path, members, tuple(sorted(filter(is_picture_name, members))))

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
    """Tell whether a file name, or a path, looks like that of a picture; hidden files do not."""
    path = PurePosixPath(name)
    return not path.name.startswith(".") and path.suffix.lower() in PICTURE_ENDINGS


def is_foreign(name: str) -> bool:
    """Tell whether a name is hidden, or what other systems leave beside pictures."""
    return name.startswith(".") or name.lower() in FOREIGN_NAMES


def tables_among(names: Iterable[str]) -> list[str]:
    """Return which of the names of files are those of tables of tags, the outermost first."""
    tables = [name for name in names if PurePosixPath(name).name.lower() == TAGS_FILE]
    return sorted(tables, key=lambda name: (name.count("/"), name))


def _list_members(path: Path) -> dict[str, tuple[int, int]]:
    """Return offset and length of each file in an archive; links stand for what they lead to."""
    size = path.stat().st_size
    members: dict[str, tuple[int, int]] = {}
    links: dict[str, str] = {}
    unusable: dict[str, str] = {}
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            name = _member_name(member.name)
            if name is None or member.isdir():
                continue
            for known in (members, links, unusable):
                known.pop(name, None)  # what was appended later replaces what was there
            if member.issym():
                links[name] = posixpath.join(posixpath.dirname(name), member.linkname)
            elif member.islnk():
                links[name] = member.linkname
            elif not member.isreg() or member.issparse():
                unusable[name] = "stored sparsely" if member.issparse() else "not a file"
            elif member.offset_data + member.size > size:
                raise DatasetError(f"{path}: truncated in '{member.name}'")
            else:
                members[name] = (member.offset_data, member.size)
    for name, target in links.items():
        for _ in range(_LONGEST_CHAIN):
            target = _member_name(target, hidden=True) or ""
            if target not in links:
                break
            target = links[target]
        if target in members:
            members[name] = members[target]
        else:
            unusable[name] = "a link to what is not in the archive"
    for name, why in unusable.items():
        if tables_among([name]):
            raise DatasetError(f"{path}: '{name}' cannot be read ({why}); pack it as a plain file")
    return members


def _member_name(name: str, *, hidden: bool = False) -> str | None:
    """Return the path of a member as the others are written; None for what does not count."""
    # Backslashes come from Windows, where no name of a file holds one.
    path = posixpath.normpath(name.replace("\\", "/")).lstrip("/")
    if not hidden and any(is_foreign(part) for part in path.split("/")):
        return None
    return path


def _common_folder(paths: Sequence[PurePosixPath]) -> PurePosixPath:
    """Return the folder that all lie in, if it is not the outermost one."""
    if not paths:
        return PurePosixPath()
    first = {path.parts[0] for path in paths}
    if len(first) != 1 or any(len(path.parts) == 1 for path in paths):
        return PurePosixPath()
    return PurePosixPath(first.pop())


def _naming(place: str, error: PictureError) -> str:
    """Return a message that names the place once; some errors about pictures name it already."""
    text = str(error).removeprefix(f"{place}: ").removeprefix("the picture: ")
    return f"{place}: {text}"


def _refuse_unlisted(error: OSError) -> None:
    raise DatasetError(f"{error.filename}: {error.strerror}") from error
