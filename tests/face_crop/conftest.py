"""Drawn pictures with faces, and quick runs over them."""

from pathlib import Path

import pytest

from tests.face_crop.runs import draw_scenes


@pytest.fixture(scope="session")
def scenes(pipe, tmp_path_factory) -> Path:
    """A folder of five pictures with a drawn face each, and one without."""
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, [avatar.image for avatar in pipe.generate(range(5), size=128)])
    return folder
