"""Reading the values of options: seeds, ranges of seeds, lists of psi."""

import math
from collections.abc import Sequence

from avatargan.errors import OptionError
from avatargan.latents import LARGEST_SEED

#: Enough for any game; more is a slip of the finger.
LARGEST_COUNT = 100_000


def parse_seed(text: str) -> int:
    """Return the seed that a text names.

    Raises:
        OptionError: it is not an integer from 0 to 2^63-1.
    """
    digits = text.strip()
    # The length is looked at first: Python refuses to convert thousands of digits.
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 40 or not _fits(int(digits)):
        raise OptionError(f"a seed is an integer from 0 to 2^63-1 ({LARGEST_SEED}), not '{text}'")
    return int(digits)


def parse_seeds(text: str) -> list[int]:
    """Return the seeds of a list such as "1-4,9", in its order, each once.

    Raises:
        OptionError: a part is neither a seed nor a range of seeds, a range runs backwards, or
            there are more than ``LARGEST_COUNT``.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start = _parse_end(part, first)
        end = _parse_end(part, last) if dash else start
        if end < start:
            raise OptionError(f"the range of seeds '{part.strip()}' runs backwards")
        if end - start >= LARGEST_COUNT - len(seeds):
            raise OptionError(f"'{text}' names more than {LARGEST_COUNT} seeds")
        seeds.update(dict.fromkeys(range(start, end + 1)))
    return list(seeds)


def consecutive_seeds(first: int, count: int) -> Sequence[int]:
    """Return ``count`` seeds from ``first`` up.

    Raises:
        OptionError: the last one would be larger than a seed can be.
    """
    if not _fits(first + count - 1):
        raise OptionError(f"{count} seeds from {first} up go beyond the largest, {LARGEST_SEED}")
    return range(first, first + count)


def parse_psis(text: str) -> list[float]:
    """Return the numbers of a list such as "0.5,0.7,1".

    Raises:
        OptionError: a part is not a number from 0 to 2, or is there twice.
    """
    from avatargan.recipe import LARGEST_PSI

    psis: list[float] = []
    for part in text.split(","):
        try:
            psi = float(part)
        except ValueError:
            psi = math.nan
        if not 0 <= psi <= LARGEST_PSI:
            raise OptionError(f"psi is a number from 0 to {LARGEST_PSI:g}, not '{part.strip()}'")
        if psi in psis:
            raise OptionError(f"psi lists {psi:g} more than once")
        psis.append(psi)
    return psis


def _parse_end(part: str, text: str) -> int:
    try:
        return parse_seed(text)
    except OptionError as error:
        if text == part:
            raise
        raise OptionError(
            f"'{part.strip()}' is not a range of seeds such as 1-4: {error}"
        ) from error


def _fits(seed: int) -> bool:
    return 0 <= seed <= LARGEST_SEED


def parse_sliders(given: Sequence[str]) -> dict[str, float]:
    """Return amounts by the name of the slider, from texts such as "hair-length=1.2".

    Raises:
        OptionError: a text is no name and amount, or a slider is there twice.
    """
    sliders: dict[str, float] = {}
    for text in given:
        name, equals, amount = text.partition("=")
        try:
            value = float(amount)
        except ValueError:
            value = math.nan
        if not equals or not name.strip() or not math.isfinite(value):
            raise OptionError(f"--slide takes NAME=AMOUNT, such as hair-length=1.2; got '{text}'")
        if name.strip() in sliders:
            raise OptionError(f"--slide names '{name.strip()}' twice")
        sliders[name.strip()] = value
    return sliders
