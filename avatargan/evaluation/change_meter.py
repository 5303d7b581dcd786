"""Looks at characters with one attribute changed: the judge's view, edges, LPIPS."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from avatargan.evaluation.changes import Change
from avatargan.evaluation.features import AttributeJudge, Floats, Pixels
from avatargan.evaluation.gallery import Gallery, Pair
from avatargan.evaluation.identity import edge_drift, edge_map
from avatargan.evaluation.leakage import total_variation
from avatargan.evaluation.lpips import LpipsDistance
from avatargan.evaluation.results import EDGES, Measure

Probabilities = Mapping[str, Floats]
Numbers = NDArray[np.floating]


class ChangeMeter:
    """Takes in changed characters one after the other.

    Args:
        attributes: all that are changed.
        colours: those of them whose identity drift is measured.
        judge: what tells leakage; None where it is not measured.
        judged: the judge's choices of each attribute that it knows.
        lpips: a second measure of identity drift, where the user has it.

    Attributes:
        own: by changed attribute, the index of each character's own choice.
        probabilities: by changed and by judged attribute, ``[settings, choices]`` per character.
        distances: by measure and changed attribute, ``[settings]`` per character, NaN at its own.
        other_characters: by measure, between each character and the one before.
    """

    def __init__(
        self,
        attributes: Sequence[str],
        colours: Sequence[str],
        judge: AttributeJudge | None,
        judged: Mapping[str, Sequence[str]],
        lpips: LpipsDistance | None,
    ) -> None:
        self._colours = colours
        self._judge = judge
        self._judged = judged
        self._lpips = lpips
        self._last: tuple[int, Pixels, NDArray[np.bool_]] | None = None
        self.own: dict[str, list[int]] = {name: [] for name in attributes}
        self.probabilities: dict[str, dict[str, list[Floats]]] = {
            name: {seen: [] for seen in judged} for name in attributes
        }
        self.distances: dict[Measure, dict[str, list[Numbers]]] = {}
        self.other_characters: dict[Measure, list[float]] = {}

    def take(self, change: Change, gallery: Gallery) -> None:
        """Look at a character in all choices of an attribute."""
        self.own[change.attribute].append(change.own)
        if self._judge is not None:
            found = self._judge.probabilities(change.pictures)
            for name, rows in self.probabilities[change.attribute].items():
                rows.append(found[name])
            self._offer_leaks(change, found, gallery)
        if change.attribute in self._colours:
            self._measure_identity(change, gallery)

    def _offer_leaks(self, change: Change, found: Probabilities, gallery: Gallery) -> None:
        for name, choices in self._judged.items():
            if name == change.attribute:
                continue
            moved = total_variation(found[name], found[name][change.own])
            answers = found[name].argmax(1)
            before = choices[answers[change.own]]
            for index, to in enumerate(change.choices):
                after = choices[answers[index]]
                if after != before:
                    captions = (
                        f"{change.attribute} {change.choices[change.own]}: {name} {before}",
                        f"{change.attribute} {to}: {name} {after}",
                    )
                    pair = _pair(change, index, captions)
                    gallery.leaks.offer(change.character, float(moved[index]), pair)

    def _measure_identity(self, change: Change, gallery: Gallery) -> None:
        edges = [edge_map(picture) for picture in change.pictures]
        drift = np.array([edge_drift(edges[change.own], each) for each in edges])
        drift[change.own] = np.nan
        self._add(Measure(EDGES, None), change, drift)
        for index, to in enumerate(change.choices):
            if index != change.own:
                captions = (
                    f"{change.attribute} {change.choices[change.own]}",
                    f"{to}: {drift[index]:.0%} of edges",
                )
                pair = _pair(change, index, captions)
                gallery.moved.offer(change.character, float(drift[index]), pair)
        own = change.pictures[change.own]
        if self._lpips is not None:
            measure = Measure(self._lpips.name, self._lpips.sha256)
            ours = np.repeat(own[None], len(change.pictures), axis=0)
            moved = self._lpips.distances(ours, change.pictures)
            moved[change.own] = np.nan
            self._add(measure, change, moved)
        if self._last is not None and self._last[0] != change.character:
            _, other, other_edges = self._last
            self._add_other(Measure(EDGES, None), edge_drift(edges[change.own], other_edges))
            if self._lpips is not None:
                distance = self._lpips.distances(own[None], other[None])
                self._add_other(Measure(self._lpips.name, self._lpips.sha256), float(distance[0]))
        self._last = change.character, own, edges[change.own]

    def _add(self, measure: Measure, change: Change, values: Numbers) -> None:
        per_attribute = self.distances.setdefault(measure, {})
        per_attribute.setdefault(change.attribute, []).append(values)

    def _add_other(self, measure: Measure, value: float) -> None:
        self.other_characters.setdefault(measure, []).append(value)


def _pair(change: Change, index: int, captions: tuple[str, str]) -> Pair:
    return Pair(change.pictures[change.own], change.pictures[index], captions)
