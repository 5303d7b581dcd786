"""Crops made on a Ray cluster are the same as local ones."""

import json
import os
import sys

import pytest

from avatargan.errors import MissingExtraError
from tests.face_crop.runs import ARGUMENTS, command, tree


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_cluster_of_two_nodes_gives_the_same_folder(scenes, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    source = tmp_path / "src"
    source.mkdir()
    for path in scenes.iterdir():
        for copy in range(3):
            (source / f"{path.stem}-{copy}.png").symlink_to(path)
    (source / "broken.png").write_bytes(b"broken")
    os.mkfifo(source / "pipe.png")
    with two_nodes(tmp_path) as address:
        for name, more in (("local", []), ("cluster", ["--engine", "ray"])):
            done = command(
                source, tmp_path / name, *ARGUMENTS, "--json", *more,
                env={**os.environ, "RAY_ADDRESS": address},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["crops"] == 5
    assert tree(tmp_path / "cluster") == tree(tmp_path / "local")


class two_nodes:  # noqa: N801 (a context manager)
    """A Ray cluster of two nodes of this machine, one core each."""

    def __init__(self, folder):
        self._folder = folder

    def __enter__(self) -> str:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.1"},
        )
        self._cluster.add_node(num_cpus=1)
        self._cluster.wait_for_nodes()
        return self._cluster.address

    def __exit__(self, *_):
        self._cluster.shutdown()


def test_without_ray_the_message_says_how_to_get_it(monkeypatch):
    from face_crop.ray_engine import RayEngine

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install -r requirements-ray\.txt adds it"):
        RayEngine()
