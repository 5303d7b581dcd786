"""Checkpoints: everything that a run needs to go on exactly, in one safetensors file.

Networks, the average, both optimizers, the metrics that are not written yet, and the position in
the run, from which with the seed all chance follows. Nothing is pickled. A file is written under a
temporary name, fsynced and renamed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from avatargan.errors import CheckpointError
from avatargan.files import write_atomically
from avatargan.training.trainer import Averages, Trainer
from avatargan.weights import safetensors_bytes

FORMAT = "avatargan checkpoint"
#: 2: the gradient penalty has steps of its own, with moments of another decay.
VERSION = "2"
FOLDER = "checkpoints"
_AVERAGES = "averages"
_STRENGTH = "augmentation/strength"
_NAME = re.compile(r"(\d{12})\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        images_seen: the position in the run.
        tensors: all state, by name.
        metadata: what it belongs to.
    """

    images_seen: int
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]


def state_of(trainer: Trainer) -> Checkpoint:
    """Return the state of a trainer, as tensors that share its memory."""
    tensors: dict[str, Tensor] = {}
    for prefix, network in _networks(trainer).items():
        for name, values in network.state_dict().items():
            tensors[f"{prefix}/{name}"] = values
    for prefix, (optimizer, network) in _optimizers(trainer).items():
        for name, parameter in network.named_parameters():
            for key, values in optimizer.state.get(parameter, {}).items():
                tensors[f"{prefix}/{name}/{key}"] = values
    if trainer.settings.adapt:
        tensors[_STRENGTH] = trainer.strength
    if trainer.processes.count == 1:  # each of several has its own, and the first one saves
        for name, values in trainer.averages.sums.items():
            tensors[f"{_AVERAGES}/{name}/sum"] = values
            tensors[f"{_AVERAGES}/{name}/count"] = torch.tensor(trainer.averages.counts[name])
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "images_seen": str(trainer.images_seen),
        "settings": json.dumps(trainer.settings.to_json()),
        "attributes": trainer.generator.attributes.to_json(),
    }
    return Checkpoint(trainer.images_seen, tensors, metadata)


def write_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint and remove the oldest beyond ``keep``, once the new one is safe.

    Raises:
        OutputError: the file cannot be written.
    """
    path = folder / f"{checkpoint.images_seen:012}.safetensors"
    tensors = {
        name: values.detach().cpu().contiguous() for name, values in checkpoint.tensors.items()
    }
    write_atomically(path, safetensors_bytes(tensors, checkpoint.metadata))
    for old in list_checkpoints(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the oldest first (by number, not by date)."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        CheckpointError: the file is missing, damaged, or no checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: damaged, or not a checkpoint ({error}); remove it to go on from the one "
            "before"
        ) from error
    if metadata.get("format") == FORMAT and metadata.get("version") == "1":
        raise CheckpointError(
            f"{path}: of an earlier version, whose steps were computed otherwise; it cannot be "
            "continued exactly. Start a new run from its weights with --init RUN"
        )
    if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
        raise CheckpointError(f"{path}: not a checkpoint that this version can read")
    return Checkpoint(int(metadata["images_seen"]), tensors, metadata)


@torch.no_grad()
def restore(trainer: Trainer, checkpoint: Checkpoint, path: Path) -> None:
    """Bring a trainer to the state of a checkpoint.

    Raises:
        CheckpointError: it belongs to other networks.
    """
    remaining = dict(checkpoint.tensors)

    def take(name: str, like: Tensor) -> Tensor:
        values = remaining.pop(name, None)
        if values is None or values.shape != like.shape:
            problem = "missing" if values is None else f"{list(values.shape)}"
            raise CheckpointError(
                f"{path}: of other networks than this run's ('{name}' is {problem}, "
                f"expected {list(like.shape)})"
            )
        return values

    for prefix, network in _networks(trainer).items():
        for name, values in network.state_dict().items():
            values.copy_(take(f"{prefix}/{name}", values))
    for prefix, (optimizer, network) in _optimizers(trainer).items():
        state: dict[int, dict[str, Any]] = {}
        for index, (name, parameter) in enumerate(network.named_parameters()):
            key = f"{prefix}/{name}"
            if f"{key}/step" not in remaining:  # saved before its first step
                continue
            state[index] = {
                "step": take(f"{key}/step", torch.zeros(())),
                # In the memory format of the parameter, which the arithmetic follows.
                "exp_avg": torch.empty_like(parameter).copy_(take(f"{key}/exp_avg", parameter)),
                "exp_avg_sq": torch.empty_like(parameter).copy_(
                    take(f"{key}/exp_avg_sq", parameter)
                ),
            }
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    if trainer.settings.adapt:
        trainer.strength = take(_STRENGTH, trainer.strength).to(trainer.device)
    averages = Averages()
    for key in [key for key in remaining if key.startswith(f"{_AVERAGES}/")]:
        name, _, part = key.removeprefix(f"{_AVERAGES}/").rpartition("/")
        values = remaining.pop(key)
        if part == "sum":
            averages.sums[name] = values.to(trainer.device)
        else:
            averages.counts[name] = int(values)
    if averages.sums.keys() == averages.counts.keys():
        trainer.averages = averages
    if remaining:
        raise CheckpointError(
            f"{path}: of other networks than this run's ('{sorted(remaining)[0]}' is left over)"
        )
    trainer.images_seen = checkpoint.images_seen


def _networks(trainer: Trainer) -> dict[str, nn.Module]:
    return {
        "generator": trainer.generator,
        "critic": trainer.critic,
        "ema": trainer.ema.generator,
    }


def _optimizers(trainer: Trainer) -> dict[str, tuple[torch.optim.Optimizer, nn.Module]]:
    return {
        "generator_optimizer": (trainer.generator_optimizer, trainer.generator),
        "critic_optimizer": (trainer.critic_optimizer, trainer.critic),
    }
