"""Traits: what there is to see in a character besides its colours, measured on its own pictures.

The measures are of masks (:mod:`avatargan.sketching.characters`), so nobody has to tag anything.
Each trait is said to be there in the characters that have most of its measure and to be missing in
those that have least; those between say nothing.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from avatargan.sketching.characters import MASK_SIZE, DrawnCharacters
from avatargan.sketching.following import mirrored_map
from avatargan.sketching.matching import EdgeBasis

#: Names are for people; the page translates them.
TRAITS = ("long hair", "turned left", "turned right", "bare forehead", "open mouth")
#: Which trait each becomes in a mirrored picture, as indices.
MIRRORED = (0, 2, 1, 3, 4)
#: Shares of the characters that have each trait for certain, and that lack it for certain.
CERTAIN = (0.35, 0.25, 0.25, 0.2, 0.12)
LACKING = (0.4, 0.6, 0.6, 0.6, 0.6)
#: Of the logistic regressions: what unseen characters were told best with.
SHRINKAGE = 0.01
#: A mask of hair is taken for hair above this.
HAIR = 28
_SIDE = MASK_SIZE

Floats = NDArray[np.float32]


def measure_traits(drawn: DrawnCharacters) -> Tensor:
    """Return 1 yes, 0 no, NaN unknown for the characters that have masks, ``[M, traits]``."""
    count = len(drawn.masks)
    labels = torch.full((count, len(TRAITS)), float("nan"))
    if drawn.parts != ("hair", "eyes") or count < 20:
        return labels
    measures = np.stack(
        [_measure(drawn.pictures[index], drawn.masks[index]) for index in range(count)]
    )
    for column in range(len(TRAITS)):
        values = torch.from_numpy(measures[:, column])
        usable = values.isfinite()
        if int(usable.sum()) < 20:
            continue
        high = torch.quantile(values[usable], 1 - CERTAIN[column])
        low = torch.quantile(values[usable], LACKING[column])
        labels[usable & (values >= high), column] = 1
        labels[usable & (values <= low), column] = 0
    return labels


def _measure(picture: NDArray[np.uint8], masks: NDArray[np.uint8]) -> Floats:
    """Return how much of each trait a character has, NaN where the face was not found."""
    small = _small(picture)
    hair = masks[0] > HAIR
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    skin = (~hair) & (red > 0.6) & (red > green + 0.02) & (green >= blue - 0.03) & (blue > 0.35)
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE]
    face = skin & (rows > 14) & (rows < 54) & (columns > 10) & (columns < 54)
    if face.sum() < 60:
        return np.full(len(TRAITS), np.nan, np.float32)
    middle = float(np.median(columns[face]))
    chin = float(np.quantile(rows[face], 0.9))
    crown = hair & (rows < 40)
    hair_middle = float(columns[crown].mean()) if crown.any() else _SIDE / 2
    turn = (hair_middle - middle) / _SIDE
    below = (rows > 54) & (np.abs(columns - middle) < 28)
    length = float(hair[below].mean())
    left, right = np.quantile(columns[face], 0.1), np.quantile(columns[face], 0.9)
    inside = (columns > left) & (columns < right)
    top = float(np.quantile(rows[face], 0.05))
    mouth_rows = (rows > chin - 0.42 * (chin - top)) & (rows < chin)
    near = np.abs(columns - middle) < 0.25 * (right - left)
    light = small @ np.array([0.299, 0.587, 0.114])
    mouth = (mouth_rows & near & ((red - green > 0.3) | (light < 0.55)) & ~hair).sum()
    forehead = inside & (rows < top + 0.25 * (chin - top)) & skin
    return np.array(
        [length, turn, -turn, float(forehead.sum()) - 2 * top, float(mouth)], np.float32
    )


def measure_palette(
    drawn: DrawnCharacters, choices: Sequence[Mapping[str, str]]
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return the colour that each choice of hair and eyes has in pictures, RGB in [0, 1].

    Args:
        drawn: with masks.
        choices: of each character that has masks, by attribute.
    """
    found: dict[str, dict[str, list[Floats]]] = {part: {} for part in drawn.parts}
    for index, chosen in enumerate(choices):
        small = _small(drawn.pictures[index])
        for place, part in enumerate(drawn.parts):
            colour = _colour_of_part(small, drawn.masks[index], drawn.parts, place)
            if colour is not None:
                found[part].setdefault(chosen[part], []).append(colour)
    palette: dict[str, dict[str, tuple[float, float, float]]] = {}
    for part, known in found.items():
        palette[part] = {}
        for choice in sorted(known):
            red, green, blue = np.median(np.stack(known[choice]), axis=0).tolist()
            palette[part][choice] = (red, green, blue)
    return palette


def fit_traits(edges: Tensor, labels: Tensor, basis: EdgeBasis) -> tuple[Tensor, Tensor]:
    """Return weights ``[traits, edges]`` and biases ``[traits]`` of logistic regressions.

    Linear in where edges are: with a few hundred labelled characters a network learns them by
    heart, and is then sure of what it does not know.

    Args:
        edges: coordinates of the edges of characters, ``[N, edges]``.
        labels: what :func:`measure_traits` gave, NaN where there is none, ``[N, traits]``.
        basis: of the coordinates; mirrored characters are learnt from, too.
    """
    mirrored = basis.coordinates(mirrored_map(edges @ basis.basis))
    weights = torch.zeros(len(TRAITS), edges.shape[1])
    biases = torch.zeros(len(TRAITS))
    scale = edges.shape[1] ** 0.5
    for place, other in enumerate(MIRRORED):
        wanted = torch.cat([labels[:, place], labels[:, other]])
        known = wanted.isfinite()
        if len(set(wanted[known].tolist())) < 2:
            continue
        seen = torch.cat([edges, mirrored])[known] * scale
        weight = torch.zeros(seen.shape[1], requires_grad=True)
        bias = torch.zeros(1, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=60)
        step = partial(_missed, optimiser, weight, bias, seen, wanted[known])
        optimiser.step(step)  # type: ignore[no-untyped-call]
        weights[place], biases[place] = weight.detach() * scale, bias.detach()[0]
    return weights, biases


def _missed(
    optimiser: torch.optim.Optimizer, weight: Tensor, bias: Tensor, seen: Tensor, wanted: Tensor
) -> Tensor:
    optimiser.zero_grad()
    loss = functional.binary_cross_entropy_with_logits(seen @ weight + bias, wanted)
    loss = loss + SHRINKAGE * weight.square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss


def _small(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    step = picture.shape[0] // _SIDE
    small: NDArray[np.float64] = picture.reshape(_SIDE, step, _SIDE, step, 3).mean((1, 3)) / 255
    return small


def _colour_of_part(
    small: NDArray[np.float64], masks: NDArray[np.uint8], parts: tuple[str, ...], place: int
) -> Floats | None:
    mask = masks[place].astype(np.float32)
    if parts[place] == "eyes":
        # Around the eyes alone, where their colour changes more than that of the hair does.
        rows, columns = np.mgrid[0:_SIDE, 0:_SIDE]
        mask = mask * ((rows > 20) & (rows < 42) & (columns > 12) & (columns < 52))
        if "hair" in parts:
            mask = mask - 0.7 * masks[parts.index("hair")]
    chosen = mask > max(float(np.quantile(mask, 0.994 if parts[place] == "eyes" else 0.6)), 25.0)
    if chosen.sum() < 6:
        return None
    return np.asarray(np.median(small[chosen], axis=0), dtype=np.float32)
