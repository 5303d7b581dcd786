"""Crops and their tags become a set to train from."""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from avatargan.dataset.copies import Signature, find_copies, shared_sources, signature
from avatargan.dataset.dataset import Dataset, fit_square
from avatargan.dataset.report import write_report
from avatargan.dataset.writing import new_set
from avatargan.devices import usable_cores
from avatargan.errors import DatasetError, OptionError
from avatargan.networks import Upscaler, load_upscaler
from avatargan.parallel import ordered_map
from avatargan.tables import is_utf8

SMALLEST_RESOLUTION, LARGEST_RESOLUTION = 16, 1024
#: A crop that shows fewer pixels than this share of the wanted side is small. Above it, plain
#: interpolation is not visibly softer than what the upscaler makes.
SMALL_SHARE = 0.75


class Upscaling(StrEnum):
    """Which crops go through the x4 upscaler before they are brought to size."""

    NEVER = "never"
    SMALL = "small"
    ALWAYS = "always"


@dataclass(frozen=True)
class CropFacts:
    """What the cropper knows of a crop.

    Attributes:
        source: identifies the picture that it was cut from, by its content.
        native_side: how many pixels of that picture its side spans.
    """

    source: str
    native_side: float


@dataclass
class BuildSummary:
    """What became of the crops.

    Attributes:
        pictures: how many are in the set.
        upscaled: how many of them went through the upscaler.
        copies: how many show the same as another one, mirrored or encoded anew; they are kept.
        left_out: why the others are not in it, by file.
    """

    pictures: int = 0
    upscaled: int = 0
    copies: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def build_dataset(
    crops: Dataset,
    out: Path,
    *,
    resolution: int = 128,
    upscaling: Upscaling = Upscaling.SMALL,
    facts: Mapping[str, CropFacts] | None = None,
    overwrite: bool = False,
    advance: Callable[[int], None] | None = None,
) -> BuildSummary:
    """Write the set of all crops, in their order, with a report.

    Crops that cannot be read and exact copies of others are left out and listed. The split
    follows from the source alone, so crops of one picture are never in two; copies that are
    mirrored or encoded anew get one source for the same reason.

    Args:
        crops: the pictures and their tags.
        out: the folder of the set.
        resolution: side of its pictures in pixels.
        upscaling: which crops are upscaled.
        facts: what the cropper knows, by file name; by default every picture is its own source
            and its pixels are native.
        overwrite: whether a set that is there is replaced.
        advance: called with the number of crops that were just worked on.

    Raises:
        OptionError: the resolution is out of range.
        OutputError: the set cannot be written.
        DatasetError: not one crop can be read.
    """
    if not SMALLEST_RESOLUTION <= resolution <= LARGEST_RESOLUTION:
        raise OptionError(
            f"the size of a set's pictures is from {SMALLEST_RESOLUTION} to "
            f"{LARGEST_RESOLUTION} px, not {resolution}"
        )
    known = facts or {}
    upscaler = load_upscaler() if upscaling is not Upscaling.NEVER else None
    summary = BuildSummary()
    seen: dict[bytes, str] = {}
    signatures: list[Signature] = []

    def prepare(index: int) -> tuple[int, NDArray[np.uint8] | str, bool]:
        if not is_utf8(crops.names[index]):
            return index, "its name is not valid UTF-8, which a table must be", False
        try:
            pixels = crops.picture(index)
        except DatasetError as error:
            return index, str(error), False
        fact = known.get(crops.names[index])
        native = min(min(pixels.shape[:2]), round(fact.native_side) if fact else 2**31)
        wanted = upscaling is Upscaling.ALWAYS or native < SMALL_SHARE * resolution
        if upscaler is None or not wanted:
            return index, fit_square(pixels, resolution), False
        # What was enlarged by interpolation goes back to the pixels that were there.
        enlarged = upscale(upscaler, fit_square(pixels, max(native, SMALLEST_RESOLUTION)))
        return index, fit_square(enlarged, resolution), True

    with (
        new_set(out, crops.attributes, resolution, overwrite=overwrite) as writer,
        ThreadPoolExecutor(usable_cores()) as pool,
    ):
        for index, result, upscaled in ordered_map(pool, prepare, range(len(crops)), 64):
            name = crops.names[index]
            if advance is not None:
                advance(1)
            if isinstance(result, str):
                summary.left_out[name.encode(errors="backslashreplace").decode()] = result
                continue
            twin = seen.setdefault(hashlib.sha256(result.tobytes()).digest(), name)
            if twin != name:
                summary.left_out[name] = f"a copy of {twin}"
                continue
            fact = known.get(name)
            tags = {
                attribute: crops.attributes[attribute][crops.labels[attribute][index]]
                for attribute in crops.attributes
            }
            writer.add(name, result, fact.source if fact else crops.sources[index], tags)
            signatures.append(signature(result))
            summary.pictures += 1
            summary.upscaled += upscaled
        if not summary.pictures:
            raise DatasetError(f"{crops.path}: not one of its pictures can be read")
        writer.sources, summary.copies = shared_sources(
            writer.sources, find_copies(np.stack(signatures))
        )
        writer.finish(
            upscaling=upscaling.value,
            made_from=crops.path.name,
            taggers=sorted(crops.taggers),
            summary=asdict(summary),
        )
        write_report(writer.folder, summary.left_out)
    return summary


@torch.inference_mode()
def upscale(upscaler: Upscaler, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture ``[H, W, 3]`` four times as large."""
    unit = torch.tensor(pixels).permute(2, 0, 1)[None] / 255  # [1, 3, H, W]
    enlarged = upscaler(unit)[0].clamp(0, 1).mul(255).round().byte()
    return np.asarray(enlarged.permute(1, 2, 0).contiguous())
