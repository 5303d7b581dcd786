"""LBP cascades in OpenCV's format: reading a file with checks, running it."""

from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray

from avatargan.errors import CascadeError
from avatargan.files import is_special
from face_crop.boxes import BoxArray

#: The project's own cascade, in a checkout as in an installed package.
SHIPPED_CASCADE = Path(__file__).parent / "cascades" / "anime_face_lbp.xml"

_LARGEST_FILE = 64 * 2**20
_REMEDY = "expected an LBP or Haar cascade in OpenCV's XML format"


def load_cascade(path: str | Path | None = None) -> cv2.CascadeClassifier:
    """Return the classifier of a cascade file (the shipped one by default).

    OpenCV gives an empty classifier, or none that finds anything, for most wrong files and says
    nothing; here each is an error.

    Raises:
        CascadeError: the file is missing, empty, unreadable, not XML, or not a cascade.
    """
    path = Path(path) if path is not None else SHIPPED_CASCADE
    text = _read(path)
    _check(path, text)
    return classifier_of(text, str(path))


def classifier_of(text: str, name: str) -> cv2.CascadeClassifier:
    """Return the classifier of a cascade that is in memory as XML.

    Raises:
        CascadeError: OpenCV cannot read it; the message begins with ``name``.
    """
    classifier = cv2.CascadeClassifier()
    try:
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        loaded = classifier.read(storage.getFirstTopLevelNode())
    except (cv2.error, SystemError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise CascadeError(f"{name}: OpenCV cannot read this cascade ({reason})") from error
    if not loaded or classifier.empty():
        raise CascadeError(f"{name}: OpenCV finds no cascade in it; {_REMEDY}")
    return classifier


def find_windows(
    classifier: cv2.CascadeClassifier,
    grey: NDArray[np.uint8],
    scale_factor: float,
    neighbours: int,
    minimum_size: int,
) -> tuple[BoxArray, NDArray[np.float32]]:
    """Return what a cascade finds, and how many windows agree on each.

    Args:
        classifier: see :func:`load_cascade`.
        grey: ``[H, W]``; it is equalised here.
        scale_factor: step from one window size to the next, above 1.
        neighbours: windows that have to agree; 0 gives every single window.
        minimum_size: side of the smallest window in pixels.
    """
    found, agreeing = classifier.detectMultiScale2(
        cv2.equalizeHist(grey),
        scaleFactor=scale_factor,
        minNeighbors=neighbours,
        minSize=(minimum_size, minimum_size),
    )
    boxes = np.asarray(found, np.float32).reshape(-1, 4)
    if neighbours == 0:  # OpenCV counts only when it merges
        return boxes, np.ones(len(boxes), np.float32)
    return boxes, np.asarray(agreeing, np.float32).reshape(-1)


def _read(path: Path) -> str:
    if is_special(path):
        raise CascadeError(f"{path}: cannot be read: it is a pipe or a device, not a file")
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise CascadeError(f"{path}: too large for a cascade; {_REMEDY}")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise CascadeError(f"{path}: there is no such cascade file") from None
    except UnicodeDecodeError:
        raise CascadeError(f"{path}: not a text file; {_REMEDY}") from None
    except OSError as error:
        raise CascadeError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not text.strip():
        raise CascadeError(f"{path}: the file is empty; {_REMEDY}")
    return text


def _check(path: Path, text: str) -> None:
    """Look for stages before OpenCV does: it trusts what it is given."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise CascadeError(f"{path}: has a document type, which no cascade has; {_REMEDY}")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise CascadeError(f"{path}: not XML ({error}); {_REMEDY}") from error
    if root.tag != "opencv_storage":
        raise CascadeError(f"{path}: XML of something else (<{root.tag}>); {_REMEDY}")
    stages = root.find("./*/stages")
    if stages is None or not len(stages):
        raise CascadeError(f"{path}: has no stages; {_REMEDY}")
