"""How often a tagger is right, and how well it knows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avatargan.attributes import Taxonomy
from avatargan.dataset import Dataset
from avatargan.tagging.calibration import expected_calibration_error
from avatargan.tagging.tagger import Pixels, Tagger


@dataclass(frozen=True)
class AttributeFigures:
    """How well one attribute is told.

    Attributes:
        choices: in the order of the matrix.
        confusion: ``[choices, choices]``, pictures by what they are (rows) and what is said of
            them (columns).
        calibration_error: expected calibration error; NaN without pictures.
    """

    choices: tuple[str, ...]
    confusion: NDArray[np.int64]
    calibration_error: float

    @property
    def count(self) -> int:
        """How many pictures had a known tag."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Part of the pictures that are told right; NaN without pictures."""
        return float(np.trace(self.confusion) / self.count) if self.count else float("nan")

    @property
    def recall(self) -> dict[str, float]:
        """For each choice, the part of its pictures that are told right; NaN without pictures."""
        rows = self.confusion.sum(axis=1)
        return {
            choice: float(self.confusion[index, index] / rows[index]) if rows[index] else np.nan
            for index, choice in enumerate(self.choices)
        }


def figures_from(
    choices: tuple[str, ...], probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> AttributeFigures:
    """Return the figures of an attribute.

    Args:
        choices: of the attribute, without "unknown".
        probabilities: ``[N, choices]``.
        labels: ``[N]``; what is no index of a choice is nobody's tag and left out.
    """
    known = (labels >= 0) & (labels < len(choices))
    probabilities, labels = probabilities[known], labels[known]
    confusion = np.zeros((len(choices), len(choices)), np.int64)
    if len(labels):
        np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    return AttributeFigures(choices, confusion, expected_calibration_error(probabilities, labels))


def evaluate(tagger: Tagger, data: Dataset, pictures: Pixels) -> dict[str, AttributeFigures]:
    """Return the figures of each attribute that both the tagger and the data have.

    Args:
        tagger: what is measured.
        data: the tags.
        pictures: its pictures ``[N, H, W, 3]``, such as ``data.decoded(64)``.
    """
    probabilities = tagger.probabilities(pictures)
    return {
        name: figures_from(
            tagger.attributes.offered(name),
            probabilities[name],
            translated(data.labels[name], data.attributes, tagger.attributes, name),
        )
        for name in tagger.attributes
        if name in data.attributes
    }


def translated(
    labels: NDArray[np.int64], source: Taxonomy, target: Taxonomy, name: str
) -> NDArray[np.int64]:
    """Return labels of one taxonomy as indices into the offered choices of another; -1 for none."""
    offered = target.offered(name)
    table = np.array(
        [offered.index(choice) if choice in offered else -1 for choice in source[name]]
    )
    return table[labels]
