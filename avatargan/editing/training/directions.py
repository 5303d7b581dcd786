"""How the sliders were found: measures of characters, a model of them, steps that hold the rest.

1. The measures (:mod:`avatargan.editing.training.measures`) are learnt as smooth functions of w:
   kernel ridge regression with a cubic kernel over the coordinates that show.
2. At a character, the step that moves one measure and holds all others is
   ``J^T (J J^T + ridge)^-1 e_i``, J being the Jacobian of that model. Its mean over characters is
   the direction; how it depends on the character, regressed on w and cut to a few bends, goes with
   it.
3. The generator has the last word: each direction is walked by the coarse blocks alone and by the
   fine blocks alone, characters are drawn and measured, and of all these walks the mixture is taken
   that moves one measure by one deviation and the others, on average, by nothing.
4. These mixtures are walked all at once, by random amounts, which measures what each of them does
   to each measure with a third of the error of one at a time; what is left of side effects beyond
   that error is taken out.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from avatargan.editing.directions import Slider
from avatargan.editing.training.measures import MEASURES, measure
from avatargan.editing.training.samples import MEASURED_PALETTES, draw_palettes, sample_w
from avatargan.editing.training.visible import VisibleBasis
from avatargan.latents import FloatArray
from avatargan.pipeline import AvatarPipeline
from avatargan.weights import write_weights
from avatargan.weights_header import DIRECTIONS_ROLE

Array = NDArray[np.float64]

#: How much a coordinate counts in the kernel: this power of how much it shows.
KERNEL_POWER = 0.15
DEGREE = 3
NOISE = 0.1
STEP_RIDGE = 0.03
BENDS = 6
#: Blocks up to 16 px decide where things are, the rest how they are drawn.
COARSE_BLOCKS = 3


@dataclass(frozen=True)
class MeasureModel:
    """Measures as functions of the code of w.

    Attributes:
        basis: the coordinates.
        features: of the characters it was fitted to, ``[N, w_dim]``.
        scale: of the coordinates, ``[w_dim]``.
        coefficients: ``[N, measures]``, of measures divided by their deviations.
        deviations: ``[measures]``, of each measure among the characters.
        spreads: ``[measures]``, from its 5th to its 95th percentile.
        r2: ``[measures]``, on characters that were held out.
    """

    basis: VisibleBasis
    features: Array
    scale: Array
    coefficients: Array
    deviations: Array
    spreads: Array
    r2: Array

    def jacobian(self, code: Array) -> Array:
        """Return how the measures, in deviations, change with the code: ``[measures, w_dim]``."""
        weights = DEGREE * (1 + self.features @ (self.scale * code)) ** (DEGREE - 1)
        return np.asarray((self.coefficients * weights[:, None]).T @ self.features * self.scale)


def fit_measures(basis: VisibleBasis, w: FloatArray, measured: Array) -> MeasureModel:
    """Fit the model; a tenth of the characters is held out for its figures.

    Args:
        basis: coordinates of w.
        w: ``[N, w_dim]``.
        measured: ``[N, measures]``, NaN where there was nothing to measure.
    """
    code = basis.encode(w).astype(np.float64)
    scale = basis.shown.astype(np.float64) ** KERNEL_POWER
    scale /= np.sqrt(np.square(scale).sum())
    features = code * scale
    kernel = (1 + features @ features.T) ** DEGREE
    noise = NOISE * np.trace(kernel) / len(kernel)
    low, high = np.nanpercentile(measured, [1, 99], axis=0)
    clipped = np.clip(measured, low, high)
    deviations = np.nanstd(clipped, axis=0)
    spreads = np.subtract(*np.nanpercentile(measured, [95, 5], axis=0))
    coefficients = np.zeros_like(measured)
    r2 = np.zeros(measured.shape[1])
    held = np.arange(len(w)) % 10 == 0
    for column in range(measured.shape[1]):
        known = ~np.isnan(clipped[:, column])
        y = clipped[:, column] / deviations[column]
        for rows, final in ((known & ~held, False), (known, True)):
            index = np.flatnonzero(rows)
            centre = y[index].mean()
            solved = np.linalg.solve(
                kernel[np.ix_(index, index)] + noise * np.eye(len(index)), y[index] - centre
            )
            if final:
                coefficients[index, column] = solved
            else:
                test = np.flatnonzero(known & held)
                left = y[test] - centre - kernel[np.ix_(test, index)] @ solved
                r2[column] = 1 - np.square(left).mean() / y[test].var()
    return MeasureModel(basis, features, scale, coefficients, deviations, spreads, r2)


@dataclass(frozen=True)
class Walk:
    """A direction that depends on the character: ``direction + (w - centre) @ bend``.

    Attributes:
        direction: ``[w_dim]``.
        bend: ``[w_dim, w_dim]``.
    """

    direction: Array
    bend: Array


def local_walks(model: MeasureModel, w: FloatArray, held: Sequence[int]) -> list[Walk]:
    """Return for each held measure the walk that moves it and holds the others.

    Args:
        model: of the measures.
        w: ``[N, w_dim]`` of the characters at which steps are computed.
        held: columns of the measures.
    """
    code = model.basis.encode(w).astype(np.float64)
    steps = np.zeros((len(held), len(w), code.shape[1]))
    for row, one in enumerate(code):
        jacobian = model.jacobian(one)[list(held)]
        gram = jacobian @ jacobian.T
        inverse = np.linalg.inv(gram + STEP_RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)))
        steps[:, row] = inverse @ jacobian
    walks = []
    solve = np.linalg.inv(code.T @ code + 0.5 * len(code) * np.eye(code.shape[1]))
    basis = model.basis.basis.astype(np.float64)
    inverse_basis = np.linalg.inv(basis)
    centre = code.mean(0)
    for each in steps:
        mean = each.mean(0)
        slope = solve @ (code - centre).T @ (each - mean)  # [code, code]
        walks.append(Walk(basis @ (mean - centre @ slope), (basis @ slope.T @ inverse_basis)))
    return walks


def as_slider(
    walks: Sequence[Walk],
    weights: Array,
    centre: FloatArray,
    blocks: int,
    **words: Any,
) -> Slider:
    """Return a mixture of walks as a slider.

    Args:
        walks: candidates.
        weights: ``[2, walks]``: of each for the coarse blocks, and for the fine ones.
        centre: what bends are measured from.
        blocks: of the synthesis.
        words: the other fields of the slider.
    """
    parts = []
    for row in weights:
        direction = sum(weight * walk.direction for weight, walk in zip(row, walks, strict=True))
        bend = sum(weight * walk.bend for weight, walk in zip(row, walks, strict=True))
        parts.append((direction, bend))
    width = len(centre)
    both = np.concatenate([parts[0][1], parts[1][1]])  # [2 w_dim, w_dim]
    left, sizes, right = np.linalg.svd(both, full_matrices=False)
    halves = (left[:, :BENDS] * np.sqrt(sizes[:BENDS])).T.reshape(BENDS, 2, width)
    repeats = [COARSE_BLOCKS, blocks - COARSE_BLOCKS]
    fields: dict[str, Any] = {"minimum": -3.0, "maximum": 3.0, "changes": "", "names": {}}
    fields |= {"name": "", "effect": {}} | words
    return Slider(
        **fields,
        direction=np.repeat(np.stack([parts[0][0], parts[1][0]]), repeats, axis=0).astype(
            np.float32
        ),
        bend_in=(right[:BENDS] * np.sqrt(sizes[:BENDS])[:, None]).astype(np.float32),
        bend_out=np.repeat(halves, repeats, axis=1).astype(np.float32),
        centre=centre.astype(np.float32),
    )


def measure_walk(
    pipeline: AvatarPipeline, slider: Slider, w: FloatArray, amounts: Sequence[float]
) -> Array:
    """Return the measures of characters along a slider, ``[characters, amounts, measures]``."""
    return np.stack(
        [
            np.stack(
                [
                    measure(draw_palettes(pipeline, slider.apply(one, amount), MEASURED_PALETTES))
                    for amount in amounts
                ]
            )
            for one in w
        ]
    )


def responses(
    pipeline: AvatarPipeline,
    model: MeasureModel,
    candidates: Sequence[Slider],
    w: FloatArray,
    held: Sequence[int],
    amount: float,
    progress: Callable[[int], None],
) -> Array:
    """Return how far each candidate moves each held measure per unit, ``[held, candidates]``."""
    table = np.zeros((len(held), len(candidates)))
    for column, candidate in enumerate(candidates):
        measured = measure_walk(pipeline, candidate, w, [-amount, amount])
        change = (measured[:, 1] - measured[:, 0])[:, list(held)] / (2 * amount)
        table[:, column] = np.nanmean(np.clip(change / model.deviations[list(held)], -4, 4), axis=0)
        progress(column)
    return table


def mixtures(table: Array, ridge: float = 0.03) -> Array:
    """Return weights of candidates that move one measure each, ``[held, candidates]``.

    Args:
        table: from :func:`responses`.
        ridge: the larger, the shorter the walks, and the less pure.
    """
    weights = np.linalg.solve(table @ table.T + ridge * np.eye(len(table)), table)
    return np.asarray(weights / np.diag(table @ weights.T)[:, None])


def purified(
    pipeline: AvatarPipeline,
    model: MeasureModel,
    walks: Sequence[Walk],
    weights: Array,
    w: FloatArray,
    columns: Sequence[int],
    *,
    pairs: int = 4,
    amplitude: float = 0.55,
    seed: int = 0,
) -> Array:
    """Return the weights without the side effects that are measured beyond their error.

    Args:
        pipeline: what draws.
        model: for deviations.
        walks: candidates.
        weights: ``[sliders, 2 * walks]``.
        w: ``[N, w_dim]`` of the characters to walk with.
        columns: the measure of each slider.
        pairs: walks there and back per character.
        amplitude: length of each slider's part of a walk, in units of the candidates.
        seed: of the amounts.
    """
    random = np.random.default_rng(seed)
    length = np.linalg.norm(weights, axis=1)
    blocks, count = pipeline.generator.blocks_of_w, len(weights)
    amounts, changes = [], []
    for one in w:
        for _ in range(pairs):
            sign = random.choice([-1, 1], count) * random.uniform(0.6, 1.4, count)
            amount = sign * amplitude / length
            mixed = (amount @ weights).reshape(2, len(walks))
            slider = as_slider(walks, mixed, model.basis.mean, blocks)
            (ends,) = measure_walk(pipeline, slider, one[None], [-1, 1])
            amounts.append(amount)
            changes.append((ends[1] - ends[0])[list(columns)] / 2)
    moved = np.array(changes) / model.deviations[list(columns)]
    known = ~np.isnan(moved).any(axis=1)
    limit = np.nanpercentile(np.abs(moved), 98, axis=0)
    x, y = np.array(amounts)[known], np.clip(moved[known], -limit, limit)
    table = np.linalg.lstsq(x, y, rcond=None)[0].T  # [measures, sliders]
    left = (y - x @ table.T).var(axis=0)
    error = np.sqrt(np.outer(left, np.diag(np.linalg.inv(x.T @ x))))
    beyond = np.sign(table) * np.maximum(np.abs(table) - error, 0)
    np.fill_diagonal(beyond, np.diag(table))
    return np.asarray(np.linalg.inv(beyond).T @ weights)


def write_directions(
    path: Path, sliders: Sequence[Slider], w_space: str, generators: Sequence[str]
) -> None:
    """Write a directions file.

    Args:
        path: where to.
        sliders: in the order in which they are shown.
        w_space: see :func:`avatargan.editing.directions.w_space_sha256`.
        generators: SHA-256 of the weights files that are known to share it.
    """
    entries = [
        {
            name: getattr(slider, name)
            for name in ("name", "minimum", "maximum", "changes", "names", "effect")
        }
        for slider in sliders
    ]
    tensors = {
        "directions": np.stack([slider.direction for slider in sliders]),
        "bend_in": np.stack([slider.bend_in for slider in sliders]),
        "bend_out": np.stack([slider.bend_out for slider in sliders]),
        "centre": sliders[0].centre,
    }
    write_weights(
        path,
        {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()},
        {
            "role": DIRECTIONS_ROLE,
            "w_space": w_space,
            "generators": json.dumps(list(generators)),
            "sliders": json.dumps(entries, ensure_ascii=False),
        },
    )


def characters(
    pipeline: AvatarPipeline, seeds: Sequence[int], psi: float = 0.7
) -> tuple[FloatArray, NDArray[np.int16]]:
    """Return w of characters as people draw them, and their labels."""
    return sample_w(pipeline.generator, seeds, (psi, psi))


def figures_of(
    model: MeasureModel,
    measured: Array,
    amounts: Sequence[float],
    own: int,
    shown: Sequence[int],
) -> dict[str, Any]:
    """Return what is told of a slider, over a range of amounts.

    Args:
        model: for deviations and spreads.
        measured: ``[characters, amounts, measures]``.
        amounts: ascending.
        own: the column that it is meant to move.
        shown: columns of all sliders.
    """
    moved = measured - np.nanmean(measured, axis=1, keepdims=True)
    mine = moved[:, :, own] / model.deviations[own]
    x = np.broadcast_to(np.asarray(amounts), mine.shape)
    known = ~np.isnan(mine)
    slope, _ = np.polyfit(x[known], mine[known], 1)
    correlation = np.corrcoef(x[known], mine[known])[0, 1]
    curve = np.nanmean(mine, axis=0)
    ends = measured[:, -1] - measured[:, 0]
    others = [column for column in shown if column != own]
    mean_change = 100 * np.abs(np.nanmean(ends, axis=0)) / model.spreads
    each_change = 100 * np.nanmean(np.abs(ends), axis=0) / model.spreads
    steps = np.diff(measured[:, :, own], axis=1)
    return {
        "measure": MEASURES[own],
        "deviations_per_unit": round(float(slope), 3),
        "r2": round(float(correlation**2), 3),
        "monotone": bool(np.all(np.diff(curve) > 0)),
        "rising_steps_percent": round(100 * float(np.nanmean(steps > 0)), 1),
        "side_effects_percent": {
            MEASURES[column]: round(float(mean_change[column]), 2) for column in others
        },
        "side_effects_of_one_percent": {
            MEASURES[column]: round(float(each_change[column]), 1) for column in others
        },
        "faces_lost_percent": round(100 * float(np.isnan(measured[:, :, own]).mean()), 1),
        "characters": len(measured),
    }


def worst_side_effect(figures: Mapping[str, Any]) -> float:
    """Return the largest side effect on average, in percent of the other measure's spread."""
    return float(max(figures["side_effects_percent"].values()))
