"""The recipe of the shipped weights, and runs that end in time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import train
from avatargan.training import timing
from avatargan.training.checkpoints import list_checkpoints, read_checkpoint
from avatargan.training.recipes import RECIPES
from avatargan.training.run_folder import RunFolder
from avatargan.training.settings import TrainingSettings
from tests.training.tiny import write_faces

ROOT = Path(__file__).parent.parent.parent
TOY = ["--resolution", "16", "--width", "0.03", "--batch", "8", "--threads", "1"]
TOY += ["--precision", "fp32", "--quality-pictures", "12", "--tensorboard", "off"]


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_sound_settings(name):
    TrainingSettings.from_values(RECIPES[name].settings)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe", "shiped"], "no recipe 'shiped'; did you mean 'shipped'"),
        (["--minutes", "1", "--images", "10"], "leave out --images"),
        (["--minutes", "0"], "--minutes must be from"),
    ],
)
def test_mistakes_are_one_line(words, message, faces, tmp_path, capsys):
    assert train.main([str(faces), "--out", str(tmp_path / "run"), *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_run_is_made_as_long_as_fits_and_timing_leaves_no_trace(
    tmp_path, faces, cache, monkeypatch
):
    """The clock of this test: each step takes half a second, of a minute."""
    clock = [1000.0]
    monkeypatch.setattr(timing.time, "monotonic", lambda: clock[0])
    step, timed = timing.Trainer.step, []

    def slow(trainer, batch):
        clock[0] += 0.5
        timed.append(trainer.images_seen)
        return step(trainer, batch)

    with monkeypatch.context() as patched:
        patched.setattr(timing.Trainer, "step", slow)
        patched.setattr(train, "_train", lambda run, observer: runs.append(run))
        runs = []
        options = [str(faces), *TOY, "--cache-folder", str(cache), "--quiet", "--recipe", "shipped"]
        assert train.main([*options, "--out", str(tmp_path / "run"), "--minutes", "1"]) == 0
    (run,) = runs
    taken = len(timed)
    left = (60 - 0.5 * taken) * (1 - timing.KEPT)
    assert run.trainer.settings.images == 8 * int(left / 0.5)
    assert run.config["settings"]["images"] == run.trainer.settings.images
    assert run.trainer.images_seen == 0
    # The first checkpoint is that of a run that was never timed.
    monkeypatch.setattr(train, "_train", lambda run, observer: None)
    images = str(run.trainer.settings.images)
    assert train.main([*options, "--out", str(tmp_path / "plain"), "--images", images]) == 0
    files = [
        list_checkpoints(tmp_path / name / "checkpoints")[0].read_bytes()
        for name in ("run", "plain")
    ]
    assert files[0] == files[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_generation_is_made_in_time_with_a_kill_in_the_middle(tmp_path):
    """The command of docs/next-weights.md at toy size, from start to end."""
    drawn = write_faces(tmp_path / "drawn", count=160)
    tv = write_faces(tmp_path / "tv", count=120)
    out = tmp_path / "next"
    command = [sys.executable, "train.py", str(drawn), str(tv)]
    command += ["--style", "visual-novel:3", "--style", "tv:1", "--recipe", "shipped"]
    command += ["--minutes", "1.5", "--out", str(out), *TOY, "--cache-folder", str(tmp_path / "c")]
    begun = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT) as process:
        folder = RunFolder(out)
        while process.poll() is None and len(folder.read_quality()) < 2:
            time.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    images = json.loads(folder.config_path.read_text())["settings"]["images"]
    done = subprocess.run(
        [sys.executable, "train.py", "--resume", str(out)], cwd=ROOT, check=True, timeout=600
    )
    assert done.returncode == 0
    assert time.monotonic() - begun < 600
    assert read_checkpoint(folder.newest_checkpoint()).images_seen >= images
    entries = folder.read_quality()
    seen = [entry["images_seen"] for entry in entries]
    assert seen == sorted(set(seen))
    assert len(seen) >= 19  # none was lost, none is there twice
    assert float(min(entry["kid"] for entry in entries)) == folder.best_kid()
    page = folder.report.read_text()
    assert "Held-out pictures" in page
    assert "(best)" in page
