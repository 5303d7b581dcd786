"""The pictures that an evaluation shows: some samples, the worst leaks, the nearest neighbours."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from avatargan.evaluation.features import Pixels
from avatargan.evaluation.neighbours import Array

#: Pairs of each kind that are shown.
SHOWN_PAIRS = 12


@dataclass(frozen=True)
class Pair:
    """Two pictures to compare by eye.

    Attributes:
        first: what the second is compared with.
        second: the other.
        captions: of both.
    """

    first: Pixels
    second: Pixels
    captions: tuple[str, str]


class Extremes:
    """Keeps the pairs with the highest scores of many, one of each group."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._best: dict[Hashable, tuple[float, Pair]] = {}

    def offer(self, group: Hashable, score: float, pair: Pair) -> None:
        """Keep a pair if its score is the highest of its group, and among the highest of all."""
        if group in self._best and self._best[group][0] >= score:
            return
        self._best[group] = (score, pair)
        if len(self._best) > self._size:
            del self._best[min(self._best, key=lambda each: self._best[each][0])]

    def pairs(self) -> list[Pair]:
        """Return what was kept, the highest score first."""
        return [pair for _, pair in sorted(self._best.values(), key=lambda entry: -entry[0])]


@dataclass
class Gallery:
    """Pictures for the page.

    Attributes:
        samples: the first samples, with captions.
        leaks: the same character before and after a change that changed most else,
            one pair per character.
        moved: the same where most edges moved.
        neighbours: samples and their nearest training pictures, by name of the features.
        distances: of samples and of test pictures to their nearest training pictures, by name of
            the features.
    """

    samples: list[tuple[Pixels, str]] = field(default_factory=list)
    leaks: Extremes = field(default_factory=lambda: Extremes(SHOWN_PAIRS))
    moved: Extremes = field(default_factory=lambda: Extremes(SHOWN_PAIRS))
    neighbours: dict[str, list[Pair]] = field(default_factory=dict)
    distances: dict[str, tuple[Array, Array]] = field(default_factory=dict)
