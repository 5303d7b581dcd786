"""A Ray cluster of several nodes on this machine: what it survives, and what it says.

The nodes are real ones; they are killed as machines are lost, without a word.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avatargan import ray_cluster
from avatargan.errors import ClusterError
from tests.export.conftest import tree

EXPORT = ["export", "--count", "120", "--size", "128", "--device", "cpu", "--any-quality"]
NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}


def command(*arguments: object, address: str | None = None) -> list[str]:
    return [sys.executable, "-m", "avatargan", *map(str, arguments)]


def environment(address: str | None = None) -> dict[str, str]:
    others = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    return others if address is None else {**others, "RAY_ADDRESS": address}


def run(*arguments: object, address: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=environment(address)
    )


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head, where work is asked for, and two nodes more."""
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        made.extra = [made.add_node(**NODE) for _ in range(2)]
        made.wait_for_nodes()
        yield made
    finally:
        made.shutdown()


def test_an_address_where_nobody_is_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    monkeypatch.setattr(ray_cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ClusterError, match=rf"no Ray cluster at 127\.0\.0\.1:{port}.*ray start"):
        ray_cluster.start_ray()


@pytest.mark.parametrize(
    ("items", "workers", "expected"), [(0, 4, 1), (8, 4, 1), (1000, 4, 32), (10**6, 16, 32)]
)
def test_chunks_are_as_large_as_the_job_allows(items: int, workers: int, expected: int) -> None:
    assert ray_cluster.chunk_size(items, workers, 32) == expected


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", [1, 40, 100])
def test_an_export_survives_the_loss_of_a_node(cluster: Any, tmp_path: Path, moment: int) -> None:
    assert run(*EXPORT, "--seed", 5, "--out", tmp_path / "local").returncode == 0
    out = tmp_path / "cluster"
    asked = command(*EXPORT, "--seed", 5, "--out", out, "--distribute", "ray")
    with subprocess.Popen(
        asked, env=environment(cluster.address), stderr=subprocess.PIPE, text=True
    ) as exporting:
        while exporting.poll() is None and len(list(out.glob("*.png"))) < moment:
            time.sleep(0.02)
        cluster.remove_node(cluster.extra[0], allow_graceful=False)
        _, said = exporting.communicate()
    assert exporting.returncode == 0, said
    assert "Traceback" not in said
    assert tree(out) == tree(tmp_path / "local")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nodes_that_differ_are_named_and_left_out(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    ray = ray_cluster.start_ray()
    try:
        said: list[str] = []
        file = tmp_path / "weights"
        file.write_bytes(b"these")
        needs = ray_cluster.Needs(weights={str(file): "0" * 64})
        with pytest.raises(ClusterError, match="other weights"):
            ray_cluster.usable_nodes(ray, needs, said.append)
        assert len(said) == 3
        needs = ray_cluster.Needs(readable=str(tmp_path / "missing.png"))
        with pytest.raises(ClusterError, match=r"cannot read .*missing\.png"):
            ray_cluster.usable_nodes(ray, needs)
        assert len(ray_cluster.usable_nodes(ray, ray_cluster.Needs())) == 3
    finally:
        ray.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ctrl_c_ends_with_a_line_and_the_same_command_goes_on(cluster: Any, tmp_path: Path) -> None:
    out = tmp_path / "cluster"
    asked = command(*EXPORT, "--seed", 5, "--out", out, "--distribute", "ray")
    with subprocess.Popen(
        asked, env=environment(cluster.address), stderr=subprocess.PIPE, text=True
    ) as exporting:
        while exporting.poll() is None and len(list(out.glob("*.png"))) < 20:
            time.sleep(0.02)
        exporting.send_signal(signal.SIGINT)
        _, said = exporting.communicate()
    assert exporting.returncode == 130
    assert "Traceback" not in said
    done = run(*EXPORT, "--seed", 5, "--out", out, "--distribute", "ray", address=cluster.address)
    assert done.returncode == 0, done.stderr
    assert run(*EXPORT, "--seed", 5, "--out", tmp_path / "local").returncode == 0
    assert tree(out) == tree(tmp_path / "local")
