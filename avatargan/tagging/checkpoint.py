"""Interrupted training is carried on with: its state lies beside the weights until it is done."""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save

from avatargan.errors import OptionError
from avatargan.files import write_atomically
from avatargan.tagging.training import TaggerTrainer
from avatargan.weights import FORMAT, read_weights

CHECKPOINT_ROLE = "tagger checkpoint"
#: Steps between two checkpoints.
INTERVAL = 200


def checkpoint_path(out: str | os.PathLike[str]) -> Path:
    """Return where the state of a training lies whose weights will go to ``out``."""
    out = Path(out)
    return out.with_name(f"{out.stem}.checkpoint{out.suffix}")


def save_checkpoint(path: Path, trainer: TaggerTrainer, material_sha256: str) -> None:
    """Write the state of a training, in one step.

    Raises:
        OutputError: the file cannot be written.
    """
    metadata = {"format": FORMAT, "role": CHECKPOINT_ROLE, "run": _run(trainer, material_sha256)}
    write_atomically(path, save(trainer.state(), metadata))


def resume(path: Path, trainer: TaggerTrainer, material_sha256: str) -> None:
    """Bring a trainer to the state that a checkpoint holds.

    Raises:
        OptionError: the checkpoint is of other options or other pictures.
        WeightsError: the file is missing or damaged.
    """
    checkpoint = read_weights(path, CHECKPOINT_ROLE)
    if checkpoint.metadata.get("run") != _run(trainer, material_sha256):
        raise OptionError(
            f"{path} is of a training with other options or other pictures; give the same ones, "
            "or leave --resume out to begin anew"
        )
    trainer.restore(checkpoint.tensors)


def _run(trainer: TaggerTrainer, material_sha256: str) -> str:
    """Identify a training by everything that decides its outcome."""
    described = json.dumps([asdict(trainer.options), trainer.start_sha256, material_sha256])
    return hashlib.sha256(described.encode()).hexdigest()
