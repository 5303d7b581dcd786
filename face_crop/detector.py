"""Finding faces in a picture: the cascade proposes, the second look proposes too and decides."""

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from avatargan.errors import OptionError
from avatargan.weights_header import SHIPPED_SECOND_LOOK, shipped_weights
from face_crop.boxes import (
    Box,
    BoxArray,
    iou_matrix,
    non_maximum_suppression,
    rotated_about,
)
from face_crop.cascade import find_windows, load_cascade

if TYPE_CHECKING:
    from face_crop.second_look import Found, SecondLook

SECOND_LOOK_CHOICES = ("auto", "on", "off")

#: Windows that must agree on a face where there is no second look, and on a candidate for one.
NEIGHBOURS_ALONE = 5
NEIGHBOURS_OF_CANDIDATES = 1
#: Longer side of the copy in which the cascade looks, for the same two cases.
WORKING_SIZE_ALONE = 640
WORKING_SIZE_OF_CANDIDATES = 360
#: At most so many candidates of either kind are looked at closely.
MOST_FROM_GLANCE = 12
MOST_FROM_CASCADE = 4
#: At most so many large faces are looked at closely: no picture has room for more.
MOST_LARGE = 4
#: Log odds at the first glance below which a place is no candidate.
LEAST_GLANCE = -4.0
#: Candidates that overlap more are one; faces that overlap more are one.
CANDIDATE_OVERLAP = 0.6
FACE_OVERLAP = 0.3

_OF_FOUND = ("boxes", "logits", "tilts")


