"""Weights files: safetensors with a header that says what the tensors are.

See :mod:`avatargan.weights_header` for the header. Nothing is ever unpickled.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from avatargan.errors import WeightsError
from avatargan.files import write_atomically
from avatargan.weights_header import (
    CRITIC_ROLE,
    FORMAT,
    GENERATOR_ROLE,
    UPSCALER_ROLE,
    WeightsHeader,
    read_header,
    safetensors_errors,
    shipped_weights,
)

__all__ = [
    "CRITIC_ROLE",
    "FORMAT",
    "GENERATOR_ROLE",
    "UPSCALER_ROLE",
    "WeightsFile",
    "read_weights",
    "safetensors_bytes",
    "shipped_weights",
    "write_weights",
]


@dataclass(frozen=True)
class WeightsFile(WeightsHeader):
    """A weights file read into memory."""

    tensors: Mapping[str, Tensor]
    sha256: str

    def give_to(self, network: nn.Module) -> None:
        """Give the tensors, as float32, to a network of the same names and shapes.

        The network may be on the "meta" device, so that a header which lies about its sizes is
        found out before any memory is taken.

        Raises:
            WeightsError: a tensor is missing, left over, of another shape or type, or not finite.
        """
        expected = network.state_dict()
        missing = sorted(expected.keys() - self.tensors.keys())
        unexpected = sorted(self.tensors.keys() - expected.keys())
        if missing or unexpected:
            problem = (
                f"'{missing[0]}' is missing" if missing else f"'{unexpected[0]}' is unexpected"
            )
            raise WeightsError(f"{self.path}: the tensor {problem}")
        for name, tensor in self.tensors.items():
            if tensor.shape != expected[name].shape:
                raise WeightsError(
                    f"{self.path}: the tensor '{name}' is {list(tensor.shape)}, "
                    f"expected {list(expected[name].shape)}"
                )
            if not tensor.is_floating_point():
                raise WeightsError(
                    f"{self.path}: the tensor '{name}' holds {tensor.dtype}, expected floats"
                )
        # Looked at as float32: float64 can hold more than that, and not every type can be tested.
        tensors = {name: tensor.float() for name, tensor in self.tensors.items()}
        for name, tensor in tensors.items():
            if not bool(tensor.isfinite().all()):
                raise WeightsError(
                    f"{self.path}: the tensor '{name}' holds values that are not finite"
                )
        network.load_state_dict(tensors, assign=True)


def read_weights(path: str | Path, role: str) -> WeightsFile:
    """Read a weights file whose header names ``role``.

    Raises:
        WeightsError: the file is missing, unreadable, truncated, not safetensors, not of this
            project, or of another role.
    """
    header = read_header(path, role)
    with safetensors_errors(header.path):
        content = header.path.read_bytes()
        with safe_open(header.path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in header.shapes}
    return WeightsFile(
        header.path,
        header.metadata,
        header.shapes,
        tensors,
        hashlib.sha256(content).hexdigest(),
    )


def write_weights(
    path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write tensors as fp16 with their header, in one step.

    Raises:
        OutputError: the file cannot be written.
    """
    halves = {name: tensor.detach().cpu().half().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, safetensors_bytes(halves, {"format": FORMAT, **metadata}))


def safetensors_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return a safetensors file: the same bytes for the same content.

    The library writes the entries of the metadata in another order in every process, and with
    them another SHA-256.
    """
    content = save(dict(tensors), dict(metadata))
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header = {"__metadata__": dict(sorted(metadata.items())), **_without_metadata(header)}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at multiples of 8
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def _without_metadata(header: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in header.items() if name != "__metadata__"}
