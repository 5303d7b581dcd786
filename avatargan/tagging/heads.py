"""Attribute heads: one more attribute for a tagger, taught from a few dozen examples.

A head is a linear classifier on what a tagger sees (:func:`head_inputs`), kept as safetensors with
the mean and the scale of its inputs. It fits the tagger that it was taught on and no other.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from avatargan.attributes import Taxonomy
from avatargan.errors import OptionError, WeightsError
from avatargan.files import write_atomically
from avatargan.tagging.tagger import Floats, Look, Tagger
from avatargan.weights import FORMAT, read_weights
from avatargan.weights_header import ATTRIBUTE_HEAD_ROLE


@dataclass(frozen=True, eq=False)
class AttributeHead:
    """Tells one attribute from what a tagger sees.

    Attributes:
        attribute: its name.
        choices: two or more.
        mean: of the inputs, ``[L]``.
        scale: their standard deviation, ``[L]``.
        coefficients: ``[choices, L]``, calibrated.
        intercepts: ``[choices]``, calibrated.
        tagger_sha256: identifies the tagger.
    """

    attribute: str
    choices: tuple[str, ...]
    mean: Floats
    scale: Floats
    coefficients: Floats
    intercepts: Floats
    tagger_sha256: str

    def probabilities(self, look: Look) -> Floats:
        """Return how likely each choice is, ``[N, choices]``."""
        inputs = (head_inputs(look) - self.mean) / self.scale
        # One row at a time: what is said of a picture must not depend on its company.
        scores = np.array([self.coefficients.astype(np.float64) @ row for row in inputs])
        scores = scores.reshape(len(inputs), len(self.choices)) + self.intercepts
        likely = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        probabilities: Floats = (likely / likely.sum(axis=1, keepdims=True)).astype(np.float32)
        return probabilities

    def require_tagger(self, tagger: Tagger) -> None:
        """Make sure that the head was taught on a tagger.

        Raises:
            OptionError: it was taught on another one.
        """
        if self.tagger_sha256 != tagger.sha256:
            raise OptionError(
                f"the head for '{self.attribute}' was taught on another tagger (SHA-256 "
                f"{self.tagger_sha256[:12]}...); give that one, or teach it again on this one"
            )


def head_inputs(look: Look) -> NDArray[np.float64]:
    """Return what heads are read from: the features beside the shapes, ``[N, F + L]``."""
    return np.concatenate([look.features, look.shapes], axis=1).astype(np.float64)


def save_head(path: str | os.PathLike[str], head: AttributeHead, *, overwrite: bool = True) -> None:
    """Write a head.

    Raises:
        OutputError: the file exists already (unless ``overwrite``), or cannot be written.
    """
    tensors = {name: np.ascontiguousarray(getattr(head, name)) for name in _TENSORS}
    metadata = {
        "format": FORMAT,
        "role": ATTRIBUTE_HEAD_ROLE,
        "attributes": Taxonomy({head.attribute: head.choices}).to_json(),
        "tagger_sha256": head.tagger_sha256,
    }
    write_atomically(path, save(tensors, metadata), overwrite=overwrite)


def load_head(path: str | os.PathLike[str]) -> AttributeHead:
    """Read a head.

    Raises:
        WeightsError: the file is missing, truncated, of the wrong kind, or inconsistent.
    """
    weights = read_weights(Path(path), ATTRIBUTE_HEAD_ROLE)
    if len(weights.attributes) != 1:
        raise WeightsError(f"{path}: a head is of one attribute, not {len(weights.attributes)}")
    ((attribute, choices),) = weights.attributes.items()
    width = weights.shape("mean", 1)[0]
    expected: dict[str, Sequence[int]] = {
        "mean": [width],
        "scale": [width],
        "coefficients": [len(choices), width],
        "intercepts": [len(choices)],
    }
    tensors = {}
    for name, shape in expected.items():
        weights.shape(name, len(shape))
        tensor = weights.tensors[name].float().numpy()
        if list(tensor.shape) != list(shape):
            raise WeightsError(
                f"{path}: the tensor '{name}' is {list(tensor.shape)}, expected {list(shape)}"
            )
        if not np.isfinite(tensor).all() or (name == "scale" and not (tensor > 0).all()):
            raise WeightsError(f"{path}: the tensor '{name}' holds values that cannot be used")
        tensors[name] = tensor
    return AttributeHead(
        attribute, choices, **tensors, tagger_sha256=weights.metadata.get("tagger_sha256", "")
    )


_TENSORS = ("mean", "scale", "coefficients", "intercepts")
