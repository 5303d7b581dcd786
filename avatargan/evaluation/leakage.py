"""Leakage: what else changes, in the eyes of a judge, when one attribute is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Leakage:
    """What the change of one attribute does to what a judge sees of another.

    Attributes:
        drift: by changed and seen attribute, the mean total variation distance between the
            judge's probabilities before and after: 0 nothing moved, 1 it is sure of another
            choice. Of an attribute on itself it should be near 1, of all others near 0.
        verdicts: by changed and seen attribute, the share of changes after which another choice
            is the likeliest.
        by_choice: the drift by changed attribute, by what it was changed to, and by what is seen.
        pull: by changed attribute, what it is set to, seen attribute and choice seen: the mean
            probability of the choice minus its mean over all settings. Tells where things drift.
    """

    drift: dict[str, dict[str, float]]
    verdicts: dict[str, dict[str, float]]
    by_choice: dict[str, dict[str, dict[str, float]]]
    pull: dict[str, dict[str, dict[str, dict[str, float]]]]

    def strongest_pulls(self, count: int) -> list[tuple[str, str, str, str, float]]:
        """Return changed attribute, its choice, seen attribute, its choice and the pull."""
        pulls = [
            (changed, to, attribute, choice, pull)
            for changed, settings in self.pull.items()
            for to, seen in settings.items()
            for attribute, choices in seen.items()
            for choice, pull in choices.items()
        ]
        return sorted(pulls, key=lambda row: -row[4])[:count]


def total_variation(p: NDArray[np.floating[Any]], q: NDArray[np.floating[Any]]) -> Array:
    """Return half the sum of ``|p - q|`` over the last axis, in [0, 1]."""
    result: Array = 0.5 * np.abs(np.asarray(p, np.float64) - q).sum(-1)
    return result


def leakage(
    probabilities: Mapping[str, Mapping[str, NDArray[np.floating[Any]]]],
    own: Mapping[str, NDArray[np.int64]],
    settings: Mapping[str, Sequence[str]],
    seen: Mapping[str, Sequence[str]],
) -> Leakage:
    """Return the leakage of characters that were drawn in all choices of each attribute.

    Args:
        probabilities: by changed and by seen attribute, ``[characters, settings, choices seen]``.
        own: by changed attribute, which of the settings each character had before.
        settings: the choices of each changed attribute.
        seen: the judge's choices of each seen attribute.
    """
    drift: dict[str, dict[str, float]] = {}
    verdicts: dict[str, dict[str, float]] = {}
    by_choice: dict[str, dict[str, dict[str, float]]] = {}
    pull: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for changed, per_attribute in probabilities.items():
        characters = np.arange(len(own[changed]))
        changes = np.ones((len(characters), len(settings[changed])), bool)
        changes[characters, own[changed]] = False
        drift[changed], verdicts[changed] = {}, {}
        by_choice[changed] = {to: {} for to in settings[changed]}
        pull[changed] = {to: {} for to in settings[changed]}
        for attribute, after in per_attribute.items():
            before = after[characters, own[changed]][:, None]
            moved = total_variation(after, before)
            other = after.argmax(-1) != before.argmax(-1)
            drift[changed][attribute] = _mean(moved[changes])
            verdicts[changed][attribute] = _mean(other[changes])
            mean = np.asarray(after, np.float64).mean(0)
            pulls = mean - mean.mean(0)
            for row, to in enumerate(settings[changed]):
                by_choice[changed][to][attribute] = _mean(moved[changes[:, row], row])
                if attribute != changed:
                    named = zip(seen[attribute], pulls[row].tolist(), strict=True)
                    pull[changed][to][attribute] = dict(named)
    return Leakage(drift, verdicts, by_choice, pull)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else float("nan")
