from pathlib import Path

import pytest

from tests.training.tiny import write_faces


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 40 tagged pictures of 16 px."""
    return write_faces(tmp_path_factory.mktemp("data") / "faces")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where decoded pictures are kept."""
    return tmp_path_factory.mktemp("cache")