@dataclass(frozen=True)
class DetectorOptions:
    """How faces are looked for.

    Attributes:
        cascade: a cascade in OpenCV's format; None is the shipped one.
        scale_factor: step from one window size of the cascade to the next.
        neighbours: windows of the cascade that have to agree; None is what suits best, 5 where
            the cascade decides and 1 where it only proposes.
        minimum_size: side of the smallest face in pixels of the picture.
        working_size: the cascade searches pictures whose longer side is above this in a smaller
            copy; None is what suits best, 640 where it decides and 360 where it only proposes.
        rotations: degrees by which the picture is also turned for the cascade. Only where there
            are any are faces said to be tilted.
        second_look: whether a network proposes and judges faces too: "on", "off", or "auto",
            which is on where its weights are.
        second_look_weights: its weights file; None is the shipped one.
        threshold: probability that the second look must give a face.

    Raises:
        OptionError: a value is out of range.
    """

    cascade: Path | None = None
    scale_factor: float = 1.1
    neighbours: int | None = None
    minimum_size: int = 24
    working_size: int | None = None
    rotations: tuple[float, ...] = ()
    second_look: str = "auto"
    second_look_weights: Path | None = None
    threshold: float = 0.53

    def __post_init__(self) -> None:
        _check_range("scale_factor", self.scale_factor, 1.01, 2)
        if self.neighbours is not None:
            _check_range("neighbours", self.neighbours, 0, 100)
        _check_range("minimum_size", self.minimum_size, 8, 10_000)
        if self.working_size is not None:
            _check_range("working_size", self.working_size, 64, 10_000)
        for angle in self.rotations:
            _check_range("rotations", angle, -180, 180)
        _check_range("threshold", self.threshold, 0, 1)
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
        cascade_score: how many windows of the cascade agree, 0 where it found nothing.
        second_look: the network's probability that this is a face, None without a second look.
    """

    box: Box
    angle: float
    cascade_score: float
    second_look: float | None


@dataclass(frozen=True)
class _Candidates:
    """Boxes ``[N, 4]`` in pixels of the picture, windows that agree, tilts; the best first."""

    boxes: BoxArray
    counts: NDArray[np.float32]
    angles: NDArray[np.float32]


class FaceDetector:
    """Finds faces, the same ones every time.

    Build one per process: it loads files, and is not to be shared between threads.

    Raises:
        CascadeError: the cascade is missing or is none.
        WeightsError: the second look is wanted and its weights are missing or damaged.
    """

    def __init__(self, options: DetectorOptions | None = None) -> None:
        self.options = options or DetectorOptions()
        self._cascade = load_cascade(self.options.cascade)
        self._second_look = _load_second_look(self.options)

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Return the faces in a picture, uint8 RGB ``[H, W, 3]``, the surest first.

        Raises:
            OptionError: the array is not such a picture.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise OptionError(
                f"a picture is uint8 [height, width, 3], got {picture.dtype} {list(picture.shape)}"
            )
        if min(picture.shape[:2]) < self.options.minimum_size:
            return []
        candidates = self._candidates(picture)
        if self._second_look is None:
            kept = non_maximum_suppression(candidates.boxes, candidates.counts, FACE_OVERLAP)
            return [
                Face(
                    Box(*map(float, candidates.boxes[i])),
                    float(candidates.angles[i]),
                    float(candidates.counts[i]),
                    None,
                )
                for i in kept
            ]
        return self._decide(self._second_look, picture, candidates)

    def _decide(
        self, look: "SecondLook", picture: NDArray[np.uint8], cascade: _Candidates
    ) -> list[Face]:
        close, logits = self._looked_at(look, picture, cascade)
        probabilities = 1 / (1 + np.exp(-logits))
        agreement = iou_matrix(close.boxes, cascade.boxes) > 0.4
        faces = []
        for i in non_maximum_suppression(close.boxes, logits, FACE_OVERLAP):
            box = Box(*map(float, close.boxes[i]))
            if probabilities[i] < self.options.threshold or box.width < self.options.minimum_size:
                continue
            faces.append(
                Face(
                    box,
                    float(close.tilts[i]) if self.options.rotations else 0.0,
                    float(cascade.counts[agreement[i]].max(initial=0)),
                    float(probabilities[i]),
                )
            )
        return faces

    def _looked_at(
        self, look: "SecondLook", picture: NDArray[np.uint8], cascade: _Candidates
    ) -> "tuple[Found, NDArray[np.float32]]":
        """Return all candidates as they look closely, and the log odds of both looks together."""
        from face_crop.second_look import LARGE_GLANCES, Found

        glance = look.glance(picture)
        likely = glance.likeliest(LEAST_GLANCE, MOST_FROM_GLANCE)
        boxes = np.concatenate([likely.boxes, cascade.boxes[:MOST_FROM_CASCADE]])
        ranks = -np.arange(len(boxes), dtype=np.float32)
        distinct = non_maximum_suppression(boxes, ranks, CANDIDATE_OVERLAP)
        found = [look.closely(picture, boxes[distinct])]
        logits = [(found[0].logits + glance.logits_at(found[0].boxes)) / 2]
        # From farther away for what fills much of the picture.
        for longer_side, share in LARGE_GLANCES:
            far = look.glance(picture, longer_side)
            least = share * max(picture.shape[:2])
            places = far.likeliest(LEAST_GLANCE, MOST_FROM_GLANCE).boxes
            close = look.closely(picture, places[places[:, 2] >= least][:MOST_LARGE])
            large = close.subset(close.boxes[:, 2] >= least)
            found.append(large)
            logits.append((large.logits + far.logits_at(large.boxes)) / 2)
        together = Found(
            *(np.concatenate([getattr(each, name) for each in found]) for name in _OF_FOUND)
        )
        return together, np.concatenate(logits)

    def _candidates(self, picture: NDArray[np.uint8]) -> _Candidates:
        """Return what the cascade finds."""
        options = self.options
        alone = self._second_look is None
        neighbours, working_size = options.neighbours, options.working_size
        if neighbours is None:
            neighbours = NEIGHBOURS_ALONE if alone else NEIGHBOURS_OF_CANDIDATES
        if working_size is None:
            working_size = WORKING_SIZE_ALONE if alone else WORKING_SIZE_OF_CANDIDATES
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        scale = min(1.0, working_size / max(grey.shape))
        if scale < 1:
            size = tuple(max(round(side * scale), 1) for side in (grey.shape[1], grey.shape[0]))
            grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        smallest = max(round(options.minimum_size * scale), 8)
        centre = (grey.shape[1] / 2, grey.shape[0] / 2)
        rows: list[tuple[float, ...]] = []
        for angle in (0.0, *(angle for angle in options.rotations if angle)):
            turned = _turned(grey, angle) if angle else grey
            found, agreeing = find_windows(
                self._cascade, turned, options.scale_factor, neighbours, smallest
            )
            for (x, y, side, _), count in zip(found.tolist(), agreeing.tolist(), strict=True):
                middle = rotated_about(x + side / 2, y + side / 2, centre, angle)
                rows.append((middle[0] - side / 2, middle[1] - side / 2, side, count, angle))
        table = np.array(rows, np.float32).reshape(-1, 5)
        table = table[np.argsort(-table[:, 3], kind="stable")]
        boxes = table[:, [0, 1, 2, 2]] / np.float32(scale)
        return _Candidates(boxes, table[:, 3], table[:, 4])


def has_second_look() -> bool:
    """Tell whether the shipped weights of the second look are there, and what runs them."""
    return find_spec("torch") is not None and shipped_weights(SHIPPED_SECOND_LOOK).exists()


def _load_second_look(options: DetectorOptions) -> "SecondLook | None":
    wanted = options.second_look == "on" or (
        options.second_look == "auto"
        and (options.second_look_weights is not None or has_second_look())
    )
    if not wanted:
        return None
    from face_crop.second_look import SecondLook, load_face_networks

    return SecondLook(load_face_networks(options.second_look_weights))


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise OptionError(f"{name} must be from {low} to {high}, got {value}")


def _turned(grey: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Turn a picture counter-clockwise about its middle, its size unchanged."""
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(
        cv2.warpAffine(grey, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
