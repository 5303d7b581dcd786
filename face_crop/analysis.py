"""What one picture holds: its faces, cut out and measured. Depends on nothing but the picture.

This is what runs in the worker processes. What depends on other pictures, such as duplicates, is
decided afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatargan.recipe import encode_png
from face_crop.boxes import Box
from face_crop.cropping import crop_square, cut, outside_share
from face_crop.detector import Face, FaceDetector
from face_crop.duplicates import Look, look_of
from face_crop.options import CropOptions
from face_crop.quality import (
    BLURRED,
    GREYSCALE,
    MEASURED_SIZE,
    STICKS_OUT,
    TOO_SMALL,
    colourfulness,
    sharpness,
)
from face_crop.reading import UnreadableError, decode, read_content
from face_crop.sources import Source

#: Why a file is in quarantine although it could be read.
FAILED = "failed"


@dataclass(frozen=True)
class Candidate:
    """A face that was found.

    Attributes:
        number: its place among the faces of the picture.
        box: the face.
        square: what is cut out for it, before it is turned by ``angle``.
        angle: degrees by which the face is tilted clockwise.
        scores: of the detector and of the quality gates.
        rejected: reason and detail, if it did not pass the gates.
        png: the crop as a file, if it passed.
        look: hash and colours to compare it by, if it passed.
    """

    number: int
    box: Box
    square: Box
    angle: float
    scores: dict[str, float]
    rejected: tuple[str, str] | None = None
    png: bytes | None = None
    look: Look | None = None


@dataclass(frozen=True)
class Analysis:
    """What became of one file.

    Attributes:
        sha256: of its content; empty where that could not be read.
        bytes: its length.
        modified_ns: when it was changed last.
        width: of the picture, 0 if there is none.
        height: likewise.
        candidates: the faces, the surest first.
        quarantined: reason and detail, if the file gives no picture.
        overview: the picture made small, where that was asked for.
    """

    sha256: str = ""
    bytes: int = 0
    modified_ns: int = 0
    width: int = 0
    height: int = 0
    candidates: tuple[Candidate, ...] = ()
    quarantined: tuple[str, str] | None = None
    overview: Image.Image | None = None


@dataclass(frozen=True)
class MakeAnalyser:
    """Builds the task of a worker process.

    Attributes:
        options: what is asked for.
        overview: side of the small picture that comes along, 0 for none.
    """

    options: CropOptions
    overview: int = 0

    def __call__(self) -> Callable[[Source], Analysis]:
        """Return the task."""
        return Analyser(self.options, self.overview).analyse


class Analyser:
    """Analyses pictures one by one. Arguments as for :class:`MakeAnalyser`."""

    def __init__(self, options: CropOptions, overview: int = 0) -> None:
        self._options = options
        self._overview = overview
        self._detector: FaceDetector | None = None

    def analyse(self, source: Source) -> Analysis:
        """Read a file, find the faces, cut them out, measure the crops."""
        if source.problem is not None:
            return Analysis(quarantined=("cannot be read", source.problem))
        try:
            content = read_content(source.path)
        except UnreadableError as error:
            return Analysis(quarantined=(error.reason, error.detail))
        identity: dict[str, Any] = {
            "sha256": content.sha256,
            "bytes": len(content.data),
            "modified_ns": content.modified_ns,
        }
        try:
            picture = decode(content.data)
        except UnreadableError as error:
            return Analysis(**identity, quarantined=(error.reason, error.detail))
        height, width = picture.shape[:2]
        detector = self._load_detector()
        try:
            faces = detector.detect(picture)
            candidates = [self._judge(picture, number, face) for number, face in enumerate(faces)]
        # A picture on which OpenCV, torch or we ourselves fail must not end a run over thousands.
        except Exception as error:
            detail = f"{type(error).__name__}: {error}".splitlines()[0]
            return Analysis(**identity, quarantined=(FAILED, detail))
        return Analysis(
            **identity,
            width=width,
            height=height,
            candidates=tuple(candidates),
            overview=self._make_overview(picture),
        )

    def _load_detector(self) -> FaceDetector:
        """Build the detector for the first picture: files that are none need not wait for it."""
        if self._detector is None:
            cv2.setNumThreads(1)  # the processes are what runs in parallel
            self._detector = FaceDetector(self._options.detector)
        return self._detector

    def _judge(self, picture: NDArray[np.uint8], number: int, face: Face) -> Candidate:
        """Cut a face out and let the crop go through the gates, the cheap ones first."""
        options, limits = self._options, self._options.limits
        square = crop_square(face.box)
        scores = {"cascade": face.cascade_score}
        if face.second_look is not None:
            scores["second_look"] = face.second_look
        candidate = Candidate(number, face.box, square, face.angle, scores)
        if square.width < limits.smallest_crop:
            detail = f"{square.width:.0f} px wide, the limit is {limits.smallest_crop}"
            return replace(candidate, rejected=(TOO_SMALL, detail))
        height, width = picture.shape[:2]
        outside = outside_share(square, face.angle, width, height)
        if outside > (0 if options.edge == "drop" else limits.most_outside):
            return replace(
                candidate, rejected=(STICKS_OUT, f"{outside:.0%} of it is outside the picture")
            )
        measured = self._cut(picture, candidate, MEASURED_SIZE)
        # Few pixels are a matter of `smallest_crop`, and not to be taken for a blur.
        own_size = min(MEASURED_SIZE, round(square.width))
        scores["sharpness"] = sharpness(
            measured if own_size == MEASURED_SIZE else self._cut(picture, candidate, own_size)
        )
        scores["colourfulness"] = colourfulness(measured)
        for name, limit, reason in (
            ("sharpness", limits.sharpness, BLURRED),
            ("colourfulness", limits.colourfulness, GREYSCALE),
        ):
            if scores[name] < limit:
                detail = f"{name} {scores[name]:.3g}, the limit is {limit:g}"
                return replace(candidate, rejected=(reason, detail))
        crop = (
            measured
            if options.size == MEASURED_SIZE
            else self._cut(picture, candidate, options.size)
        )
        return replace(candidate, png=encode_png(crop), look=look_of(measured))

    def _cut(self, picture: NDArray[np.uint8], candidate: Candidate, size: int) -> Image.Image:
        return cut(picture, candidate.square, candidate.angle, size, self._options.edge)

    def _make_overview(self, picture: NDArray[np.uint8]) -> Image.Image | None:
        if not self._overview:
            return None
        small = Image.fromarray(picture)
        small.thumbnail((self._overview, self._overview), Image.Resampling.LANCZOS)
        return small
