"""Writing files so that a killed process or a full disk never leaves half of one."""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from avatargan.errors import OutputError


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


#: The file that :func:`only_writer` locks.
LOCK = "lock"
#: How many bytes of a file's name its temporary name keeps.
_KEPT_OF_NAME = 200
#: Tables of millions of pictures fit; what is larger would fill the memory.
_MOST_READ = 512 * 2**20
_TEMPORARY_NAME = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}\.tmp")

# Read once: setting the mask in order to read it is not safe while other threads write files.
_UMASK = _read_umask()


@contextmanager
def atomic_writer(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; on success fsync it and put it in place in one step.

    With ``overwrite=False`` an existing file is left as it is, even when it appears while the new
    one is being written. Missing parent folders are made.

    Raises:
        OutputError: the file exists (``overwrite=False``), or the system refused to write it.
    """
    target = Path(path)
    if not overwrite and os.path.lexists(target):
        raise _already_exists(target)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(
            prefix=_temporary_prefix(target), suffix=".tmp", dir=target.parent
        )
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            # mkstemp makes files private; a result should follow the user's umask instead.
            temporary.chmod(0o666 & ~_UMASK)
            yield file
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            _rename_unless_exists(temporary, target)
        _fsync_folder(target.parent)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {_reason(error)}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_atomically(
    path: str | os.PathLike[str], content: bytes | str, *, overwrite: bool = True
) -> None:
    """Write ``content`` (text as UTF-8) to ``path`` through :func:`atomic_writer`."""
    with atomic_writer(path, overwrite=overwrite) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Make a temporary folder beside ``path``; on success put it in place, whole.

    A folder that is there already is replaced with all that is in it: callers make sure that it
    is theirs.

    Raises:
        OutputError: the system refused to write.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=_temporary_prefix(target), suffix=".tmp", dir=target.parent
        ) as temporary:
            unfinished, replaced = Path(temporary, "new"), Path(temporary, "old")
            unfinished.mkdir()
            yield unfinished
            for file in unfinished.rglob("*"):
                _fsync(file)
            if target.exists():
                target.rename(replaced)
            unfinished.rename(target)
            _fsync_folder(target.parent)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {_reason(error)}") from error


def target_of_temporary(name: str) -> str | None:
    """Return the name that a temporary file of this module was to get, None for other files.

    A killed process leaves such files. Of a very long name only the beginning is known.
    """
    match = _TEMPORARY_NAME.fullmatch(name)
    return match["name"] if match is not None else None


@contextmanager
def only_writer(folder: Path, shown: Path) -> Iterator[None]:
    """Keep other processes from writing into the same place for as long as the block runs.

    Args:
        folder: a file ``lock`` is made in it, which stays.
        shown: what the error calls it.

    Raises:
        OutputError: another process has locked it, or no lock can be made.
    """
    # Training machines need not have it: what trains locks its runs by other means.
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"{shown} is being written by another avatargan; wait for it, or end it"
        ) from error
    except (OSError, NotImplementedError) as error:
        raise OutputError(f"cannot lock {shown}: {error}") from error
    try:
        yield
    finally:
        lock.release()


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Make a folder and find out, before any long work, that files can be written to it.

    Raises:
        OutputError: they cannot.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {_reason(error)}") from error


def is_special(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is there and is neither a file nor a folder, but a pipe or a device.

    Opening a pipe waits until somebody writes to it, and a device may never end.
    """
    path = Path(path)
    return path.exists() and not path.is_file() and not path.is_dir()


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a file to read; a pipe, a device or a folder is refused instead of waited for.

    Raises:
        OSError: it is no file, or cannot be opened.
    """
    if is_special(path):
        raise OSError(errno.EINVAL, "a pipe or a device, not a file", os.fspath(path))
    return Path(path).open("rb")


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file, of which there must not be more than 512 MiB.

    Raises:
        OSError: it is no file, it is larger, or it cannot be read.
    """
    with open_regular(path) as file:
        content = file.read(_MOST_READ + 1)
    if len(content) > _MOST_READ:
        raise OSError(errno.EFBIG, "larger than 512 MiB", os.fspath(path))
    return content


def user_cache_folder(purpose: str, beside: str | os.PathLike[str] | None = None) -> Path:
    """Return where what can be made again is kept when nobody says where.

    The user's cache folder, or where that cannot be written (users without a home, as in some
    containers; homes that are read-only) the folder for temporary files.

    Args:
        purpose: the name of the folder.
        beside: a folder of the user's that is taken before that for temporary files, such as that
            of the output; a new folder in it gets the name.

    Raises:
        OutputError: neither the user nor the system has a place for it.
    """
    root = os.environ.get("XDG_CACHE_HOME")
    candidates = []
    with suppress(RuntimeError):  # a user without a home
        candidates.append((Path(root) if root else Path.home() / ".cache") / "avatargan" / purpose)
    if beside is not None:
        candidates.append(Path(beside) / purpose)
    with suppress(FileNotFoundError):
        candidates.append(Path(tempfile.gettempdir()) / "avatargan" / purpose)
    for folder in candidates:
        try:
            check_writable(folder)
        except OutputError:
            continue
        return folder
    raise OutputError(f"no place for {purpose} data; set XDG_CACHE_HOME to a folder")


def _temporary_prefix(target: Path) -> str:
    """Return the start of a temporary name; what mkstemp adds must fit in 255 bytes with it."""
    return f".{os.fsencode(target.name)[:_KEPT_OF_NAME].decode(errors='ignore')}."


def _already_exists(target: Path) -> OutputError:
    return OutputError(f"{target} exists already; choose another name or ask to overwrite it")


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    return error.strerror or str(error)


def _rename_unless_exists(temporary: Path, target: Path) -> None:
    try:
        target.hardlink_to(temporary)  # unlike a rename, fails when the target exists
    except FileExistsError as error:
        raise _already_exists(target) from error
    except OSError:  # file systems without hard links, such as those of memory cards
        if os.path.lexists(target):
            raise _already_exists(target) from None
        temporary.replace(target)


def _fsync_folder(folder: Path) -> None:
    """Make the rename itself durable (POSIX; elsewhere folders cannot be opened)."""
    if os.name == "posix":
        _fsync(folder)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
