"""Crops made on a Ray cluster are the same as local ones."""

import json
import os
import sys
from collections.abc import Iterator

import pytest

from avatargan.errors import MissingExtraError
from tests.face_crop.runs import ARGUMENTS, command, tree


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_cluster_of_two_nodes_gives_the_same_folder(scenes, two_nodes, tmp_path):
    source = tmp_path / "src"
    source.mkdir()
    for path in scenes.iterdir():
        for copy in range(3):
            (source / f"{path.stem}-{copy}.png").symlink_to(path)
    (source / "broken.png").write_bytes(b"broken")
    os.mkfifo(source / "pipe.png")
    environment = {**os.environ, "RAY_ADDRESS": two_nodes}
    for name, more in (("local", []), ("cluster", ["--engine", "ray"])):
        arguments = [source, tmp_path / name, *ARGUMENTS, "--json", *more]
        done = command(*arguments, env=environment)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["crops"] == 5
    assert tree(tmp_path / "cluster") == tree(tmp_path / "local")


@pytest.fixture
def two_nodes(monkeypatch) -> Iterator[str]:
    """The address of a Ray cluster of two nodes of this machine, one core each."""
    pytest.importorskip("ray", reason="Ray is not installed")
    # Keeps everything on loopback addresses, despite its name.
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(**node)
        cluster.wait_for_nodes()
        yield cluster.address
    finally:
        cluster.shutdown()


def test_without_ray_the_message_says_how_to_get_it(monkeypatch):
    from face_crop.ray_engine import RayEngine

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install -r requirements-ray\.txt adds it"):
        RayEngine()
