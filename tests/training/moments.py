"""Ending a process at a chosen moment of a run, as ``kill -9`` would: nothing is tidied up."""

import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from avatargan.training import checkpoints, loop
from avatargan.training.run_folder import RunFolder
from avatargan.training.trainer import Trainer
from tests.training.tiny import train_tiny

#: Before and after each of these is a moment: what reaches the disk, and the steps between.
WATCHED = (
    (os, "fsync"),
    (tempfile, "mkstemp"),
    (Path, "replace"),
    (Path, "unlink"),
    (Path, "mkdir"),
    (Trainer, "step"),
    (RunFolder, "rewind"),
    (RunFolder, "write_config"),
    (RunFolder, "write_samples"),
    (RunFolder, "append_metrics"),
    (RunFolder, "append_quality"),
    (checkpoints, "write_checkpoint"),
    (loop, "write_weights"),
)


class Moments:
    """Counts the moments of a run, and ends the process at one of them.

    Args:
        last: the moment to end at, from 1; 0 for never.
    """

    def __init__(self, last: int) -> None:
        self.last = last
        self.count = 0

    def next(self, what: Callable[[], object] = lambda: None) -> None:
        """Count a moment; at the last one do ``what``, and end."""
        self.count += 1
        if self.count == self.last:
            what()
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Have every call of what is watched be two moments, in this process, for good."""
        for owner, name in WATCHED:
            setattr(owner, name, self._watched(getattr(owner, name)))
        append = RunFolder.append_metrics

        def append_half(folder: RunFolder, entry: Any) -> None:
            half = json.dumps(entry)[:20].encode()
            self.next(lambda: folder.metrics_path.open("ab").write(half))
            append(folder, entry)

        RunFolder.append_metrics = append_half  # type: ignore[method-assign]

    def _watched(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.next()
            result = original(*arguments, **options)
            self.next()
            return result

        return call


def train_until(last: int, counted: Path, *arguments: Any, **changes: Any) -> None:
    """Train and end at a moment; write how many there were where it comes to its end."""
    moments = Moments(last)
    moments.watch()
    train_tiny(*arguments, **changes)
    counted.write_text(str(moments.count))
