"""Latents: seeds to z, interpolation, truncation, mixing of label embeddings, files.

Everything here is NumPy, so that it is the same on every device and torch is not needed to
prepare latents. z is drawn from its seed alone: a picture never depends on its neighbours.
"""

import io
import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatargan.errors import OptionError
from avatargan.files import is_special, write_atomically

FloatArray = NDArray[np.float32]

LARGEST_SEED = 2**63 - 1
#: More than 2 million rows of z and w; beyond it a file is a mistake or an attack.
LARGEST_LATENTS_BYTES = 4 * 1024**3
#: What a latents file holds at least.
REQUIRED_ARRAYS = ("w", "labels", "psi", "attributes")
#: What zipfile, NumPy and json raise about archives that are damaged, or lie about their sizes.
_DAMAGED_ARCHIVE = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    RuntimeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def check_seed(seed: object) -> int:
    """Return the seed as an int.

    Raises:
        OptionError: it is not an integer from 0 to 2^63-1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise OptionError(f"a seed must be an integer from 0 to 2^63-1, got {seed!r}")
    if not 0 <= seed <= LARGEST_SEED:
        raise OptionError(f"a seed must be from 0 to 2^63-1 ({LARGEST_SEED}), got {seed}")
    return int(seed)


def seeds_to_z(seeds: Sequence[int], z_dim: int) -> FloatArray:
    """Return z ``[N, z_dim]``, one row per seed, each from N(0, 1) by Philox of that seed alone.

    Raises:
        OptionError: a seed is not an integer from 0 to 2^63-1.
    """
    rows = [
        np.random.Generator(np.random.Philox(check_seed(seed))).standard_normal(z_dim)
        for seed in seeds
    ]
    return np.array(rows, dtype=np.float32).reshape(len(rows), z_dim)


def lerp(start: FloatArray, end: FloatArray, t: float | FloatArray) -> FloatArray:
    """Interpolate linearly, ``start + t * (end - start)``: the default for w and embeddings."""
    return np.asarray(start + t * (end - start), dtype=np.float32)


def slerp(start: FloatArray, end: FloatArray, t: float | FloatArray) -> FloatArray:
    """Interpolate along the great circle: the default for z (White, arXiv 1609.04468).

    Directions turn at constant speed and lengths go linearly, so that points between two samples
    of N(0, 1) are as typical as their ends. Parallel vectors are interpolated linearly.

    Args:
        start: ``[..., z_dim]``.
        end: ``[..., z_dim]``.
        t: 0 gives the start, 1 the end; a number, or broadcastable to ``[..., 1]``.

    Raises:
        OptionError: an end is the zero vector, or the two are opposite: there is no one way.
    """
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    length_a = np.linalg.norm(a, axis=-1, keepdims=True)
    length_b = np.linalg.norm(b, axis=-1, keepdims=True)
    if not (np.all(length_a > 0) and np.all(length_b > 0)):
        raise OptionError("slerp needs vectors other than zero")
    unit_a, unit_b = a / length_a, b / length_b
    cosine = np.clip((unit_a * unit_b).sum(axis=-1, keepdims=True), -1, 1)
    if np.any(cosine < -1 + 1e-9):
        raise OptionError("slerp between opposite vectors has no one way; move one of them")
    angle = np.arccos(cosine)
    parallel = angle < 1e-6
    sine = np.where(parallel, 1, np.sin(angle))
    weight_a = np.where(parallel, 1 - t, np.sin((1 - t) * angle) / sine)
    weight_b = np.where(parallel, t, np.sin(t * angle) / sine)
    direction = weight_a * unit_a + weight_b * unit_b
    return np.asarray(direction * (length_a + t * (length_b - length_a)), dtype=np.float32)


def truncate(w: Any, w_mean: Any, psi: Any) -> Any:
    """Pull w towards its mean, ``w_mean + psi * (w - w_mean)`` (StyleGAN, arXiv 1812.04948).

    Works on NumPy arrays and torch tensors alike. psi = 1 changes nothing, 0 gives the mean.
    """
    return w_mean + psi * (w - w_mean)


def mix_embeddings(
    table: FloatArray, choices: Sequence[str], weights: Mapping[str, float]
) -> FloatArray:
    """Return the weighted mean of rows of an embedding, ``[dim]``.

    Args:
        table: the embedding of an attribute, ``[choices, dim]``.
        choices: the names of the rows.
        weights: how much of each choice; they are brought to a sum of 1.

    Raises:
        OptionError: an unknown choice, a negative weight, or no weight at all.
    """
    for choice, weight in weights.items():
        if choice not in choices:
            raise OptionError(f"cannot mix '{choice}' (choices: {', '.join(choices)})")
        if not (np.isfinite(weight) and weight >= 0):
            raise OptionError(f"the weight of {choice} must be 0 or more, got {weight}")
    total = sum(weights.values())
    if not total > 0:
        raise OptionError("a mixture needs at least one weight above 0")
    rows = [table[choices.index(choice)] * (weight / total) for choice, weight in weights.items()]
    return np.asarray(np.sum(rows, axis=0), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Latents:
    """What pictures are drawn from, one row per picture; w alone is enough.

    Rows are taken with ``latents[2]``, ``latents[2:5]``, ``latents[[0, 4]]`` or a mask.

    Attributes:
        w: ``[N, w_dim]``, before truncation; or one for each block, ``[N, blocks, w_dim]``.
        labels: ``[N, attributes]``, index of each attribute's choice, in taxonomy order.
        psi: ``[N]``, the truncation of each row.
        attributes: the taxonomy that the labels refer to.
        z: ``[N, z_dim]``, where w came from z.
        seeds: ``[N]``, where z came from seeds.
        palette: ``[N, palette_dim]``: palette embeddings, mixed ones too, that are drawn in place
            of those of the labels; see :meth:`ConditionalGenerator.embed_palette`.
    """

    w: FloatArray
    labels: NDArray[np.int64]
    psi: FloatArray
    attributes: Mapping[str, Sequence[str]]
    z: FloatArray | None = None
    seeds: NDArray[np.int64] | None = None
    palette: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.w)

    def __getitem__(self, rows: int | slice | Sequence[int] | NDArray[Any]) -> "Latents":
        """Return some of the rows; one row stays latents of one row."""
        if isinstance(rows, int | np.integer):
            chosen: Any = np.arange(len(self))[rows : rows + 1 if rows != -1 else None]
            if not len(chosen):
                raise IndexError(f"there is no row {rows}; the latents have {len(self)}")
        else:
            chosen = rows
        return replace(self, **{name: array[chosen] for name, array in self.arrays().items()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that there are, by name."""
        every = {name: getattr(self, name) for name in _ARRAYS}
        return {name: array for name, array in every.items() if array is not None}

    def with_w(self, w: FloatArray, psi: float | FloatArray | None = None) -> "Latents":
        """Return latents with another w: the result of arithmetic, without z and seeds.

        Args:
            w: ``[N, w_dim]`` or ``[N, blocks, w_dim]``.
            psi: one for all or ``[N]``; as it is where it is left out.

        Raises:
            OptionError: there are not as many rows.
        """
        if len(w) != len(self):
            raise OptionError(f"these latents have {len(self)} rows, not {len(w)}")
        each = self.psi if psi is None else np.broadcast_to(np.float32(psi), len(self)).copy()
        moved = np.asarray(w, dtype=np.float32)
        return replace(self, w=moved, psi=np.asarray(each, np.float32), z=None, seeds=None)

    @classmethod
    def from_w(
        cls,
        w: FloatArray,
        attributes: Mapping[str, Sequence[str]],
        *,
        psi: float | FloatArray = 1.0,
        palette: FloatArray | None = None,
        **choices: str | Sequence[str],
    ) -> "Latents":
        """Return latents of w alone.

        Args:
            w: ``[N, w_dim]`` or ``[N, blocks, w_dim]``.
            attributes: the taxonomy of the weights.
            psi: truncation, one for all or ``[N]``.
            palette: ``[N, palette_dim]``, drawn in place of what the choices say.
            choices: by attribute, one for all rows or one per row; the first one by default.

        Raises:
            OptionError: there is no such attribute or choice, or the lengths do not fit.
        """
        w = np.asarray(w, dtype=np.float32)
        if w.ndim not in (2, 3):
            raise OptionError(f"w has 2 dimensions, or 3 with one w per block, not {w.ndim}")
        labels = np.zeros((len(w), len(attributes)), dtype=np.int64)
        for name, given in choices.items():
            if name not in attributes:
                raise OptionError(f"there is no attribute '{name}' ({', '.join(attributes)})")
            column = [given] * len(w) if isinstance(given, str) else list(given)
            if len(column) != len(w):
                raise OptionError(f"{name} has {len(column)} choices for {len(w)} rows")
            for row, choice in enumerate(column):
                if choice not in attributes[name]:
                    raise OptionError(f"{name} has no choice '{choice}'")
                labels[row, list(attributes).index(name)] = list(attributes[name]).index(choice)
        each = np.broadcast_to(np.float32(psi), len(w)).copy()
        return cls(w=w, labels=labels, psi=each, attributes=attributes, palette=palette)

    @classmethod
    def join(cls, parts: Sequence["Latents"]) -> "Latents":
        """Return the rows of several latents, one after the other.

        An array that one of them lacks is left out; w is one per block if it is so in one.

        Raises:
            OptionError: there are none, or they belong to different weights.
        """
        if not parts:
            raise OptionError("there is nothing to join")
        first = parts[0]
        blocks = {part.w.shape[1] for part in parts if part.w.ndim == 3}
        widths = {part.w.shape[-1] for part in parts}
        own = {name: list(choices) for name, choices in first.attributes.items()}
        if (
            len(widths) > 1
            or len(blocks) > 1
            or any(
                {name: list(choices) for name, choices in part.attributes.items()} != own
                for part in parts
            )
        ):
            raise OptionError("only latents of the same weights can be joined")
        joined: dict[str, Any] = {}
        for name in _ARRAYS:
            arrays = [getattr(part, name) for part in parts]
            if all(array is not None for array in arrays):
                if name == "w" and blocks:
                    arrays = [per_block(array, *blocks) for array in arrays]
                joined[name] = np.concatenate(arrays)
        return cls(attributes=first.attributes, **joined)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write an ``.npz`` with the arrays of those names, and the taxonomy as JSON.

        Raises:
            OutputError: the file exists already (unless ``overwrite``), or cannot be written.
        """
        buffer = io.BytesIO()
        taxonomy = json.dumps({name: list(self.attributes[name]) for name in self.attributes})
        arrays: dict[str, Any] = {**self.arrays(), "attributes": np.array(taxonomy)}
        np.savez(buffer, **arrays)
        write_atomically(path, buffer.getvalue(), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Latents":
        """Read a file that :meth:`save` wrote.

        Raises:
            OptionError: the file is missing, is no such file, or its arrays do not fit together.
        """
        path = Path(path)
        try:
            if is_special(path):
                raise OptionError(f"{path}: not a latents file (a pipe or a device, not a file)")
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
            if size > LARGEST_LATENTS_BYTES:
                raise OptionError(f"{path}: unpacks to {size} bytes, more than latents can be")
            with np.load(path, allow_pickle=False) as arrays:
                for name in REQUIRED_ARRAYS:
                    if name not in arrays.files:
                        raise OptionError(f"{path}: the array '{name}' is missing")
                w = arrays["w"]
                read = {"w": _floats(w, 3 if w.ndim == 3 else 2)}
                for name, dimensions in (("psi", 1), ("z", 2), ("palette", 2)):
                    if name in arrays.files:
                        read[name] = _floats(arrays[name], dimensions)
                latents = cls(
                    **read,
                    labels=_integers(arrays["labels"], 2),
                    seeds=_integers(arrays["seeds"], 1) if "seeds" in arrays.files else None,
                    attributes=json.loads(str(arrays["attributes"])),
                )
        except FileNotFoundError:
            raise OptionError(f"{path}: there is no such latents file") from None
        except OptionError:
            raise
        except _DAMAGED_ARCHIVE as error:
            raise OptionError(f"{path}: not a latents file ({error})") from error
        latents._check(path)
        return latents

    def _check(self, path: Path) -> None:
        if len({len(array) for array in self.arrays().values()}) > 1:
            raise OptionError(f"{path}: the arrays have different numbers of rows")
        lists = isinstance(self.attributes, dict) and all(
            isinstance(choices, list) for choices in self.attributes.values()
        )
        if not lists or len(self.attributes) != self.labels.shape[1]:
            raise OptionError(f"{path}: the labels do not fit the attributes")
        counts = [len(choices) for choices in self.attributes.values()]
        if np.any(self.labels < 0) or np.any(self.labels >= counts):
            raise OptionError(f"{path}: a label is outside the choices of its attribute")


_ARRAYS = ("z", "w", "labels", "seeds", "psi", "palette")


def per_block(w: FloatArray, blocks: int) -> FloatArray:
    """Return w for each block of the synthesis.

    Args:
        w: ``[N, w_dim]``, or ``[N, blocks, w_dim]``, which comes back as it is.
        blocks: how many there are.
    """
    if w.ndim == 3:
        return w
    return np.repeat(w[:, None], blocks, axis=1)


def mix_styles(
    coarse: FloatArray, other: FloatArray, layers: tuple[int, int], blocks: int, t: float = 1.0
) -> FloatArray:
    """Style mixing (StyleGAN, arXiv 1812.04948): some blocks of one character, the rest of another.

    Args:
        coarse: ``[N, w_dim]`` or ``[N, blocks, w_dim]``, truncated or not.
        other: what the layers come from, likewise.
        layers: the first and the last block that come from it, from 0 (4 px).
        blocks: how many the generator has.
        t: how far they move, 0 to 1.

    Returns:
        ``[N, blocks, w_dim]``.

    Raises:
        OptionError: there are no such layers.
    """
    first, last = layers
    if not 0 <= first <= last < blocks:
        raise OptionError(f"layers go from 0 to {blocks - 1}, got {first} to {last}")
    mixed = per_block(coarse, blocks).copy()
    part = slice(first, last + 1)
    mixed[:, part] = lerp(mixed[:, part], per_block(other, blocks)[:, part], t)
    return mixed


def _floats(array: NDArray[Any], dimensions: int) -> FloatArray:
    if array.ndim == dimensions and array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is beyond float32 is infinite then
            numbers = np.asarray(array, dtype=np.float32)
        if np.isfinite(numbers).all():
            return numbers
    raise ValueError(f"expected finite numbers in {dimensions} dimensions")


def _integers(array: NDArray[Any], dimensions: int) -> NDArray[np.int64]:
    if array.ndim != dimensions or array.dtype.kind not in "iu":
        raise ValueError(f"expected integers in {dimensions} dimensions")
    return np.asarray(array, dtype=np.int64)
