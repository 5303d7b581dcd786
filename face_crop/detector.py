"""Finding faces in a picture."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from avatargan.errors import OptionError
from face_crop.boxes import Box, BoxArray, non_maximum_suppression, rotated_about
from face_crop.cascade import find_windows, load_cascade

SECOND_LOOK_CHOICES = ("auto", "on", "off")


@dataclass(frozen=True)
class DetectorOptions:
    """How faces are looked for.

    Attributes:
        cascade: a cascade in OpenCV's format; None is the shipped one.
        scale_factor: step from one window size to the next.
        neighbours: windows of the cascade that have to agree on a face.
        minimum_size: side of the smallest face in pixels of the picture.
        working_size: pictures with a longer side are searched in a copy of this size.
        rotations: degrees by which the picture is also turned, for tilted faces.
        second_look: whether a network judges what the cascade found: "on", "off", or "auto",
            which is on where its weights are.

    Raises:
        OptionError: a value is out of range.
    """

    cascade: Path | None = None
    scale_factor: float = 1.1
    neighbours: int = 5
    minimum_size: int = 24
    working_size: int = 640
    rotations: tuple[float, ...] = ()
    second_look: str = "auto"

    def __post_init__(self) -> None:
        if not 1.01 <= self.scale_factor <= 2:
            raise OptionError(f"scale_factor must be from 1.01 to 2, got {self.scale_factor}")
        if not 0 <= self.neighbours <= 100:
            raise OptionError(f"neighbours must be from 0 to 100, got {self.neighbours}")
        if not 8 <= self.minimum_size <= 10_000:
            raise OptionError(f"minimum_size must be from 8 to 10000, got {self.minimum_size}")
        if not 64 <= self.working_size <= 10_000:
            raise OptionError(f"working_size must be from 64 to 10000, got {self.working_size}")
        if not all(math.isfinite(a) and -180 <= a <= 180 for a in self.rotations):
            raise OptionError(f"rotations must be from -180 to 180, got {self.rotations}")
        if self.second_look not in SECOND_LOOK_CHOICES:
            raise OptionError(
                f"second_look must be one of {', '.join(SECOND_LOOK_CHOICES)}, "
                f"got {self.second_look!r}"
            )


@dataclass(frozen=True)
class Face:
    """A face that was found.

    Attributes:
        box: where, in pixels of the picture; a square that stands upright even where the face
            does not.
        angle: degrees by which the face is tilted clockwise, as one sees it. Turning the picture
            as far counter-clockwise about the middle of the box puts it upright.
        cascade_score: how many windows of the cascade agree.
        second_look: the network's probability that this is a face, None without a second look.
    """

    box: Box
    angle: float
    cascade_score: float
    second_look: float | None


class FaceDetector:
    """Finds faces, the same ones every time.

    Build one per process: it loads files, and is not to be shared between threads.

    Raises:
        CascadeError: the cascade is missing or is none.
    """

    def __init__(self, options: DetectorOptions | None = None) -> None:
        self.options = options or DetectorOptions()
        self._cascade = load_cascade(self.options.cascade)

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Return the faces in a picture, uint8 RGB ``[H, W, 3]``, the surest first.

        Raises:
            OptionError: the array is not such a picture.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise OptionError(
                f"a picture is uint8 [height, width, 3], got {picture.dtype} {list(picture.shape)}"
            )
        height, width = picture.shape[:2]
        if min(height, width) < 8:
            return []
        scale = min(1.0, self.options.working_size / max(height, width))
        small = picture
        if scale < 1:
            size = (max(round(width * scale), 1), max(round(height * scale), 1))
            small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        boxes, counts, angles = self._candidates(grey, scale)
        boxes = boxes / scale
        kept = non_maximum_suppression(boxes, counts, 0.3)
        return [
            Face(Box(*map(float, boxes[i])), float(angles[i]), float(counts[i]), None) for i in kept
        ]

    def _candidates(
        self, grey: NDArray[np.uint8], scale: float
    ) -> tuple[BoxArray, NDArray[np.float32], NDArray[np.float32]]:
        options = self.options
        smallest = max(round(options.minimum_size * scale), 8)
        centre = (grey.shape[1] / 2, grey.shape[0] / 2)
        boxes, counts, angles = [], [], []
        for angle in (0.0, *(a for a in options.rotations if a)):
            turned = _turned(grey, angle) if angle else grey
            found, agreeing = find_windows(
                self._cascade, turned, options.scale_factor, options.neighbours, smallest
            )
            for (x, y, w, h), count in zip(found.tolist(), agreeing.tolist(), strict=True):
                middle = rotated_about(x + w / 2, y + h / 2, centre, angle)
                boxes.append((middle[0] - w / 2, middle[1] - h / 2, w, h))
                counts.append(count)
                angles.append(angle)
        return (
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(counts, np.float32),
            np.array(angles, np.float32),
        )


def _turned(grey: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Turn a picture counter-clockwise about its middle, its size unchanged."""
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(
        cv2.warpAffine(grey, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
