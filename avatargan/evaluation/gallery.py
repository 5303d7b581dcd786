"""The pictures that an evaluation shows: some samples, the worst leaks, the nearest neighbours."""

import heapq
from dataclasses import dataclass, field
from itertools import count

from avatargan.evaluation.features import Pixels
from avatargan.evaluation.neighbours import Array


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
    """Keeps the pairs with the highest scores of many, in bounded memory."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, int, Pair]] = []
        self._arrivals = count()

    def offer(self, score: float, pair: Pair) -> None:
        """Keep a pair if its score is among the highest; of equal ones, the first that came."""
        entry = (score, -next(self._arrivals), pair)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def pairs(self) -> list[Pair]:
        """Return what was kept, the highest score first."""
        return [pair for _, _, pair in sorted(self._heap, key=lambda entry: entry[:2])[::-1]]


@dataclass
class Gallery:
    """Pictures for the page.

    Attributes:
        samples: the first samples, with captions.
        leaks: the same character before and after a change that changed most else.
        moved: the same where most edges moved.
        neighbours: samples and their nearest training pictures, by name of the features.
        distances: of samples and of test pictures to their nearest training pictures, by name of
            the features.
    """

    samples: list[tuple[Pixels, str]] = field(default_factory=list)
    leaks: Extremes = field(default_factory=lambda: Extremes(12))
    moved: Extremes = field(default_factory=lambda: Extremes(12))
    neighbours: dict[str, list[Pair]] = field(default_factory=dict)
    distances: dict[str, tuple[Array, Array]] = field(default_factory=dict)
