"""``kill -9`` at any moment: nothing lost, nothing done twice, the same folder in the end."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.face_crop.runs import ARGUMENTS, ROOT, crop, scene_with, tree


def done_so_far(out: Path) -> list[str]:
    """The pictures that the journal has a record of."""
    journal = out / ".avatargan/crop-journal.jsonl"
    if not journal.exists():
        return []
    entries = [json.loads(line) for line in journal.read_bytes().split(b"\n")[:-1]]
    return [entry["source"] for entry in entries if "source" in entry]


def draw_pictures(folder: Path, pipe, count: int) -> None:
    """Pictures of which some show the same face, so that decisions depend on earlier ones."""
    folder.mkdir()
    faces = [avatar.image for avatar in pipe.generate(range(min(count * 2 // 3, 60)), size=128)]
    for number in range(count):
        scene = scene_with(faces[number % len(faces)], number % len(faces))
        if number >= len(faces):
            scene = scene.resize((360, 312))
        scene.save(folder / f"{number:03d}.png")


def crop_with_kills(source: Path, out: Path, kills: int, pictures: int, jobs: int) -> int:
    chance = random.Random(kills)
    killed = 0
    arguments = [sys.executable, "-m", "face_crop", str(source), str(out), *ARGUMENTS]
    arguments += ["--quiet", "--jobs", str(jobs)]
    for target in sorted(chance.sample(range(1, pictures), kills)):
        before = done_so_far(out)
        with subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE) as process:
            while process.poll() is None:
                if len(done_so_far(out)) >= target:
                    time.sleep(chance.random() * 0.03)
                    process.kill()
                    break
                time.sleep(0.002)
            process.wait()
            killed += process.returncode == -9
            error = process.stderr.read()
            assert error == b"", error.decode()
        after = done_so_far(out)
        assert set(before) <= set(after)  # nothing lost
        assert len(after) == len(set(after))  # nothing done twice
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return killed


def check(pipe, tmp_path, kills: int, pictures: int, jobs: int) -> None:
    source = tmp_path / "src"
    draw_pictures(source, pipe, pictures)
    undisturbed = crop(source, tmp_path / "undisturbed")
    assert undisturbed.summary.rejected["near-duplicate"] > 0
    killed = crop_with_kills(source, tmp_path / "killed", kills, pictures, jobs)
    assert killed >= kills - 1  # one may have ended between the last look and the signal
    assert tree(tmp_path / "killed") == tree(tmp_path / "undisturbed")


@pytest.mark.slow
def test_two_kills_leave_no_trace(pipe, tmp_path):
    check(pipe, tmp_path, kills=2, pictures=15, jobs=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_kills_leave_no_trace(pipe, tmp_path):
    check(pipe, tmp_path, kills=20, pictures=240, jobs=2)
