"""Sliders: named directions in w, in a safetensors file that says what each of them does.

The file has the role ``directions``. Its tensors, for K sliders, B blocks of the synthesis and R
bends (:meth:`Slider.apply` has the formula):

- ``directions [K, B, w_dim]``: how w of each block moves per unit of a slider;
- ``bend_in [K, R, w_dim]`` and ``bend_out [K, R, B, w_dim]``: how that depends on the character;
- ``centre [w_dim]``: the w that bends are measured from.

In the header, ``sliders`` is a JSON list with an entry for each of the K, in order: the fields of
:class:`Slider` that are no arrays. ``w_space`` is :func:`w_space_sha256` of the generators that
the directions hold for: those that share the mapping, the styles and the means of w bit for bit.

One unit of a slider moves what it measures by one standard deviation among characters at psi 0.7.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avatargan.errors import OptionError, WeightsError, did_you_mean
from avatargan.latents import FloatArray
from avatargan.weights_header import (
    DIRECTIONS_ROLE,
    SHIPPED_DIRECTIONS,
    shipped_weights,
)

if TYPE_CHECKING:
    from avatargan.networks import ConditionalGenerator

#: A slider is walked in so many equal parts, so that it can bend on the way.
PARTS = 8
_TENSORS = ("directions", "bend_in", "bend_out", "centre")


@dataclass(frozen=True, eq=False)
class Slider:
    """One named direction.

    Attributes:
        name: what recipes and the command line call it, in English: "hair length".
        minimum: the least amount that keeps its promises.
        maximum: the largest.
        changes: in words, what grows with the amount.
        names: what people call it, by language: en, zh, ja, ko.
        effect: measured; see docs/sliders.md for the fields.
        direction: ``[blocks, w_dim]``.
        bend_in: ``[bends, w_dim]``.
        bend_out: ``[bends, blocks, w_dim]``.
        centre: ``[w_dim]``.
    """

    name: str
    minimum: float
    maximum: float
    changes: str
    names: Mapping[str, str]
    effect: Mapping[str, Any]
    direction: FloatArray = field(repr=False)
    bend_in: FloatArray = field(repr=False)
    bend_out: FloatArray = field(repr=False)
    centre: FloatArray = field(repr=False)

    def apply(self, w: FloatArray, amount: float) -> FloatArray:
        """Return w after a walk along the slider.

        The walk solves ``dw/da = direction + sum_r (bend_in_r . (mean(w) - centre)) bend_out_r``
        in :data:`PARTS` Euler steps, mean(w) being the mean over the blocks.

        Args:
            w: ``[w_dim]`` or ``[blocks, w_dim]``, truncated.
            amount: 0 changes nothing.

        Returns:
            ``[blocks, w_dim]``; ``[w_dim]`` where it was so and all blocks move alike.
        """
        same = w.ndim == 1 and self._moves_blocks_alike
        direction = self.direction[:1] if same else self.direction
        bend_out = self.bend_out[:, :1] if same else self.bend_out
        moved = np.array(np.broadcast_to(w, direction.shape), dtype=np.float64)
        part = amount / PARTS
        for _ in range(PARTS):
            bends = self.bend_in @ (moved.mean(axis=0) - self.centre)  # [bends]
            moved += part * (direction + np.einsum("r,rbw->bw", bends, bend_out))
        return np.asarray(moved[0] if same else moved, dtype=np.float32)

    @property
    def _moves_blocks_alike(self) -> bool:
        return bool(
            np.all(self.direction == self.direction[:1])
            and np.all(self.bend_out == self.bend_out[:, :1])
        )

    def check(self, amount: float) -> float:
        """Return an amount that the slider can take.

        Raises:
            OptionError: it is outside its range.
        """
        if not self.minimum <= amount <= self.maximum:
            raise OptionError(
                f"{self.name} goes from {self.minimum:g} to {self.maximum:g}, got {amount:g}"
            )
        return float(amount)


class Directions(Mapping[str, Slider]):
    """The sliders of a directions file by name, in its order.

    Attributes:
        sha256: of the file; recipes name it.
        w_space: what generators they hold for.
    """

    def __init__(self, sliders: list[Slider], sha256: str, w_space: str) -> None:
        self._sliders = {slider.name: slider for slider in sliders}
        self.sha256 = sha256
        self.w_space = w_space

    def __getitem__(self, name: str) -> Slider:
        return self._sliders[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sliders)

    def __len__(self) -> int:
        return len(self._sliders)

    def find(self, name: str) -> Slider:
        """Return the slider that a user means: hyphens and underscores stand for spaces.

        Raises:
            OptionError: there is none; the message has the nearest and all of them.
        """
        plain = " ".join(name.replace("-", " ").replace("_", " ").split()).lower()
        if plain not in self:
            raise OptionError(
                f"there is no slider '{name[:40]}'{did_you_mean(plain, self)} "
                f"(sliders: {', '.join(self)})"
            )
        return self[plain]

    @classmethod
    def load(cls, path: str | Path) -> "Directions":
        """Read a directions file.

        Raises:
            WeightsError: it is missing, damaged, or its parts do not fit together.
        """
        from avatargan.weights import read_weights

        file = read_weights(path, DIRECTIONS_ROLE)
        missing = [name for name in _TENSORS if name not in file.tensors]
        if missing:
            raise WeightsError(f"{path}: the tensor '{missing[0]}' is missing")
        arrays = {name: file.tensors[name].float().numpy() for name in _TENSORS}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise WeightsError(f"{path}: the directions hold numbers that are not finite")
        try:
            entries = json.loads(file.metadata["sliders"])
            count, blocks, width = arrays["directions"].shape
            bends = arrays["bend_in"].shape[1]
            if (
                len(entries) != count
                or arrays["bend_in"].shape != (count, bends, width)
                or arrays["bend_out"].shape != (count, bends, blocks, width)
                or arrays["centre"].shape != (width,)
            ):
                raise ValueError("shapes")
            sliders = [
                Slider(
                    name=str(entry["name"]),
                    minimum=float(entry["minimum"]),
                    maximum=float(entry["maximum"]),
                    changes=str(entry["changes"]),
                    names={str(k): str(v) for k, v in entry["names"].items()},
                    effect=dict(entry["effect"]),
                    direction=arrays["directions"][index],
                    bend_in=arrays["bend_in"][index],
                    bend_out=arrays["bend_out"][index],
                    centre=arrays["centre"],
                )
                for index, entry in enumerate(entries)
            ]
            return cls(sliders, file.sha256, file.metadata["w_space"])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise WeightsError(f"{path}: not a directions file as documented ({error})") from error


def find_directions(generator: "ConditionalGenerator") -> Directions:
    """Return the shipped sliders, if they hold for this generator.

    Raises:
        OptionError: they do not.
        WeightsError: the file is damaged.
    """
    path = shipped_weights(SHIPPED_DIRECTIONS)
    directions = Directions.load(path) if path.exists() else None
    if directions is None or directions.w_space != w_space_sha256(generator):
        raise OptionError("there are no sliders for these weights; they hold for the shipped ones")
    return directions


def w_space_sha256(generator: "ConditionalGenerator") -> str:
    """Return what two generators share if their w mean the same: a hash of mapping and means.

    It is taken of the tensors in half precision, little-endian, in the order of their names:
    ``mapping.*``, the embedding of the style, ``w_mean``.
    """
    digest = hashlib.sha256()
    identity = generator.attributes.identity
    for name, tensor in sorted(generator.state_dict().items()):
        if name.startswith("mapping.") or name in ("w_mean", f"embed.{identity}.weight"):
            digest.update(name.encode())
            digest.update(tensor.cpu().half().numpy().astype("<f2").tobytes())
    return digest.hexdigest()
