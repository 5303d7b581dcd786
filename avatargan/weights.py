"""Weights files: safetensors with a header that says what the tensors are.

The header's metadata holds ``format`` ("avatargan"), ``role``, ``resolution``, ``z_dim``,
``w_dim`` and ``attributes`` (JSON: the choices of each attribute, in index order). Nothing is
ever unpickled.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from avatargan.attributes import Taxonomy
from avatargan.errors import WeightsError
from avatargan.files import write_atomically

FORMAT = "avatargan"
GENERATOR_ROLE = "generator"
CRITIC_ROLE = "critic"
UPSCALER_ROLE = "x4 upscaler"

#: Beyond this a header is hostile or of something else: sizes decide how much memory is taken.
LARGEST_DIMENSION = 16384


@dataclass(frozen=True)
class WeightsFile:
    """A weights file read into memory."""

    path: Path
    metadata: Mapping[str, str]
    tensors: Mapping[str, Tensor]
    sha256: str

    @property
    def attributes(self) -> Taxonomy:
        """The taxonomy in the header.

        Raises:
            WeightsError: the header has none, or it is malformed.
        """
        try:
            return Taxonomy.from_json(self.metadata["attributes"])
        except KeyError:
            raise WeightsError(f"{self.path}: the header has no 'attributes'") from None
        except WeightsError as error:
            raise WeightsError(f"{self.path}: {error}") from error

    def integer(self, key: str) -> int:
        """Return an entry of the header that counts something.

        Raises:
            WeightsError: the entry is missing, not a number, or out of range.
        """
        text = self.metadata.get(key, "")
        if not text.isascii() or not text.isdigit() or not 0 < int(text) <= LARGEST_DIMENSION:
            raise WeightsError(
                f"{self.path}: '{key}' in the header is not a usable number: {text!r}"
            )
        return int(text)

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """Return the shape of a tensor.

        Raises:
            WeightsError: the tensor is missing or has another number of dimensions.
        """
        if name not in self.tensors:
            raise WeightsError(f"{self.path}: the tensor '{name}' is missing")
        shape = tuple(self.tensors[name].shape)
        if len(shape) != dimensions:
            raise WeightsError(
                f"{self.path}: the tensor '{name}' has {len(shape)} dimensions, "
                f"expected {dimensions}"
            )
        return shape

    def give_to(self, network: nn.Module) -> None:
        """Give the tensors, as float32, to a network of the same names and shapes.

        The network may be on the "meta" device, so that a header which lies about its sizes is
        found out before any memory is taken.

        Raises:
            WeightsError: a tensor is missing, left over, of another shape, or not finite.
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
            if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
                raise WeightsError(
                    f"{self.path}: the tensor '{name}' holds values that are not finite"
                )
        network.load_state_dict(
            {name: tensor.float() for name, tensor in self.tensors.items()}, assign=True
        )


def read_weights(path: str | Path, role: str) -> WeightsFile:
    """Read a weights file whose header names ``role``.

    Raises:
        WeightsError: the file is missing, unreadable, truncated, not safetensors, not of this
            project, or of another role.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise WeightsError(f"{path}: there is no such weights file") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") == FORMAT and _has_role(metadata, role):
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{path}: truncated, or not a safetensors weights file ({error})"
        ) from error
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: not weights of this project (the header's 'format' is not '{FORMAT}')"
        )
    if not _has_role(metadata, role):
        found = metadata.get("role", "nothing")
        raise WeightsError(f"{path}: expected weights of a {role}, found those of a {found}")
    return WeightsFile(path, metadata, tensors, hashlib.sha256(content).hexdigest())


def write_weights(
    path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write tensors as fp16 with their header, in one step.

    Raises:
        OutputError: the file cannot be written.
    """
    halves = {name: tensor.detach().cpu().half().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(halves, {"format": FORMAT, **metadata}))


def shipped_weights(name: str) -> Path:
    """Return the path of a file of ``weights/``, in a checkout as in an installed package."""
    package = Path(__file__).parent
    installed = package / "shipped_weights" / name
    return installed if installed.exists() else package.parent / "weights" / name


def _has_role(metadata: Mapping[str, str], role: str) -> bool:
    """Roles may carry a remark after a comma ("generator, exponential moving average")."""
    return metadata.get("role", "").split(",")[0].strip() == role
