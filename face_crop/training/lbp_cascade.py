"""Cascades of boosted LBP stumps: what they are, how they decide, and OpenCV's file format."""

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from avatargan.errors import CascadeError
from face_crop.training.lbp import WINDOW, Feature, Windows, codes

#: OpenCV lowers the thresholds that it reads by this.
_OPENCV_SLACK = 1e-5


@dataclass(frozen=True)
class Stump:
    """One weak classifier.

    Attributes:
        feature: what it looks at.
        subset: the codes that count as "inside", bool ``[256]``.
        inside, outside: what it adds to the sum of its stage.
    """

    feature: Feature
    subset: NDArray[np.bool_]
    inside: float
    outside: float


@dataclass(frozen=True)
class Stage:
    """Stumps whose sum must reach a threshold."""

    stumps: tuple[Stump, ...]
    threshold: float

    def sums(self, windows: Windows) -> NDArray[np.float32]:
        """Return the sum for each window ``[N, S, S]``."""
        found = codes(windows, [stump.feature for stump in self.stumps])
        total = np.zeros(len(windows), np.float32)
        for stump, row in zip(self.stumps, found, strict=True):
            votes = np.where(stump.subset, stump.inside, stump.outside).astype(np.float32)
            total += votes[row]
        return total


@dataclass(frozen=True)
class LbpCascade:
    """Stages, each of which a window must pass."""

    stages: tuple[Stage, ...]

    def passes(self, windows: Windows) -> NDArray[np.bool_]:
        """Return which windows ``[N, S, S]`` pass all stages."""
        alive = np.ones(len(windows), bool)
        for stage in self.stages:
            waiting = np.flatnonzero(alive)
            if not len(waiting):
                break
            alive[waiting] = stage.sums(windows[waiting]) >= stage.threshold - _OPENCV_SLACK
        return alive

    def to_xml(self) -> str:
        """Return the cascade in OpenCV's format."""
        features: dict[Feature, int] = {}
        stages = []
        for stage in self.stages:
            rows = []
            for stump in stage.stumps:
                index = features.setdefault(stump.feature, len(features))
                words = " ".join(map(str, _to_words(stump.subset)))
                rows.append(
                    f"<_><internalNodes>0 -1 {index} {words}</internalNodes>"
                    f"<leafValues>{stump.inside:.7g} {stump.outside:.7g}</leafValues></_>"
                )
            stages.append(
                f"<_><maxWeakCount>{len(rows)}</maxWeakCount>"
                f"<stageThreshold>{stage.threshold:.7g}</stageThreshold>"
                "<weakClassifiers>\n" + "\n".join(rows) + "\n</weakClassifiers></_>"
            )
        most = max(len(stage.stumps) for stage in self.stages)
        rectangles = (f"<_><rect>{' '.join(map(str, feature))}</rect></_>" for feature in features)
        return "\n".join(
            [
                '<?xml version="1.0"?>',
                "<opencv_storage>",
                '<cascade type_id="opencv-cascade-classifier">',
                "<stageType>BOOST</stageType><featureType>LBP</featureType>",
                f"<height>{WINDOW}</height><width>{WINDOW}</width>",
                "<stageParams><boostType>GAB</boostType><maxDepth>1</maxDepth>"
                f"<maxWeakCount>{most}</maxWeakCount></stageParams>",
                "<featureParams><maxCatCount>256</maxCatCount><featSize>1</featSize>"
                "</featureParams>",
                f"<stageNum>{len(self.stages)}</stageNum>",
                "<stages>",
                *stages,
                "</stages>",
                "<features>",
                *rectangles,
                "</features>",
                "</cascade>",
                "</opencv_storage>",
                "",
            ]
        )

    @classmethod
    def from_xml(cls, text: str) -> "LbpCascade":
        """Read what :meth:`to_xml` wrote, or another cascade of LBP stumps.

        Raises:
            CascadeError: it is something else.
        """
        try:
            root = ElementTree.fromstring(text)
            features = [
                _feature(node.findtext("rect", ""))
                for node in root.iterfind("./cascade/features/_")
            ]
            stages = tuple(
                Stage(
                    tuple(_stump(weak, features) for weak in node.iterfind("./weakClassifiers/_")),
                    float(node.findtext("stageThreshold", "")),
                )
                for node in root.iterfind("./cascade/stages/_")
            )
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            raise CascadeError(f"not a cascade of LBP stumps ({error})") from error
        if not stages or not all(stage.stumps for stage in stages):
            raise CascadeError("not a cascade of LBP stumps (there are no stages in it)")
        return cls(stages)


def _feature(text: str) -> Feature:
    x, y, width, height = map(int, text.split())
    return x, y, width, height


def _stump(node: ElementTree.Element, features: list[Feature]) -> Stump:
    left, right, index, *words = map(int, node.findtext("internalNodes", "").split())
    if (left, right) != (0, -1) or len(words) != 8:
        raise ValueError("a weak classifier is no stump of 256 codes")
    inside, outside = map(float, node.findtext("leafValues", "").split())
    return Stump(features[index], _from_words(words), inside, outside)


def _to_words(subset: NDArray[np.bool_]) -> list[int]:
    """Pack 256 codes into eight signed words of 32 bits, the lowest code first."""
    packed = np.packbits(subset, bitorder="little").view("<i4")
    return [int(word) for word in packed]


def _from_words(words: list[int]) -> NDArray[np.bool_]:
    packed = np.array(words, "<i4").view(np.uint8)
    return np.unpackbits(packed, bitorder="little").astype(bool)
