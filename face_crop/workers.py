"""Work in processes that may crash or hang: only the item at hand is lost.

The executors of the standard library give up as a whole when one of their processes dies, and
cannot end one that hangs.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CRASHED = "crashed"
TOOK_TOO_LONG = "took too long"

#: Tries of an item during which a process died: once may be the fault of a machine out of memory.
_TRIES = 2
#: Results that may wait for an earlier one, for each process.
_WINDOW = 8


@dataclass(frozen=True)
class Lost:
    """Stands for the result of an item that ended its process.

    Attributes:
        reason: :data:`CRASHED` or :data:`TOOK_TOO_LONG`.
        detail: how.
    """

    reason: str
    detail: str


class WorkerPool(Generic[Item, Result]):
    """Processes that each build a task once and then run it on items.

    Use as a context manager.

    Args:
        make_task: called in each process; must be picklable, and return a function of an item.
        processes: how many.
        time_limit: seconds after which an item is given up.
    """

    def __init__(
        self,
        make_task: Callable[[], Callable[[Item], Result]],
        processes: int,
        time_limit: float,
    ) -> None:
        self._make_task = make_task
        self._processes = processes
        self._time_limit = time_limit
        self._workers: list[_Worker] = []

    def __enter__(self) -> "WorkerPool[Item, Result]":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def map(self, items: Iterable[Item]) -> Iterator[Result | Lost]:
        """Yield the result of each item, in order; items are taken as results are fetched.

        Raises:
            Exception: what the task raised.
        """
        numbered = enumerate(items)
        results: dict[int, Result | Lost] = {}
        next_result, taken, exhausted = 0, 0, False
        while True:
            while next_result in results:
                yield results.pop(next_result)
                next_result += 1
            while not exhausted and taken - next_result < _WINDOW * self._processes:
                worker = self._idle_worker()
                if worker is None:
                    break
                number, item = next(numbered, (-1, None))
                if number < 0:
                    exhausted = True
                else:
                    taken += 1
                    worker.give(number, item)
            if exhausted and next_result == taken:
                return
            self._gather(results)

    def _idle_worker(self) -> "_Worker | None":
        for worker in self._workers:
            if worker.item is None:
                return worker
        if len(self._workers) < self._processes:
            self._workers.append(_Worker(self._make_task, self._time_limit))
            return self._workers[-1]
        return None

    def _gather(self, results: dict[int, Result | Lost]) -> None:
        """Wait until something happens, and take what is there."""
        busy = [worker for worker in self._workers if worker.item is not None]
        patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
        ready = wait([worker.connection for worker in busy], timeout=min(patience, 60.0))
        for worker in busy:
            if worker.connection in ready:
                answer = worker.take()
            elif time.monotonic() >= worker.deadline:
                answer = Lost(TOOK_TOO_LONG, f"more than {self._time_limit:g} s")
            else:
                continue
            if answer is None:  # it became ready for work
                continue
            number, item = worker.number, worker.item
            worker.item = None
            if isinstance(answer, Lost):
                tries = worker.tries
                worker.end()
                self._workers.remove(worker)
                if answer.reason == CRASHED and tries < _TRIES:
                    again = _Worker(self._make_task, self._time_limit)
                    again.give(number, item, tries + 1)
                    self._workers.append(again)
                    continue
            results[number] = answer


class _Worker:
    """One process, seen from outside."""

    def __init__(self, make_task: Callable[[], Any], time_limit: float) -> None:
        # Not forked: libraries that run threads do not survive that.
        context = multiprocessing.get_context("spawn")
        self.connection, other_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(other_end, make_task), daemon=True)
        self._process.start()
        other_end.close()  # so that the death of the process ends the connection
        self._time_limit = time_limit
        self._ready = False
        self.deadline = float("inf")
        self.number = -1
        self.item: Any = None
        self.tries = 0

    def give(self, number: int, item: Any, tries: int = 1) -> None:
        """Hand out an item; the clock starts once the process has been built up."""
        self.number, self.item, self.tries = number, item, tries
        self.deadline = time.monotonic() + self._time_limit if self._ready else float("inf")
        try:
            self.connection.send(item)
        except OSError:  # it has died; what awaits the answer finds out
            self.deadline = time.monotonic() + self._time_limit

    def take(self) -> Any:
        """Return the result, :class:`Lost`, or None when the process has just become ready.

        Raises:
            Exception: what the task, or the building of it, raised.
        """
        try:
            kind, value = self.connection.recv()
        except (EOFError, OSError):
            return Lost(CRASHED, f"the process ended: {self._how_it_ended()}")
        if kind == "ready":
            self._ready = True
            self.deadline = time.monotonic() + self._time_limit
            return None
        if kind == "error":
            raise value
        return value

    def end(self) -> None:
        """End the process, whatever it does."""
        self.connection.close()
        self._process.kill()
        self._process.join()
        self._process.close()

    def _how_it_ended(self) -> str:
        self._process.join(timeout=5)
        code = self._process.exitcode
        if code is None:
            return "it closed its connection"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _serve(connection: Connection, make_task: Callable[[], Callable[[Any], Any]]) -> None:
    """Answer items until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side ends the work in good order
    # One core each: the processes are what runs in parallel.
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        try:
            task = make_task()
            connection.send(("ready", None))
            while True:
                connection.send(("result", task(connection.recv())))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:
            connection.send(("error", error))
    finally:
        connection.close()
