"""From a file to pixels, or to the reason why there are none.

A file is read whole and once, so that its hash is that of what was decoded.
"""

import errno
import hashlib
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from avatargan.errors import PictureError
from avatargan.pictures import open_picture, rgb_pixels

#: No picture of 25 megapixels needs more.
LARGEST_FILE = 128 * 2**20

#: Why a file is in quarantine.
EMPTY = "empty"
NOT_A_FILE = "not a file"
UNREADABLE = "cannot be read"
NOT_A_PICTURE = "not a picture"
TOO_LARGE = "too large"
DAMAGED = "damaged"


class UnreadableError(PictureError):
    """A file gives no picture.

    Attributes:
        reason: one of the few words above.
        detail: what exactly is wrong.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class FileContent:
    """A file as it was when it was read."""

    data: bytes
    modified_ns: int

    @property
    def sha256(self) -> str:
        """The hash of the content, in hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


def read_content(path: Path) -> FileContent:
    """Read a file.

    Raises:
        UnreadableError: it is not a regular file, too large, or may not be read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError(NOT_A_FILE, "a pipe, a device or a folder")
            if status.st_size > LARGEST_FILE:
                raise UnreadableError(TOO_LARGE, f"more than {LARGEST_FILE // 2**20} MB")
            data = file.read(LARGEST_FILE)
    except OSError as error:
        raise _unreadable(error) from error
    return FileContent(data, status.st_mtime_ns)


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a picture file as it is meant to be seen, RGB ``[H, W, 3]``.

    Turned as its EXIF data says, transparency over white; of an animation the first frame.

    Raises:
        UnreadableError: it is empty, not a picture, damaged, or has more than 25 megapixels.
    """
    if not data:
        raise UnreadableError(EMPTY, "the file has no content")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes and chunks; what matters is an error below
            return rgb_pixels(open_picture(data))
    except PictureError as error:
        raise _undecodable(error) from error
    # Pillow's decoders raise many types on malformed content; each means the same here.
    except Exception as error:
        raise UnreadableError(DAMAGED, _first_line(error)) from error


def _unreadable(error: OSError) -> UnreadableError:
    match error.errno:
        case errno.ENOENT:
            return UnreadableError(UNREADABLE, "it is gone, or a link that leads nowhere")
        case errno.ELOOP:
            return UnreadableError(UNREADABLE, "a link that leads back to itself")
        case errno.ENXIO | errno.ENODEV:  # sockets
            return UnreadableError(NOT_A_FILE, "a pipe, a device or a folder")
    return UnreadableError(UNREADABLE, error.strerror or str(error))


def _undecodable(error: PictureError) -> UnreadableError:
    cause = error.__cause__
    if cause is None:  # the limit, found out from the header
        return UnreadableError(TOO_LARGE, str(error).partition(": ")[2])
    if isinstance(cause, UnidentifiedImageError):  # its message is the address of an object
        return UnreadableError(NOT_A_PICTURE, "no picture that is known begins like this")
    return UnreadableError(DAMAGED, _first_line(cause))


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
