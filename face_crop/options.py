"""What a run of the cropper is asked for."""

import hashlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from avatargan.errors import AvatarGanError, CascadeError, OptionError, WeightsError
from avatargan.version import __version__
from avatargan.weights_header import SHIPPED_SECOND_LOOK, shipped_weights
from face_crop.cascade import SHIPPED_CASCADE
from face_crop.cropping import check_edge
from face_crop.detector import DetectorOptions, has_second_look
from face_crop.duplicates import NEAR_DUPLICATE_BITS
from face_crop.quality import QualityLimits

SMALLEST_SIZE, LARGEST_SIZE = 16, 2048


@dataclass(frozen=True)
class CropOptions:
    """Everything that decides what comes out.

    Attributes:
        detector: how faces are looked for.
        size: side of the crops in pixels.
        edge: what becomes of a crop that sticks out of its picture: drop, reflect or pad.
        limits: what a crop has to reach.
        near_duplicates: in how many of 64 bits the perceptual hashes of near-duplicates differ at
            most; -1 keeps them all.

    Raises:
        OptionError: a value is out of range.
    """

    detector: DetectorOptions = field(default_factory=DetectorOptions)
    size: int = 128
    edge: str = "reflect"
    limits: QualityLimits = field(default_factory=QualityLimits)
    near_duplicates: int = NEAR_DUPLICATE_BITS

    def __post_init__(self) -> None:
        check_edge(self.edge)
        if not SMALLEST_SIZE <= self.size <= LARGEST_SIZE:
            raise OptionError(
                f"size must be from {SMALLEST_SIZE} to {LARGEST_SIZE} px, got {self.size}"
            )
        if not -1 <= self.near_duplicates <= 64:
            raise OptionError(f"near_duplicates must be from -1 to 64, got {self.near_duplicates}")

    @property
    def for_any_machine(self) -> "CropOptions":
        """The same with absolute paths."""
        detector = self.detector
        files = {
            name: path.absolute()
            for name in ("cascade", "second_look_weights")
            if (path := getattr(detector, name)) is not None
        }
        return replace(self, detector=replace(detector, **files))

    def record(self) -> dict[str, Any]:
        """Return what two runs must have in common to give the same crops, fit for JSON.

        Files are named by their content, so that they may be moved.

        Raises:
            CascadeError: the cascade cannot be read.
            WeightsError: the weights of the second look cannot be read.
        """
        detector = asdict(self.detector)
        detector["cascade"] = _sha256(self.detector.cascade or SHIPPED_CASCADE, CascadeError)
        detector["rotations"] = list(self.detector.rotations)
        weights = self.detector.second_look_weights
        looks_twice = self.detector.second_look == "on" or (
            self.detector.second_look == "auto" and (weights is not None or has_second_look())
        )
        detector["second_look"] = "on" if looks_twice else "off"
        detector["second_look_weights"] = (
            _sha256(weights or shipped_weights(SHIPPED_SECOND_LOOK), WeightsError)
            if looks_twice
            else None
        )
        return {
            "version": __version__,
            **detector,
            "size": self.size,
            "edge": self.edge,
            **asdict(self.limits),
            "near_duplicates": self.near_duplicates,
        }


def _sha256(path: Path, error_type: type[AvatarGanError]) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise error_type(f"{path}: cannot be read: {error.strerror or error}") from error
