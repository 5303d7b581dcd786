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
from dataclasses import dataclass
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
#: What a latents file holds.
ARRAY_NAMES = {"z", "w", "labels", "seeds", "psi", "attributes"}
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


@dataclass(frozen=True)
class Latents:
    """What pictures were drawn from, one row per picture.

    Attributes:
        z: ``[N, z_dim]``.
        w: ``[N, w_dim]``, before truncation.
        labels: ``[N, attributes]``, index of each attribute's choice, in taxonomy order.
        seeds: ``[N]``.
        psi: ``[N]``.
        attributes: the taxonomy that the labels refer to.
    """

    z: FloatArray
    w: FloatArray
    labels: NDArray[np.int64]
    seeds: NDArray[np.int64]
    psi: FloatArray
    attributes: Mapping[str, Sequence[str]]

    def __len__(self) -> int:
        return len(self.seeds)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` with the arrays of those names, and the taxonomy as JSON.

        Raises:
            OutputError: the file cannot be written.
        """
        buffer = io.BytesIO()
        taxonomy = json.dumps({name: list(self.attributes[name]) for name in self.attributes})
        np.savez(
            buffer,
            z=self.z,
            w=self.w,
            labels=self.labels,
            seeds=self.seeds,
            psi=self.psi,
            attributes=np.array(taxonomy),
        )
        write_atomically(path, buffer.getvalue())

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
                missing = sorted(ARRAY_NAMES - set(arrays.files))
                if missing:
                    raise OptionError(f"{path}: the array '{missing[0]}' is missing")
                latents = cls(
                    z=_floats(arrays["z"], 2),
                    w=_floats(arrays["w"], 2),
                    labels=_integers(arrays["labels"], 2),
                    seeds=_integers(arrays["seeds"], 1),
                    psi=_floats(arrays["psi"], 1),
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
        rows = {len(array) for array in (self.z, self.w, self.labels, self.seeds, self.psi)}
        if len(rows) > 1:
            raise OptionError(f"{path}: the arrays have different numbers of rows")
        lists = isinstance(self.attributes, dict) and all(
            isinstance(choices, list) for choices in self.attributes.values()
        )
        if not lists or len(self.attributes) != self.labels.shape[1]:
            raise OptionError(f"{path}: the labels do not fit the attributes")
        counts = [len(choices) for choices in self.attributes.values()]
        if np.any(self.labels < 0) or np.any(self.labels >= counts):
            raise OptionError(f"{path}: a label is outside the choices of its attribute")


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
