"""Killed at any moment and run again: the same folder as if nothing had happened."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.export.conftest import tree


def command(folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "avatargan", "export", "--out", str(folder), "--quiet", *options]


def kill_at(arguments: list[str], folder: Path, entries: int, delay: float) -> bool:
    """Start an export and kill it a moment after so many files are there; tell whether it was."""
    with subprocess.Popen(arguments, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            if folder.exists() and sum(1 for _ in folder.rglob("*")) >= entries:
                time.sleep(delay)
                process.kill()
                break
            time.sleep(0.001)
        process.wait()
        assert process.stderr.read() == b""
    return process.returncode != 0


def export_with_kills(folder: Path, kills: int, options: list[str], files: int) -> None:
    chance = random.Random(0)
    # The first as soon as there is anything, the others at random moments of the rest.
    moments = [1, *sorted(chance.randrange(2, files) for _ in range(kills - 1))]
    killed = 0
    for entries in moments:
        killed += kill_at(command(folder, *options), folder, entries, chance.random() * 0.03)
    # It may have ended between the last look at the folder and the signal, but not often.
    assert killed >= kills - 1
    subprocess.run(command(folder, *options), check=True)


def undisturbed(folder: Path, options: list[str]) -> int:
    subprocess.run(command(folder, *options), check=True)
    return sum(1 for _ in folder.rglob("*"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_kills_leave_no_trace(other_weights, tmp_path):
    options = ["--weights", str(other_weights), "--allow-duplicates", "--device", "cpu"]
    options += ["--count", "200", "--size", "32", "--sheet", "5x5", "--atlas", "texturepacker"]
    files = undisturbed(tmp_path / "undisturbed", options)
    export_with_kills(tmp_path / "killed", 2, options, files)
    assert tree(tmp_path / "killed") == tree(tmp_path / "undisturbed")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_kills_leave_no_trace(tmp_path):
    # At a low psi many characters look alike, so that seeds are replaced all along the way.
    options = ["--count", "400", "--size", "128", "--psi", "0.1", "--name", "{hair}_{eyes}_{seed}"]
    options += ["--device", "cpu", "--sheet", "5x5", "--atlas", "texturepacker"]
    files = undisturbed(tmp_path / "undisturbed", options)
    names = {path.name for path in (tmp_path / "undisturbed").glob("*.png")}
    assert any(int(name.removesuffix(".png").split("_")[2]) >= 400 for name in names)
    export_with_kills(tmp_path / "killed", 20, options, files)
    assert tree(tmp_path / "killed") == tree(tmp_path / "undisturbed")
