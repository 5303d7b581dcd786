"""What the cropper wrote down about its crops."""

import json
from pathlib import Path

from avatargan.dataset.building import CropFacts
from avatargan.errors import DatasetError

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
        lines = place.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{place}: cannot be read ({error})") from error
    for number, line in enumerate(lines, start=1):
        try:
            crop = json.loads(line)
            _, _, width, height = map(float, crop["crop_box"])
            facts[str(crop["file"])] = CropFacts(str(crop["source_sha256"]), min(width, height))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise DatasetError(
                f"{place}, line {number}: not a line of the cropper ({error!r})"
            ) from error
    return facts
