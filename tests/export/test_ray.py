"""Exports on a Ray cluster of this machine are the same as local ones."""

import os
import subprocess
import sys

import pytest

from avatargan.errors import MissingExtraError
from avatargan.export import create_plan
from tests.export.conftest import tree


def export(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    return subprocess.run(
        [sys.executable, "-m", "avatargan", "export", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_cluster_gives_the_same_folder(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    options = ["--count", 40, "--size", 128, "--psi", 0.1, "--device", "cpu", "--sheet", "4x4"]
    for name, more in (("local", []), ("cluster", ["--distribute", "ray"])):
        result = export(*options, *more, "--out", tmp_path / name)
        assert result.returncode == 0, result.stderr
    assert tree(tmp_path / "cluster") == tree(tmp_path / "local")


def test_without_ray_the_message_says_how_to_get_it(small, monkeypatch):
    from avatargan.export.ray_studio import RayStudio

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install -r requirements-ray\.txt adds it"):
        RayStudio(create_plan(small, size=32))
