"""Whether anybody still waits for an answer: a client that leaves frees its place.

The guard notices that a client has hung up, in the event loop; what draws for it runs in a thread.
The two meet in a :class:`Waiter`, which is found from the thread through a context variable:
threads that answer requests inherit the context of their request.
"""

from collections.abc import Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from avatargan.errors import BusyError


class AbandonedError(BusyError):
    """Nobody waits any more; unwinds the work that was done for them."""

    def __init__(self) -> None:
        super().__init__("the client has left")


class Waiter:
    """One client that waits for one answer.

    Attributes:
        left: done as soon as the client has left, to be waited for beside other futures.
    """

    def __init__(self) -> None:
        self.left: Future[None] = Future()

    def leave(self) -> None:
        """Note that the client has left; it may be said more than once."""
        with suppress(InvalidStateError):
            self.left.set_result(None)


_current: ContextVar[Waiter | None] = ContextVar("waiter", default=None)


def current_waiter() -> Waiter | None:
    """Return who waits for what this thread does, or None where it is nobody in particular."""
    return _current.get()


@contextmanager
def waiting(waiter: Waiter) -> Iterator[Waiter]:
    """Work for a client for as long as the block runs."""
    token = _current.set(waiter)
    try:
        yield waiter
    finally:
        _current.reset(token)
