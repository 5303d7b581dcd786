"""Schedules: where a moving thing is at each time, as weights of its stops.

A schedule spreads its stops evenly over the time: the first at 0; the last at 1, or, in a loop,
one step before the way back to the first closes at 1. Keyframes and each attribute have schedules
of their own, so that their numbers of stops need not agree.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from avatargan.morph.easing import Times

#: Weights of stops, ``[times, stops]``; every row sums to 1.
Weights = NDArray[np.float64]


def even_times(count: int, loop: bool) -> Times:
    """Return when each of ``count`` frames is drawn, from 0 to 1.

    The last frame of a loop is one step before the first, which it leads back to; without a loop
    it is the end.
    """
    return np.arange(count) / (count if loop else max(count - 1, 1))


def straight_weights(
    times: Times, stops: int, loop: bool, easing: Callable[[Times], Times]
) -> Weights:
    """Return weights of the two stops around each time; none is negative."""
    segment, u = _segments(times, stops, loop)
    u = easing(u)
    weights = np.zeros((len(times), stops))
    rows = np.arange(len(times))
    np.add.at(weights, (rows, segment), 1 - u)
    np.add.at(weights, (rows, (segment + 1) % stops), u)
    return weights


def spline_weights(
    times: Times, stops: int, loop: bool, easing: Callable[[Times], Times]
) -> Weights:
    """Return weights of the four stops around each time: a uniform Catmull-Rom spline.

    The spline passes through every stop with continuous velocity, also where a loop closes
    (Catmull and Rom, "A class of local interpolating splines", 1974). Without a loop, the stops
    before the first and after the last are mirrored ones. Weights may be slightly negative.
    """
    segment, u = _segments(times, stops, loop)
    u = easing(u)
    weights = np.zeros((len(times), stops))
    rows = np.arange(len(times))
    cubic = (
        (-1, u * (-0.5 + u * (1 - 0.5 * u))),
        (0, 1 + u * u * (-2.5 + 1.5 * u)),
        (1, u * (0.5 + u * (2 - 1.5 * u))),
        (2, u * u * (-0.5 + 0.5 * u)),
    )
    for offset, weight in cubic:
        stop = segment + offset
        if loop:
            np.add.at(weights, (rows, stop % stops), weight)
            continue
        # A mirrored stop is twice the end less its neighbour.
        end = np.clip(stop, 0, stops - 1)
        beyond = np.where(stop != end, weight, 0)
        neighbour = np.clip(2 * end - stop, 0, stops - 1)
        np.add.at(weights, (rows, end), weight + beyond)
        np.add.at(weights, (rows, neighbour), -beyond)
    return weights


def _segments(times: Times, stops: int, loop: bool) -> tuple[NDArray[np.int64], Times]:
    """Return the segment that each time falls in, and how far in, from 0 to 1."""
    count = stops if loop else stops - 1
    if stops == 1 or count == 0:
        return np.zeros(len(times), dtype=np.int64), np.zeros(len(times))
    position = np.asarray(times, dtype=np.float64) * count
    # Times that arithmetic put a hair before a stop belong to it.
    position = np.where(np.abs(position - np.round(position)) < 1e-9, np.round(position), position)
    segment = np.clip(np.floor(position).astype(np.int64), 0, count - 1)
    return segment, position - segment
