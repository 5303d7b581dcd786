"""Two processes that share a batch learn what one process learns from all of it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from avatargan.dataset import open_dataset
from avatargan.errors import OptionError
from avatargan.training.checkpoints import read_checkpoint
from avatargan.training.data import Source, TrainingData, positions_of_step
from avatargan.training.distributed import Processes, joined_processes
from avatargan.training.run_folder import RunFolder
from avatargan.training.settings import TrainingSettings
from avatargan.training.trainer import Networks, Trainer
from tests.training.tiny import TINY

ROOT = Path(__file__).parent.parent.parent
STEPS = 6
#: A penalty at every second step: it is among what has to agree.
SETTINGS = {**TINY, "batch": 32, "images": 32 * STEPS, "penalty_interval": 2}


def learn(faces: str, cache: str, processes: Processes, out: str) -> None:
    """Take a few steps in float64, without noise in the networks, and write the weights."""
    torch.set_num_threads(1)
    settings = TrainingSettings.from_values(SETTINGS)
    data = TrainingData([Source(open_dataset(faces))], 16, 1, cache_folder=cache)
    networks = Networks.new(settings, data.attributes)
    networks.generator.double(), networks.critic.double()
    trainer = Trainer(settings, networks, processes)
    for block in trainer.generator.blocks.values():
        block.noise_strength.register_hook(torch.zeros_like)  # each process has its own noise
    for step in range(STEPS):
        positions = positions_of_step(32 * step, 32, processes.rank, processes.count)
        trainer.step(data.batch(positions))
    if processes.is_first:
        torch.save(
            [
                trainer.generator.state_dict(),
                trainer.critic.state_dict(),
                trainer.ema.generator.state_dict(),
            ],
            out,
        )


def worker(rank: int, port: int, faces: str, cache: str, out: str) -> None:
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
    }
    with joined_processes("cpu") as processes:
        learn(faces, cache, processes, out)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_two_processes_learn_the_same_as_one(tmp_path, faces, cache):
    learn(str(faces), str(cache), Processes(), str(tmp_path / "one.pt"))
    torch.multiprocessing.spawn(
        worker, (free_port(), str(faces), str(cache), str(tmp_path / "two.pt")), nprocs=2
    )
    one, two = (torch.load(tmp_path / f"{name}.pt") for name in ("one", "two"))
    networks = zip(("generator", "critic", "average"), one, two, strict=True)
    for network, alone, shared in networks:
        for name, values in alone.items():
            torch.testing.assert_close(
                shared[name], values, rtol=1e-6, atol=1e-8, msg=f"{network} {name} differs"
            )


def test_processes_share_the_positions_of_a_step():
    parts = [positions_of_step(96, 32, rank, 4) for rank in range(4)]
    assert sorted(np.concatenate(parts).tolist()) == list(range(96, 128))


def torchrun(count: int, *arguments: object) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={count}"]
    command += ["--master-addr=127.0.0.1", f"--master-port={free_port()}", "train.py"]
    done = subprocess.run(
        [*command, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_processes(tmp_path, faces, cache):
    out = tmp_path / "run"
    options = {**TINY, "images": 32, "checkpoint_every": 16}
    words = [
        word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)
    ]
    torchrun(2, faces, "--out", out, "--cache-folder", cache, *words)
    assert json.loads((out / "config.json").read_text())["processes"] == 2
    one = [sys.executable, "train.py", "--resume", str(out), "--images", "64", "--quiet"]
    done = subprocess.run(one, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    folder = RunFolder(out)
    assert read_checkpoint(folder.newest_checkpoint()).images_seen == 64
    seen = [entry["images_seen"] for entry in folder.read_metrics()]
    assert seen == [16, 32, 48, 64]


@pytest.mark.parametrize(("batch", "processes"), [(30, 4), (24, 2), (8, 8)])
def test_batches_that_cannot_be_shared_are_refused(batch, processes):
    settings = TrainingSettings(batch=batch, penalty_part=1.0)
    with pytest.raises(OptionError, match="batch"):
        settings.batch_per_process(processes)
