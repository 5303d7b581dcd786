"""Easing: how fast a morph moves between two stops, from 0 (at one) to 1 (at the next)."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]

#: The part of each segment that :func:`hold` rests, half at either end.
HELD_PART = 0.4


def linear(u: Times) -> Times:
    """Constant speed; the direction changes abruptly at every stop."""
    return u


def smooth(u: Times) -> Times:
    """Slow at both ends (``3u^2 - 2u^3``): velocity is continuous, 0 at the stops."""
    return u * u * (3 - 2 * u)


def smoother(u: Times) -> Times:
    """Slower still at both ends (``6u^5 - 15u^4 + 10u^3``): acceleration is continuous too."""
    return u * u * u * (u * (6 * u - 15) + 10)


def hold(u: Times) -> Times:
    """Rest at each stop, and move smoothly in between: for looking at every character."""
    return smooth(np.clip((u - HELD_PART / 2) / (1 - HELD_PART), 0, 1))


EASINGS: Mapping[str, Callable[[Times], Times]] = {
    "linear": linear,
    "smooth": smooth,
    "smoother": smoother,
    "hold": hold,
}
