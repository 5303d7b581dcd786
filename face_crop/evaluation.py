"""How well boxes that were found fit boxes that are known: precision and recall."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_crop.boxes import BoxArray, iou_matrix

#: IoU from which a box counts as found.
ENOUGH_OVERLAP = 0.4


@dataclass(frozen=True)
class Curve:
    """Precision and recall over all thresholds, from the strictest to the loosest.

    Attributes:
        scores: the thresholds, falling.
        precision: share of what scores as high that is a face, at each threshold.
        recall: share of the faces that score as high, at each threshold.
    """

    scores: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    def at(self, threshold: float) -> tuple[float, float]:
        """Return recall and precision of what scores at least ``threshold``."""
        count = int((self.scores >= threshold).sum())
        if not count:
            return 0.0, 1.0
        return float(self.recall[count - 1]), float(self.precision[count - 1])

    def recall_at_precision(self, precision: float) -> float:
        """Return the highest recall at a precision, 0 where it is never reached."""
        enough = self.precision >= precision
        return float(self.recall[enough].max()) if enough.any() else 0.0


@dataclass(frozen=True)
class Judged:
    """What was found in one picture, held against the truth.

    Attributes:
        scores: of each box that was found and counts, ``[N]``.
        right: whether it is a face, ``[N]``.
        faces: how many faces there are.
    """

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    faces: int


def judge(
    found: BoxArray, scores: NDArray[np.floating], faces: BoxArray, ignored: BoxArray
) -> Judged:
    """Assign what was found to the faces, the best first; each face is found once.

    Args:
        found: ``[N, 4]``.
        scores: ``[N]``.
        faces: what should be found, ``[M, 4]``.
        ignored: what may be found or not, ``[K, 4]``; a box on it counts neither way.
    """
    open_faces = np.ones(len(faces), bool)
    overlaps, overlaps_ignored = iou_matrix(found, faces), iou_matrix(found, ignored)
    counted: list[float] = []
    right: list[bool] = []
    for index in np.argsort(-scores, kind="stable"):
        row = np.where(open_faces, overlaps[index], 0)
        hit = len(row) > 0 and row.max() >= ENOUGH_OVERLAP
        if hit:
            open_faces[row.argmax()] = False
        elif (overlaps_ignored[index] >= ENOUGH_OVERLAP).any():
            continue
        counted.append(float(scores[index]))
        right.append(bool(hit))
    return Judged(np.array(counted), np.array(right, bool), len(faces))


def curve(pictures: Sequence[Judged]) -> Curve:
    """Return precision and recall over the boxes of all pictures."""
    scores = np.concatenate([picture.scores for picture in pictures])
    right = np.concatenate([picture.right for picture in pictures])
    order = np.argsort(-scores, kind="stable")
    hits = right[order].cumsum()
    faces = sum(picture.faces for picture in pictures)
    precision = hits / np.arange(1, len(hits) + 1)
    return Curve(scores[order], precision, hits / max(faces, 1))
