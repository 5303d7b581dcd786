import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from avatargan.export import Exporter, ExportFolder, create_plan, create_studio
from avatargan.pipeline import AvatarPipeline

Export = Callable[..., Exporter]


@pytest.fixture(scope="session")
def small(other_weights) -> AvatarPipeline:
    """A pipeline of small untrained weights with other attributes, which draws in no time."""
    return AvatarPipeline.load(other_weights, device="cpu")


@pytest.fixture
def export(small) -> Export:
    """Export into a folder and return the exporter; options as for create_plan."""

    def run(
        folder: Path, *, pipeline: AvatarPipeline = small, overwrite: bool = False, **options: Any
    ) -> Exporter:
        # Untrained weights draw much the same picture every time.
        options.setdefault("allow_duplicates", pipeline is small)
        options.setdefault("size", pipeline.sizes[0])
        plan = create_plan(pipeline, **options)
        exporter = Exporter(
            plan, ExportFolder(folder, overwrite=overwrite), create_studio(plan, pipeline)
        )
        exporter.written = list(exporter.run())
        return exporter

    return run


def tree(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file, hidden ones too, by its path inside a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
