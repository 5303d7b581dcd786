"""Showing how a run goes: a progress bar where tqdm is installed, and TensorBoard's events."""

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from avatargan.errors import MissingExtraError
from avatargan.training.distributed import Processes
from avatargan.training.settings import TrainingSettings

if TYPE_CHECKING:
    from avatargan.training.run import Run

#: Seconds between lines where there is no progress bar.
LINE_EVERY = 10.0
#: What the bar shows beside the speed.
SHOWN = ("critic_loss", "generator_loss", "penalty")


class ProgressObserver:
    """Writes progress to stderr, and events for TensorBoard.

    Args:
        settings: of the run.
        processes: only the first one shows anything.
        quiet: show nothing.

    Raises:
        MissingExtraError: TensorBoard was asked for and is not installed.
    """

    def __init__(
        self, settings: TrainingSettings, processes: Processes, quiet: bool = False
    ) -> None:
        self.settings = settings
        self.is_first = processes.is_first
        self.shows = processes.is_first and not quiet
        self._bar: Any = None
        self._decoding: Any = None
        self._events: Any = None
        self._line_at = time.monotonic()
        self._writer_class = _event_writer(settings.tensorboard) if self.is_first else None

    def say(self, *lines: str) -> None:
        """Show lines above the progress bar."""
        for line in lines if self.shows else ():
            if self._bar is not None:
                self._bar.write(line, file=sys.stderr)
            else:
                _write(line)

    def decoded(self, count: int) -> None:
        """Count pictures that were just decoded."""
        if self._decoding is None:
            self._decoding = _bar(self.shows, desc="decoding", unit="picture")
        if self._decoding is not None:
            self._decoding.update(count)

    def start(self, run: "Run") -> None:
        """Begin with the run, where it stands."""
        if self._decoding is not None:
            self._decoding.close()
        seen = run.trainer.images_seen
        self.say(
            f"{len(run.data):,} pictures; {seen:,} of {self.settings.images:,} images seen; "
            f"effective batch {self.settings.batch} over {run.trainer.processes.count} "
            f"process{'es' if run.trainer.processes.count > 1 else ''}; "
            f"{'bf16' if run.trainer.bf16 else 'fp32'} on {run.config['device']}"
        )
        self._bar = _bar(
            self.shows, total=self.settings.images, initial=seen, unit="image", unit_scale=True
        )
        if self._writer_class is not None:
            self._events = self._writer_class(
                str(run.folder.tensorboard), purge_step=seen, max_queue=1000
            )

    def step(self, images_seen: int) -> None:
        """See :class:`avatargan.training.loop.Observer`."""
        if self._bar is not None:
            self._bar.update(min(images_seen, self.settings.images) - self._bar.n)

    def metrics(self, entry: dict[str, Any]) -> None:
        """See :class:`avatargan.training.loop.Observer`."""
        shown = {name: f"{entry[name]:.2f}" for name in SHOWN if name in entry}
        if self._bar is not None:
            self._bar.set_postfix(shown, refresh=False)
        elif self.shows and time.monotonic() - self._line_at > LINE_EVERY:
            self._line_at = time.monotonic()
            speed = max(entry["images_per_second"], 1e-9)
            left = (self.settings.images - entry["images_seen"]) / speed
            words = " ".join(f"{name} {value}" for name, value in shown.items())
            _write(
                f"{entry['images_seen']:,} of {self.settings.images:,} images, "
                f"{speed:.0f} images/s, {left / 60:.0f} min left, {words}"
            )
        if self._events is not None:
            for name, value in entry.items():
                if name != "images_seen":
                    self._events.add_scalar(name, value, entry["images_seen"])

    def samples(self, images_seen: int, grid: Any) -> None:
        """See :class:`avatargan.training.loop.Observer`."""
        if self._events is not None:
            pixels = np.asarray(grid)
            self._events.add_image("samples", pixels, images_seen, dataformats="HWC")

    def quality(self, entry: dict[str, Any]) -> None:
        """See :class:`avatargan.training.loop.Observer`."""
        words = [f"kid {entry['kid']:.4g}"]
        words += [
            f"{name.removeprefix('as_asked_')} {value:.0%}"
            for name, value in entry.items()
            if name.startswith("as_asked_")
        ]
        self.say(
            f"{entry['images_seen']:,} images, average on held-out pictures: {', '.join(words)}"
        )
        if self._events is not None:
            for name, value in entry.items():
                if name != "images_seen":
                    self._events.add_scalar(f"held_out_{name}", value, entry["images_seen"])

    def close(self) -> None:
        """End the bars and the events."""
        for part in (self._decoding, self._bar, self._events):
            if part is not None:
                part.close()


def _bar(shows: bool, **options: Any) -> Any:
    """Return tqdm's bar on stderr, or None where nothing is shown or tqdm is not installed."""
    if not shows:
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(mininterval=0.5, dynamic_ncols=True, smoothing=0.05, **options)


def _write(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _event_writer(wanted: str) -> Any:
    if wanted == "off":
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        if wanted == "on":
            raise MissingExtraError(
                "TensorBoard is not installed; 'pip install tensorboard' adds it"
            ) from None
        return None
    return SummaryWriter
