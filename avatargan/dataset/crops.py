"""What the cropper wrote down about its crops."""

import json
import math
from pathlib import Path

from avatargan.dataset.building import CropFacts
from avatargan.errors import DatasetError
from avatargan.files import read_regular

MANIFEST_FILE = "manifest.jsonl"


def read_crop_facts(crops: Path) -> dict[str, CropFacts]:
    """Return what the manifest in a folder of crops says, by file name; nothing without one.

    Raises:
        DatasetError: the manifest is damaged; the message names the line.
    """
    place = crops / MANIFEST_FILE
    if not place.is_file():
        return {}
    facts = {}
    try:
        lines = read_regular(place).decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{place}: cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            crop = json.loads(line)
            _, _, width, height = map(float, crop["crop_box"])
            native = min(width, height)
            if not 0 < native < math.inf:
                raise ValueError(f"a side of {native} px")
            str(crop["source_sha256"]).encode()  # it has to fit into a table
            facts[str(crop["file"])] = CropFacts(str(crop["source_sha256"]), native)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise DatasetError(
                f"{place}, line {number}: not a line of the cropper ({error!r})"
            ) from error
    return facts
