"""The training loop: steps, and between them metrics, samples and checkpoints."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from avatargan.errors import DivergenceError, OptionError
from avatargan.networks import ConditionalGenerator
from avatargan.training import checkpoints
from avatargan.training.adaptation import LOOK_EVERY
from avatargan.training.data import Batch, TrainingData, made_ahead, positions_of_step
from avatargan.training.quality import Judges
from avatargan.training.run_folder import RunFolder
from avatargan.training.samples import sample_grid, statistic_batches
from avatargan.training.stopping import StopRequest
from avatargan.training.trainer import Trainer
from avatargan.weights import write_weights

#: Scores of sound runs stay within tens; beyond this a run will not come back.
LARGEST_SCORE = 1e4
#: Seconds; before steps that take longer the state is copied, to be saved if they are interrupted.
SLOW_STEP = 2.0
#: Steps after which processes ask each other whether to stop, by the kind of device.
STOP_ASKED_EVERY = {"cuda": 50}


class Observer(Protocol):
    """Is told how a run goes; only in the first process."""

    def step(self, images_seen: int) -> None:
        """Called after each step."""

    def metrics(self, entry: dict[str, Any]) -> None:
        """Called with each line of metrics."""

    def samples(self, images_seen: int, grid: Any) -> None:
        """Called with each grid of samples."""

    def quality(self, entry: dict[str, Any]) -> None:
        """Called with each measurement of the average."""


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        images_seen: where.
        signal: the signal that stopped it, or None where it came to its end.
    """

    images_seen: int
    signal: int | None


def train(
    trainer: Trainer,
    data: TrainingData,
    folder: RunFolder,
    observer: Observer,
    stop: StopRequest,
) -> Outcome:
    """Train from where the trainer is to the end of the run.

    Args:
        trainer: new, or brought back to a checkpoint.
        data: the pictures.
        folder: where everything is written, by the first process.
        observer: told how it goes.
        stop: asked after each step.

    Raises:
        DivergenceError: numbers are not finite any more, or scores grew beyond all bounds.
        OutputError: something cannot be written.
    """
    settings, processes = trainer.settings, trainer.processes
    clock = _Clock(trainer.images_seen)
    judges = Judges(data, settings.quality_pictures, settings.seed)
    _check_adaptation(trainer, data)
    _catch_up(trainer, data, folder, observer, judges)
    for batch in batches(trainer, data):
        stop.rescue = _rescue(trainer, folder) if clock.step > SLOW_STEP else None
        with clock.timed_step():
            trainer.averages.add(trainer.step(batch))
        seen = trainer.images_seen
        if processes.is_first:
            observer.step(seen)
        done = seen >= settings.images
        # At the end there is nothing to hurry away from.
        stopping = _asked_to_stop(trainer, stop) and not done
        if _due("checkpoint_every", trainer) or stopping or done:
            _check_parameters(trainer, folder)
        if _due("log_every", trainer) or done:
            entry = trainer.averages.read(processes)
            _check_metrics(entry, seen, folder)
            if processes.is_first:
                entry = {
                    "images_seen": seen,
                    **entry,
                    "learning_rate": trainer.learning_rate,
                    **clock.read(seen),
                }
                folder.append_metrics(entry)
                observer.metrics(entry)
        if stopping:  # in a hurry: weights to draw with can be made again from the checkpoint
            _save_checkpoint(trainer, folder)
            return Outcome(seen, stop.signal)
        samples = _due("sample_every", trainer) or done
        if _due("checkpoint_every", trainer) or done:
            _save(trainer, data, folder, observer, judges, samples=samples)
        elif samples and processes.is_first:
            _draw_samples(trainer, _settled_average(trainer, data), folder, observer)
    return Outcome(trainer.images_seen, None)


def _check_adaptation(trainer: Trainer, data: TrainingData) -> None:
    """Make sure that there is something to see overfitting on.

    Raises:
        OptionError: there is not.
    """
    if trainer.settings.adapt and not data.holds_out:
        raise OptionError("--adapt needs held-out pictures; leave out --split all")


def _asked_to_stop(trainer: Trainer, stop: StopRequest) -> bool:
    """Tell whether any process was asked to stop.

    Asking the others waits for the graphics card to catch up: there it is not done at every step.
    """
    processes = trainer.processes
    every = STOP_ASKED_EVERY.get(trainer.device.type, 1)
    if processes.count > 1 and trainer.images_seen // trainer.settings.batch % every:
        return False
    return processes.any(stop.signal is not None)


def _catch_up(
    trainer: Trainer,
    data: TrainingData,
    folder: RunFolder,
    observer: Observer,
    judges: Judges,
) -> None:
    """Write what belongs to the position that a run begins or goes on from, and is not there.

    Nothing was drawn yet at the start, nor where a signal stopped the run in a hurry.
    """
    seen = trainer.images_seen
    if seen == 0 or seen >= trainer.settings.images:
        _save(trainer, data, folder, observer, judges, samples=True)
    elif (
        trainer.processes.is_first
        and _due("sample_every", trainer)
        and seen not in {int(path.stem) for path in folder.list_samples()}
    ):
        _draw_samples(trainer, _settled_average(trainer, data), folder, observer)


def batches(trainer: Trainer, data: TrainingData) -> Iterator[Batch]:
    """Yield the batches of the rest of the run, each made while the one before is learnt."""
    settings, processes = trainer.settings, trainer.processes
    starts = range(trainer.images_seen, settings.images, settings.batch)
    pinned = trainer.device.type == "cuda"

    def make(start: int) -> Batch:
        positions = positions_of_step(start, settings.batch, processes.rank, processes.count)
        batch = data.batch(positions)
        if start // settings.batch % LOOK_EVERY == 0:
            batch = data.with_held_out(batch, positions)
        return batch.pinned() if pinned else batch

    return made_ahead(make, starts)


