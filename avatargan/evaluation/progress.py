"""How long work tells how far it has come; the command line draws the bars."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Passes items on, and shows how far the work has come."""

    def __call__(self, items: Iterable[Item], total: int, *, unit: str) -> Iterator[Item]:
        """Return the items; see :func:`avatargan.cli.output.progress`."""
        ...


def no_progress(items: Iterable[Item], total: int, *, unit: str) -> Iterator[Item]:
    """Return the items, and show nothing."""
    return iter(items)
