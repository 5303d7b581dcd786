"""Attribute accuracy: does a judge see in the pictures what was asked for?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest


@dataclass(frozen=True)
class Share:
    """A share of pictures.

    Attributes:
        right: how many.
        count: of how many.
    """

    right: int
    count: int

    @property
    def value(self) -> float:
        """The share, NaN of nothing."""
        return self.right / self.count if self.count else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval after Wilson (1927); NaN of nothing."""
        if not self.count:
            return float("nan"), float("nan")
        found = binomtest(self.right, self.count).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class AttributeAccuracy:
    """How often a judge saw the choice that was asked for.

    Attributes:
        overall: over all pictures.
        by_choice: by what was asked for.
        confusion: pictures by what was asked for and what was seen, ``[asked, seen]``.
        seen: the judge's choices, the columns of ``confusion``.
    """

    overall: Share
    by_choice: dict[str, Share]
    confusion: NDArray[np.int64]
    seen: tuple[str, ...]


def attribute_accuracy(
    wanted: Sequence[str],
    probabilities: NDArray[np.floating[Any]],
    seen: Sequence[str],
    choices: Sequence[str],
) -> AttributeAccuracy:
    """Compare what was asked for with what a judge holds most likely.

    Args:
        wanted: the choice that each picture was asked for, ``[N]``; what is not in ``choices``
            is left out.
        probabilities: the judge's, ``[N, seen]``.
        seen: the judge's choices.
        choices: what could be asked for; those that the judge does not know are left out.
    """
    judged = [choice for choice in choices if choice in seen]
    rows = {choice: row for row, choice in enumerate(judged)}
    confusion = np.zeros((len(judged), len(seen)), np.int64)
    for choice, answer in zip(wanted, np.argmax(probabilities, axis=1), strict=True):
        if choice in rows:
            confusion[rows[choice], answer] += 1
    right = [int(confusion[row, seen.index(choice)]) for choice, row in rows.items()]
    shares = {choice: Share(right[row], int(confusion[row].sum())) for choice, row in rows.items()}
    return AttributeAccuracy(
        Share(sum(right), int(confusion.sum())), shares, confusion, tuple(seen)
    )
