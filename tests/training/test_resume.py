"""A run that is killed and continued ends exactly like one that never was."""

import ctypes
import json
import multiprocessing
import os
import random
import signal
import time

import pytest
import torch

from avatargan.dataset import open_dataset
from avatargan.errors import (
    CheckpointError,
    DatasetError,
    DivergenceError,
    OptionError,
    OutputError,
)
from avatargan.training import run as runs
from avatargan.training.checkpoints import list_checkpoints, read_checkpoint
from avatargan.training.run_folder import RunFolder
from avatargan.training.settings import TrainingSettings
from avatargan.training.trainer import Trainer
from tests.training.moments import train_until
from tests.training.tiny import TINY, train_tiny, write_faces

#: Processes are forked from one that has imported everything: a run starts in milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.training.moments"])


def started(*arguments, **changes):
    process = PROCESSES.Process(target=train_tiny, args=arguments, kwargs=changes)
    process.start()
    return process


def state(folder):
    """Everything that is to be the same: the last checkpoint and the weights, byte by byte."""
    run = RunFolder(folder)
    return [
        path.read_bytes()
        for path in (list_checkpoints(run.checkpoints)[-1], run.generator, run.critic)
    ]


def finish_with_kills(out, faces, cache, kills, chance, **changes):
    """Kill a run at random moments, so many times spread over all of it; then let it end.

    Returns:
        How far the run had saved itself at each kill, in images.
    """
    folder, positions = RunFolder(out).checkpoints, []
    for number in range(kills):
        process = started(out, faces, cache, **changes)
        goal = changes["images"] * (number + chance.random()) / (kills + 1)
        while process.is_alive() and position(folder) < goal:
            time.sleep(0.005)
        # Anywhere in what it does next: steps, checkpoints and weights being written.
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        positions.append(position(folder))
    process = started(out, faces, cache, **changes)
    process.join()
    assert process.exitcode == 0
    return positions


def position(folder):
    there = list_checkpoints(folder)
    return int(there[-1].stem) if there else -1


@pytest.mark.parametrize("network", [pytest.param("avatar128", marks=pytest.mark.slow), "dcgan64"])
def test_a_run_killed_and_continued_ends_with_the_same_bytes(tmp_path, faces, cache, network):
    changes = {"network": network, "checkpoint_every": 16, "images": 240}
    if network == "dcgan64":
        changes |= {"resolution": None, "regularizer": "r1", "images": 96, "checkpoint_every": 24}
    train_tiny(tmp_path / "whole", faces, cache, **changes)
    finish_with_kills(tmp_path / "killed", faces, cache, 2, random.Random(1), **changes)
    assert state(tmp_path / "killed") == state(tmp_path / "whole")


