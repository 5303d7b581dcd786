"""Which picture comes when: a pure function of the seed and of the position in the run.

Every picture of a source is seen once before any is seen again. Sources are mixed in exact
proportion: with weights 3 and 1, each run of four pictures has three of the first and one of the
second, in random order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from avatargan.errors import OptionError

#: Runs of pictures in which weights come out exactly are no longer than this.
LONGEST_PATTERN = 1000
# What the numbers drawn are for: streams with different purposes are independent.
_ORDER, _PATTERN, _FLIP = 1, 2, 3


@dataclass(frozen=True)
class Sample:
    """Pictures to take, one row each.

    Attributes:
        sources: index of the source, ``[B]``.
        pictures: index of the picture in its source, ``[B]``.
        flips: whether it is mirrored, ``[B]``.
    """

    sources: NDArray[np.int64]
    pictures: NDArray[np.int64]
    flips: NDArray[np.bool_]


class Sampler:
    """Tells the pictures at any positions of a run.

    Args:
        sizes: how many pictures each source has.
        weights: how often each source is drawn from, in proportion.
        seed: decides all of it.
        stream: samplers with different streams are independent.

    Raises:
        OptionError: weights are not positive, or have no common measure below 1000 parts.
    """

    def __init__(
        self, sizes: Sequence[int], weights: Sequence[float], seed: int, stream: int = 0
    ) -> None:
        self.sizes = tuple(sizes)
        self.key = (seed, stream)
        shares = _whole_shares(weights)
        self.pattern = np.repeat(np.arange(len(shares)), shares)
        self.shares = shares
        # The same permutation serves a whole epoch; neighbours are asked for too at its ends.
        self._permutation = lru_cache(maxsize=4 * len(self.sizes))(self._draw_permutation)
        self._pattern_order = lru_cache(maxsize=4096)(self._draw_pattern_order)

    def take(self, positions: NDArray[np.int64] | Sequence[int]) -> Sample:
        """Return what is at these positions of the run, counted from 0."""
        rows = [self._at(int(position)) for position in positions]
        sources, occurrences = (
            np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)
        )
        pictures = np.array(
            [
                self._picture(source, occurrence)
                for source, occurrence in zip(sources.tolist(), occurrences.tolist(), strict=True)
            ],
            dtype=np.int64,
        )
        flips = np.array([self._flip(int(position)) for position in positions], dtype=np.bool_)
        return Sample(sources, pictures, flips)

    def _at(self, position: int) -> tuple[int, int]:
        """Return the source at a position, and how often it was drawn from before."""
        period, place = divmod(position, len(self.pattern))
        if len(self.shares) == 1:
            return 0, position
        order = self._pattern_order(period)
        source = int(order[place])
        earlier = int((order[:place] == source).sum())
        return source, period * self.shares[source] + earlier

    def _picture(self, source: int, occurrence: int) -> int:
        epoch, place = divmod(occurrence, self.sizes[source])
        return int(self._permutation(source, epoch)[place])

    def _flip(self, position: int) -> bool:
        block, place = divmod(position, 64)
        return bool(self._flip_bits(block) >> place & 1)

    def _flip_bits(self, block: int) -> int:
        (word,) = np.random.SeedSequence((*self.key, _FLIP, block)).generate_state(1, np.uint64)
        return int(word)

    def _draw_permutation(self, source: int, epoch: int) -> NDArray[np.int64]:
        return self._random(_ORDER, source, epoch).permutation(self.sizes[source])

    def _draw_pattern_order(self, period: int) -> NDArray[np.int64]:
        return self._random(_PATTERN, period).permutation(self.pattern)

    def _random(self, *key: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence((*self.key, *key))))


def _whole_shares(weights: Sequence[float]) -> list[int]:
    """Return the smallest whole numbers in the proportion of the weights."""
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise OptionError("the weights of styles must be numbers above 0")
    exact = [Fraction(str(weight)) for weight in weights]
    common = math.lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * common) for weight in exact]
    divisor = math.gcd(*whole)
    shares = [share // divisor for share in whole]
    if sum(shares) > LONGEST_PATTERN:
        raise OptionError(
            f"the weights of styles are in the proportion {':'.join(map(str, shares))}; "
            f"choose one that adds up to {LONGEST_PATTERN} at most, such as 3:1"
        )
    return shares
