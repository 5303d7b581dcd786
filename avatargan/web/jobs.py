"""Long work that a visitor waits for: done in a thread, watched, and given up when nobody waits."""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

from avatargan.errors import BusyError
from avatargan.web.service import AvatarService

T = TypeVar("T")

#: Seconds between two reports.
REPORT_INTERVAL = 0.2


class Job:
    """What the thread that works and the one that reports know of each other.

    Args:
        deadline: when the work is given up, by :func:`time.monotonic`.

    Attributes:
        done: how much is done, in whatever the work counts.
    """

    def __init__(self, deadline: float) -> None:
        self.done = 0
        self._deadline = deadline
        self._abandoned = threading.Event()

    def abandon(self) -> None:
        """Let the work stop at its next check."""
        self._abandoned.set()

    def check(self) -> None:
        """Go on only where there is somebody to go on for, and time.

        Raises:
            BusyError: the time is over.
        """
        if self._abandoned.is_set():
            raise _AbandonedError
        if time.monotonic() > self._deadline:
            raise BusyError("this took too long; ask for less, or try again later")

    def checked(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, with a check at each."""
        for item in items:
            self.check()
            yield item

    def counted(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, checked, and count them as done."""
        for item in self.checked(items):
            yield item
            self.done += 1


def run_job(
    service: AvatarService, work: Callable[[Job], T], total: int
) -> Generator[dict[str, Any], None, T]:
    """Work in a thread; tell the page how far it is a few times a second; return the result.

    A generator that is closed, because the visitor has left, stops the work.

    Args:
        service: counts the job among all others.
        work: what is done.
        total: what :attr:`Job.done` will be in the end.

    Raises:
        BusyError: too many jobs are being done, or this one takes too long.
        Exception: whatever the work raises.
    """
    with service.job() as deadline, ThreadPoolExecutor(1, thread_name_prefix="job") as pool:
        job = Job(deadline)
        future = pool.submit(work, job)
        try:
            while not future.done():
                yield {"status": "busy", "done": job.done, "total": total}
                wait([future], timeout=REPORT_INTERVAL)
        finally:
            job.abandon()
        return future.result()


class _AbandonedError(Exception):
    """The visitor has left."""
