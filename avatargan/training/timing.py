"""How long a run may be, from how fast this machine turns out to be.

The time that is left is measured once, before a run begins, and becomes a number of images: from
there on the run depends on no clock, and one that is killed goes on exactly.
"""

import time
from dataclasses import replace

from avatargan.training.checkpoints import Checkpoint, restore, state_of
from avatargan.training.data import TrainingData
from avatargan.training.loop import batches
from avatargan.training.run_folder import RunFolder
from avatargan.training.trainer import Averages, Trainer

#: Steps before the clock is read: compilers and caches warm up.
WARM_UP = 3
#: Seconds to measure for, and the part of the time that is left to measure for at most.
MEASURED_FOR, MEASURED_PART = 20.0, 0.05
#: What is kept for checkpoints, samples, quality and the report, and for a slower hour.
KEPT = 0.15


def images_within(trainer: Trainer, data: TrainingData, folder: RunFolder, deadline: float) -> int:
    """Return how many images the run should see to end before a deadline.

    Takes some steps and takes them back: the trainer is afterwards as it was before.

    Args:
        trainer: at the position to go on from.
        data: the pictures.
        folder: named where the state cannot be brought back.
        deadline: by :func:`time.monotonic`.

    Returns:
        A multiple of the batch, one batch more than was seen at least. The same in all processes.
    """
    settings, seen = trainer.settings, trainer.images_seen
    shared = state_of(trainer)
    kept = Checkpoint(
        seen,
        {name: values.detach().clone() for name, values in shared.tensors.items()},
        shared.metadata,
    )
    # Whatever the run was to be, there are steps to take.
    trainer.settings = replace(settings, images=seen + settings.images)
    whole = settings.penalty_interval  # each part of it has one step with a penalty
    steps, start = 0, 0.0
    measured_for = min(MEASURED_FOR, MEASURED_PART * (deadline - time.monotonic()))
    for batch in batches(trainer, data):
        if steps == WARM_UP:
            _wait_for(trainer)
            start = time.monotonic()
        trainer.step(batch)
        steps += 1
        taken = steps - WARM_UP
        if taken > 0 and taken % whole == 0:
            _wait_for(trainer)
            # All processes leave at the same step.
            if trainer.processes.any(time.monotonic() - start >= measured_for):
                break
    _wait_for(trainer)
    seconds = (time.monotonic() - start) / max(steps - WARM_UP, 1) if steps > WARM_UP else 0.0
    trainer.settings = settings
    restore(trainer, kept, folder.path)
    trainer.averages = Averages()
    left = max(deadline - time.monotonic(), 0.0) * (1 - KEPT)
    steps_left = max(int(left / seconds), 1) if seconds else 1
    # The slowest process decides.
    fewest = -trainer.processes.largest(-float(steps_left))
    return seen + int(fewest) * settings.batch


def _wait_for(trainer: Trainer) -> None:
    """Wait until the device has done what it was told."""
    next(trainer.critic.parameters()).flatten()[0].item()
