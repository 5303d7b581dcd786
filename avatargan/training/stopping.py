"""Stopping on Ctrl-C and SIGTERM without losing work, soon even in the middle of a long step."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

#: What asks a run to stop.
SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds that a step is given to end; half a minute later schedulers kill without asking.
PATIENCE = 5.0


class StopRequest:
    """While entered, remembers that somebody asked to stop instead of stopping at once.

    Python handles signals between two of its own operations, and one backward pass of a large
    network on a CPU is a single operation of many seconds. So a thread listens too: where the step
    does not end in time, it calls :attr:`rescue` and leaves.

    A second signal of the same kind does what it does elsewhere.

    Attributes:
        signal: the number of the signal that came, or None.
        rescue: saves what there was before a step that takes long; None where steps are quick
            enough to be waited for.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.signal: int | None = None
        self.rescue: Callable[[], object] | None = None
        self.patience = patience
        self._before: dict[int, object] = {}
        self._left = threading.Event()

    def __enter__(self) -> "StopRequest":
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._fd_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._remember)
        self._thread = threading.Thread(target=self._listen, name="stop requests", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        signal.set_wakeup_fd(self._fd_before)
        for number in SIGNALS:
            signal.signal(number, self._before[number])  # type: ignore[arg-type]
        os.close(self._writer)  # ends the thread's reading
        self._thread.join()
        os.close(self._reader)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        signal.signal(number, self._before[number])  # type: ignore[arg-type]

    def _listen(self) -> None:
        while received := os.read(self._reader, 1):
            number = received[0]
            if number not in SIGNALS:
                continue
            self._left.wait(self.patience)
            rescue = self.rescue
            if not self._left.is_set() and rescue is not None:
                rescue()
                os._exit(128 + number)  # the main thread is still in its operation
