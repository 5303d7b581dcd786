"""How fast this machine trains, found out by training a little."""

import dataclasses
import time

import numpy as np
import torch

from avatargan.attributes import Taxonomy
from avatargan.training.data import Batch
from avatargan.training.distributed import Processes
from avatargan.training.settings import TrainingSettings
from avatargan.training.trainer import Networks, Trainer

#: Images in a measured step; time is nearly in proportion.
_BATCH = 8
#: Hours that somebody waits for without asking for less.
LONG = 2.0
#: Hours of a run that is left alone over night.
NIGHT = 8.0


def measured_speed(settings: TrainingSettings, attributes: Taxonomy) -> float:
    """Return how many images a second this machine's processor learns from.

    Three steps of networks of the same shapes on noise: one to get going, one with the penalty
    and one without. Nothing of the run is touched.
    """
    trial = dataclasses.replace(
        settings, batch=min(settings.batch, _BATCH), critic_first=0, compile="off"
    )
    trainer = Trainer(trial, Networks.new(trial, attributes), Processes())
    side = trial.picture_size
    noise = np.random.default_rng(0).integers(0, 256, (trial.batch, 3, side, side), np.uint8)
    labels = {name: torch.zeros(trial.batch, dtype=torch.long) for name in attributes}
    batch = Batch(torch.from_numpy(noise), labels, labels)
    trainer.step(batch)
    every = trial.penalty_interval
    plain = _seconds(trainer, batch, 1)
    penalised = _seconds(trainer, batch, every) if every > 1 else plain
    return trial.batch * every / (penalised + (every - 1) * plain)


def duration_lines(settings: TrainingSettings, speed: float, seen: int = 0) -> list[str]:
    """Return how long a run on the processor takes, and how it would take less.

    Args:
        settings: of the run.
        speed: images a second.
        seen: images that were learnt from already.
    """
    hours = max(settings.images - seen, 0) / speed / 3600
    lines = [f"about {duration(hours)} at the {speed:.3g} images a second measured on this CPU"]
    if hours > LONG:
        fewer = int(speed * NIGHT * 3600) // settings.batch * settings.batch
        ways = []
        if fewer > 0 and hours > NIGHT:
            ways.append(f"--images {seen + fewer} ({duration(NIGHT)})")
        if settings.picture_size > 64 and 64 in settings.family.resolutions:
            ways.append("--resolution 64 (about a quarter of the time)")
        if settings.network != "dcgan64":
            ways.append("--network dcgan64 (the smallest network, 64 px)")
        ways.append("a graphics card (--device cuda)")
        lines.append(f"less with {', '.join(ways)}")
    return lines


def duration(hours: float) -> str:
    """Return a time for people."""
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} seconds"
    if hours < 1:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


def _seconds(trainer: Trainer, batch: Batch, step: int) -> float:
    trainer.images_seen = step * trainer.settings.batch
    start = time.perf_counter()
    trainer.step(batch)
    return time.perf_counter() - start