class _Clock:
    """How long steps take, and images a second since it was last read."""

    def __init__(self, images_seen: int) -> None:
        self.start = self.last = time.perf_counter()
        self.images_seen = images_seen
        self.step = 0.0  # seconds that the last step took

    @contextmanager
    def timed_step(self) -> Iterator[None]:
        """Time what happens inside."""
        start = time.perf_counter()
        yield
        self.step = time.perf_counter() - start

    def read(self, images_seen: int) -> dict[str, float]:
        """Return images a second since the last reading, and seconds since the start."""
        now = time.perf_counter()
        speed = (images_seen - self.images_seen) / max(now - self.last, 1e-9)
        self.last, self.images_seen = now, images_seen
        return {"images_per_second": speed, "seconds": now - self.start}


def _due(name: str, trainer: Trainer) -> bool:
    """Tell whether the last step went over a multiple of an interval."""
    interval = trainer.settings.interval(name)
    seen = trainer.images_seen
    return seen // interval > (seen - trainer.settings.batch) // interval


def _save(
    trainer: Trainer,
    data: TrainingData,
    folder: RunFolder,
    observer: Observer,
    judges: Judges,
    *,
    samples: bool,
) -> None:
    """Write weights to draw with, samples where they are due, and a checkpoint.

    The checkpoint comes last: a run that is killed before goes on from the one before and writes
    all of it again, and one that is killed after has all of it.
    """
    if not trainer.processes.is_first:
        return
    average = _settled_average(trainer, data)
    write_weights(folder.generator, average.state_dict(), average.metadata())
    _measure(trainer, judges, average, folder, observer)
    write_weights(folder.critic, trainer.critic.state_dict(), trainer.critic.metadata())
    if samples:
        _draw_samples(trainer, average, folder, observer)
    _save_checkpoint(trainer, folder)


def _measure(
    trainer: Trainer,
    judges: Judges,
    average: ConditionalGenerator,
    folder: RunFolder,
    observer: Observer,
) -> None:
    """Measure the average on held-out pictures, and keep it where it is the best so far."""
    seen, judge = trainer.images_seen, judges.judge()
    measured = {entry["images_seen"] for entry in folder.read_quality()}
    if judge is None or seen == 0 or seen in measured:
        return
    entry = {"images_seen": seen, **judge.measure(average)}
    if entry["kid"] < folder.best_kid():
        facts = {"images_seen": str(seen), "kid": repr(entry["kid"])}
        write_weights(folder.best, average.state_dict(), average.metadata() | facts)
    folder.append_quality(entry)
    observer.quality(entry)


def _rescue(trainer: Trainer, folder: RunFolder) -> Callable[[], object]:
    """Return what saves the state of now, even after weights have begun to move."""
    state = checkpoints.state_of(trainer)
    tensors = {name: values.detach().clone() for name, values in state.tensors.items()}
    copied = replace(state, tensors=tensors)

    def save() -> None:
        if trainer.processes.is_first:
            checkpoints.write_checkpoint(folder.checkpoints, copied, trainer.settings.keep)

    return save


def _save_checkpoint(trainer: Trainer, folder: RunFolder) -> None:
    if trainer.processes.is_first:
        state = checkpoints.state_of(trainer)
        checkpoints.write_checkpoint(folder.checkpoints, state, trainer.settings.keep)


def _settled_average(trainer: Trainer, data: TrainingData) -> ConditionalGenerator:
    """Return a copy of the average of the generator, ready to draw.

    A copy, because the state of a run must not depend on when something was drawn.
    """
    average = copy.deepcopy(trainer.ema.generator)
    average.update_statistics(
        statistic_batches(data, average, trainer.settings.seed, trainer.device)
    )
    return average


def _draw_samples(
    trainer: Trainer, average: ConditionalGenerator, folder: RunFolder, observer: Observer
) -> None:
    grid = sample_grid(average, trainer.settings.sample_psi)
    folder.write_samples(trainer.images_seen, grid)
    observer.samples(trainer.images_seen, grid)


def _check_metrics(entry: dict[str, float], images_seen: int, folder: RunFolder) -> None:
    """Make sure that a run has not diverged.

    Raises:
        DivergenceError: it has; the last good checkpoint is named.
    """
    for name, value in entry.items():
        if not math.isfinite(value):
            raise _diverged(f"{name} is not a finite number", images_seen, folder)
        if name.startswith("score_") and abs(value) > LARGEST_SCORE:
            raise _diverged(f"{name} has grown to {value:.3g}", images_seen, folder)


@torch.no_grad()
def _check_parameters(trainer: Trainer, folder: RunFolder) -> None:
    """Keep weights that are not finite from ever reaching a checkpoint."""
    for part, network in (("generator", trainer.generator), ("critic", trainer.critic)):
        for name, values in network.named_parameters():
            if not _all_finite(values):
                raise _diverged(f"the {part}'s {name} is not finite", trainer.images_seen, folder)


def _all_finite(values: Tensor) -> bool:
    return bool(values.isfinite().all())


def _diverged(what: str, images_seen: int, folder: RunFolder) -> DivergenceError:
    there = checkpoints.list_checkpoints(folder.checkpoints)
    last = f"the last good checkpoint is {there[-1]}" if there else "there is no checkpoint yet"
    return DivergenceError(
        f"training diverged at {images_seen} images: {what}; {last}. Start anew from its weights "
        "with --init and a lower --learning-rate"
    )