def everything(folder):
    """All that a run leaves, but for the time that it took and when."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", "config.json", "metrics.jsonl")
    }
    config = json.loads((folder / "config.json").read_text())
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    for entry in (config, *entries):
        for name in ("started", "seconds", "images_per_second"):
            entry.pop(name, None)
    return files | {"config.json": config, "metrics.jsonl": entries}


#: A run of four steps in which checkpoints, metrics and samples come at different times.
SHORT = {"images": 32, "checkpoint_every": 16, "log_every": 24, "sample_every": 8, "keep": 1}
DCGAN = {"network": "dcgan64", "resolution": None, "width": 0.05, "regularizer": "r1"}


def ended(*arguments, **changes):
    process = PROCESSES.Process(target=train_until, args=arguments, kwargs=changes)
    process.start()
    process.join()
    return process.exitcode


def kill_at(chosen, tmp_path, faces, cache, **changes):
    """Kill a run at moments, each time a new one, go on, and compare all that is left."""
    counted = tmp_path / "counted"
    settings = TrainingSettings.from_values({**TINY, **changes})
    open_dataset(faces).decoded(settings.picture_size, cache)  # else only the first run would
    whole = (tmp_path / "whole", faces, cache)
    assert ended(0, counted, *whole, **changes) == 0
    expected = everything(tmp_path / "whole")
    total = int(counted.read_text())
    for moment in chosen(total):
        out = tmp_path / f"killed-{moment}"
        assert ended(moment, counted, out, faces, cache, **changes) == -signal.SIGKILL
        assert ended(0, counted, out, faces, cache, **changes) == 0
        assert everything(out) == expected, f"moment {moment} of {total}"
    return total


def test_a_run_killed_at_chosen_moments_leaves_what_an_undisturbed_one_does(tmp_path, faces, cache):
    # Of the start, of a checkpoint in the middle, of the metrics behind it, and of the end.
    def chosen(total):
        return [total * part // 100 for part in (4, 30, 60, 95)]

    kill_at(chosen, tmp_path, faces, cache, **SHORT, **DCGAN)


@pytest.mark.slow
@pytest.mark.parametrize("network", [{}, DCGAN], ids=["avatar128", "dcgan64"])
def test_a_run_killed_at_every_moment_leaves_what_an_undisturbed_one_does(
    tmp_path, faces, cache, network
):
    total = kill_at(lambda total: range(1, total + 1), tmp_path, faces, cache, **SHORT, **network)
    assert total > 100


@pytest.mark.slow
def test_a_run_killed_again_and_again_where_it_goes_on_leaves_the_same(tmp_path, faces, cache):
    counted = tmp_path / "counted"
    ended(0, counted, tmp_path / "whole", faces, cache, **SHORT, **DCGAN)
    for seed in range(5):
        chance, out = random.Random(seed), tmp_path / f"killed-{seed}"
        for _ in range(20):
            ended(chance.randrange(1, 60), counted, out, faces, cache, **SHORT, **DCGAN)
        ended(0, counted, out, faces, cache, **SHORT, **DCGAN)
        assert everything(out) == everything(tmp_path / "whole")


@pytest.mark.parametrize("position", [24, 32])
def test_a_run_stopped_by_a_signal_loses_neither_samples_nor_weights(
    tmp_path, faces, cache, monkeypatch, position
):
    train_tiny(tmp_path / "whole", faces, cache, **SHORT)
    step = Trainer.step

    def signalled(trainer, batch):
        if trainer.images_seen == position - 8:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(trainer, batch)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "step", signalled)
        train_tiny(tmp_path / "run", faces, cache, **SHORT)
    train_tiny(tmp_path / "run", faces, cache, **SHORT)
    assert everything(tmp_path / "run") == everything(tmp_path / "whole")


@pytest.mark.slow
def test_a_run_killed_50_times_ends_with_the_same_bytes(tmp_path, faces, cache):
    changes = {"checkpoint_every": 8, "images": 1600, "sample_every": 800}
    train_tiny(tmp_path / "whole", faces, cache, **changes)
    out = tmp_path / "killed"
    positions = finish_with_kills(out, faces, cache, 50, random.Random(2), **changes)
    assert len(positions) == 50
    assert positions == sorted(positions)  # what was saved is never lost
    assert state(out) == state(tmp_path / "whole")


def test_metrics_and_samples_of_a_continued_run_have_no_gaps_or_repetitions(
    tmp_path, faces, cache, monkeypatch
):
    train_tiny(tmp_path / "whole", faces, cache)
    stop_after(monkeypatch, 88)
    with pytest.raises(StoppedError):
        train_tiny(tmp_path / "cut", faces, cache)
    monkeypatch.undo()
    train_tiny(tmp_path / "cut", faces, cache)
    folders = [RunFolder(tmp_path / name) for name in ("whole", "cut")]
    seen = [[entry["images_seen"] for entry in folder.read_metrics()] for folder in folders]
    assert seen[0] == seen[1] == list(range(16, 161, 16))
    names = [[path.name for path in folder.list_samples()] for folder in folders]
    assert names[0] == names[1]
    assert len(names[0]) == 3


class StoppedError(Exception):
    """Stands for anything that ends a run between two steps."""


def stop_after(monkeypatch, images):
    step = Trainer.step

    def limited(trainer, batch):
        if trainer.images_seen >= images:
            raise StoppedError
        return step(trainer, batch)

    monkeypatch.setattr(Trainer, "step", limited)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_where_the_run_stands_and_leaves(
    tmp_path, faces, cache, monkeypatch, number
):
    step = Trainer.step

    def signalled(trainer, batch):
        if trainer.images_seen == 40:
            os.kill(os.getpid(), number)
        return step(trainer, batch)

    monkeypatch.setattr(Trainer, "step", signalled)
    outcome = train_tiny(tmp_path / "run", faces, cache, checkpoint_every=1000)
    assert outcome.signal == number
    assert outcome.images_seen == 48
    newest = RunFolder(tmp_path / "run").newest_checkpoint()
    assert read_checkpoint(newest).images_seen == 48
    assert signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL)


@pytest.mark.slow
def test_a_step_that_takes_too_long_is_not_waited_for(tmp_path, faces, cache):
    """It is interrupted, and what was learnt before it is saved."""
    process = PROCESSES.Process(
        target=train_with_a_hanging_step, args=(tmp_path / "run", faces, cache)
    )
    process.start()
    hanging = tmp_path / "run" / "hanging"
    while process.is_alive() and not hanging.exists():
        process.join(0.05)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 128 + signal.SIGTERM
    newest = RunFolder(tmp_path / "run").newest_checkpoint()
    assert read_checkpoint(newest).images_seen == 40
    train_tiny(tmp_path / "whole", faces, cache)
    train_tiny(tmp_path / "run", faces, cache)
    assert state(tmp_path / "run") == state(tmp_path / "whole")


def train_with_a_hanging_step(out, faces, cache):
    from avatargan.training import loop, stopping

    step = Trainer.step

    def hanging(trainer, batch):
        metrics = step(trainer, batch)  # weights have moved
        if trainer.images_seen == 48:
            (out / "hanging").touch()
            # One long operation, in which Python handles no signals; a signal ends the first.
            ctypes.CDLL(None).sleep(30)
            ctypes.CDLL(None).sleep(30)
        return metrics

    Trainer.step = hanging
    loop.SLOW_STEP = -1.0
    stopping.StopRequest.__init__.__defaults__ = (0.2,)
    train_tiny(out, faces, cache)


def test_only_the_newest_checkpoints_are_kept(tmp_path, faces, cache):
    train_tiny(tmp_path / "run", faces, cache, keep=2)
    there = list_checkpoints(RunFolder(tmp_path / "run").checkpoints)
    assert [int(path.stem) for path in there] == [144, 160]


def test_a_run_can_be_continued_for_longer(tmp_path, faces, cache):
    train_tiny(tmp_path / "run", faces, cache, images=80)
    outcome = train_tiny(tmp_path / "run", faces, cache, images=120)
    assert outcome.images_seen == 120


@pytest.mark.parametrize("change", [{"seed": 2}, {"batch": 16}, {"learning_rate": 0.1}])
def test_what_was_decided_at_the_start_cannot_change(tmp_path, faces, cache, change):
    train_tiny(tmp_path / "run", faces, cache, images=16)
    with pytest.raises(OptionError, match="cannot change"):
        train_tiny(tmp_path / "run", faces, cache, **change)


def test_other_pictures_than_those_of_the_start_are_refused(tmp_path, cache):
    faces = write_faces(tmp_path / "faces")
    train_tiny(tmp_path / "run", faces, cache, images=16)
    write_faces(faces, count=30)
    with pytest.raises(DatasetError, match="not the pictures or tags that this run began with"):
        train_tiny(tmp_path / "run", faces, cache, images=32)


def test_a_run_goes_on_where_its_pictures_moved_to(tmp_path, cache):
    faces = write_faces(tmp_path / "faces")
    train_tiny(tmp_path / "run", faces, cache, images=16)
    faces.rename(tmp_path / "moved")
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(DatasetError, match="faces: the pictures are not there any more; if they m"):
        runs.sources_of(folder.read_config())
    with pytest.raises(OptionError, match="has 1 sets of pictures"):
        runs.sources_of(folder.read_config(), [tmp_path, tmp_path])
    outcome = train_tiny(tmp_path / "run", faces, cache, moved=[tmp_path / "moved"], images=32)
    assert outcome.images_seen == 32
    assert train_tiny(tmp_path / "run", faces, cache, images=40).images_seen == 40
    other = write_faces(tmp_path / "other", count=30)
    with pytest.raises(DatasetError, match="not the pictures or tags that this run began with"):
        train_tiny(tmp_path / "run", faces, cache, moved=[other], images=48)


def test_a_damaged_checkpoint_is_named(tmp_path, faces, cache):
    train_tiny(tmp_path / "run", faces, cache, images=16)
    newest = RunFolder(tmp_path / "run").newest_checkpoint()
    newest.write_bytes(newest.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=newest.name):
        train_tiny(tmp_path / "run", faces, cache, images=32)


def test_a_checkpoint_of_other_networks_is_refused(tmp_path, faces, cache):
    train_tiny(tmp_path / "run", faces, cache, images=16)
    config_path = tmp_path / "run" / "config.json"
    config = json.loads(config_path.read_text())
    config["settings"]["width"] = 0.06
    config_path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="of other networks"):
        train_tiny(tmp_path / "run", faces, cache, images=32)


def test_divergence_stops_with_the_last_good_checkpoint_named(tmp_path, faces, cache, monkeypatch):
    step = Trainer.step

    def poisoned(trainer, batch):
        if trainer.images_seen == 56:
            with torch.no_grad():
                next(trainer.critic.parameters()).fill_(float("nan"))
        return step(trainer, batch)

    monkeypatch.setattr(Trainer, "step", poisoned)
    with pytest.raises(DivergenceError, match=r"diverged at 64 images.*000000000048\.safetensors"):
        train_tiny(tmp_path / "run", faces, cache)
    for path in list_checkpoints(RunFolder(tmp_path / "run").checkpoints):
        tensors = read_checkpoint(path).tensors.values()
        assert all(values.isfinite().all() for values in tensors)


def test_a_full_disk_is_one_clear_error_and_leaves_no_half_file(
    tmp_path, faces, cache, monkeypatch
):
    import avatargan.files

    fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 30:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(avatargan.files.os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        train_tiny(tmp_path / "run", faces, cache)
    monkeypatch.undo()
    run = RunFolder(tmp_path / "run")
    assert not list(run.path.rglob("*.tmp"))
    for path in list_checkpoints(run.checkpoints):
        read_checkpoint(path)
    outcome = train_tiny(tmp_path / "run", faces, cache)  # space was made
    assert outcome.images_seen == 160


def test_two_processes_cannot_train_in_one_folder(tmp_path, faces, cache):
    with (
        RunFolder(tmp_path / "run").lock(),
        pytest.raises(OutputError, match="by another process"),
    ):
        train_tiny(tmp_path / "run", faces, cache)
