"""The header of a weights file: what the tensors are, without reading them.

It is all that a menu or a ``--help`` needs, and torch is not imported for it. The header's
metadata holds ``format`` ("avatargan"), ``role``, ``architecture``, ``resolution``, ``z_dim``,
``w_dim`` and ``attributes`` (JSON: the choices of each attribute, in index order).
"""

import functools
import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from avatargan.attributes import Taxonomy
from avatargan.errors import TaxonomyError, WeightsError
from avatargan.files import is_special

FORMAT = "avatargan"
GENERATOR_ROLE = "generator"
CRITIC_ROLE = "critic"
UPSCALER_ROLE = "x4 upscaler"
MATTING_ROLE = "matting"
SECOND_LOOK_ROLE = "face second look"
TAGGER_ROLE = "tagger"
QUALITY_ROLE = "quality"
ATTRIBUTE_HEAD_ROLE = "attribute head"
SKETCH_ENCODER_ROLE = "sketch encoder"
SKETCH_PAINTER_ROLE = "sketch painter"
DIRECTIONS_ROLE = "directions"
EDIT_ENCODER_ROLE = "edit encoder"

SHIPPED_GENERATOR = "avatar128-v2.safetensors"
#: The first generator, whose colours leak a little; what fine-tuning and distilling start from.
FIRST_GENERATOR = "avatar128.safetensors"
#: All generators that were ever shipped, the newest first: their recipes stay drawable.
SHIPPED_GENERATORS = tuple(dict.fromkeys((SHIPPED_GENERATOR, FIRST_GENERATOR)))
SHIPPED_CRITIC = "avatar128-critic.safetensors"
SHIPPED_QUALITY = "quality.safetensors"
SHIPPED_UPSCALER = "upscaler-x4.safetensors"
SHIPPED_MATTING = "matting.safetensors"
SHIPPED_SECOND_LOOK = "face-second-look.safetensors"
SHIPPED_TAGGER = "tagger-any-style.safetensors"
#: What judges drawings; it tags nothing that generators learn from.
SHIPPED_JUDGE = "tagger.safetensors"
SHIPPED_SKETCH_ENCODER = "sketch-encoder.safetensors"
SHIPPED_SKETCH_PAINTER = "sketch-painter.safetensors"
SHIPPED_DIRECTIONS = "directions.safetensors"
SHIPPED_EDIT_ENCODER = "edit-encoder.safetensors"

DEFAULT_ARCHITECTURE = "avatar"

#: Beyond this a header is hostile or of something else: sizes decide how much memory is taken.
LARGEST_DIMENSION = 16384


@dataclass(frozen=True)
class WeightsHeader:
    """What a weights file says of itself.

    Attributes:
        path: the file.
        metadata: the entries of the header, as text.
        shapes: the shape of each tensor, by name.
    """

    path: Path
    metadata: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]

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
        except TaxonomyError as error:
            raise WeightsError(f"{self.path}: the header is wrong: {error}") from error

    @property
    def architecture(self) -> str:
        """The name of the network's layout; files that tell none have that of the shipped one."""
        return self.metadata.get("architecture", DEFAULT_ARCHITECTURE)

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold together."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def integer(self, key: str) -> int:
        """Return an entry of the header that counts something.

        Raises:
            WeightsError: the entry is missing, not a number, or out of range.
        """
        text = self.metadata.get(key, "")
        # The length is looked at first: Python refuses to convert thousands of digits.
        is_number = text.isascii() and text.isdigit() and len(text) <= 20
        if not is_number or not 0 < int(text) <= LARGEST_DIMENSION:
            raise WeightsError(
                f"{self.path}: '{key}' in the header is not a usable number: {text[:20]!r}"
            )
        return int(text)

    def count(self, pattern: str) -> int:
        """Return how many tensors are named by the pattern with 0, 1, 2, ..."""
        count = 0
        while pattern.format(count) in self.shapes:
            count += 1
        return count

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """Return the shape of a tensor.

        Raises:
            WeightsError: the tensor is missing or has another number of dimensions.
        """
        if name not in self.shapes:
            raise WeightsError(f"{self.path}: the tensor '{name}' is missing")
        shape = self.shapes[name]
        if len(shape) != dimensions:
            raise WeightsError(
                f"{self.path}: the tensor '{name}' has {len(shape)} dimensions, "
                f"expected {dimensions}"
            )
        return shape


def read_header(path: str | Path, role: str) -> WeightsHeader:
    """Read the header of a weights file that names ``role``.

    Raises:
        WeightsError: the file is missing, unreadable, truncated, not safetensors, not of this
            project, or of another role.
    """
    path = Path(path)
    if is_special(path):
        raise WeightsError(f"{path}: cannot be read: it is a pipe or a device, not a file")
    with safetensors_errors(path), safe_open(path, framework="np") as file:
        metadata = file.metadata() or {}
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: not weights of this project (the header's 'format' is not '{FORMAT}')"
        )
    # Roles may carry a remark after a comma ("generator, exponential moving average").
    found = metadata.get("role", "").split(",")[0].strip()
    if found != role:
        raise WeightsError(
            f"{path}: expected weights of a {role}, found those of a {found or 'nothing'}"
        )
    return WeightsHeader(path, metadata, shapes)


@contextmanager
def safetensors_errors(path: Path) -> Iterator[None]:
    """Turn what safetensors and the system raise about a file into :class:`WeightsError`."""
    try:
        yield
    except FileNotFoundError:
        raise WeightsError(f"{path}: there is no such weights file") from None
    except PermissionError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        if path.is_dir():
            raise WeightsError(f"{path}: cannot be read: it is a folder") from error
        raise WeightsError(
            f"{path}: truncated, or not a safetensors weights file ({error})"
        ) from error


def shipped_weights(name: str) -> Path:
    """Return the path of a file of ``weights/``, in a checkout as in an installed package."""
    package = Path(__file__).parent
    installed = package / "shipped_weights" / name
    return installed if installed.exists() else package.parent / "weights" / name


@functools.cache
def shipped_generators() -> Mapping[str, Path]:
    """Return the shipped generators by their SHA-256, which recipes name them by."""
    paths = [shipped_weights(name) for name in SHIPPED_GENERATORS]
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in paths if path.exists()}
