"""Encoding frames side by side while the next ones are drawn."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from avatargan.devices import usable_cores
from avatargan.parallel import ordered_map

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield ``function(item)`` in order, computed in as many threads as there are cores.

    Like :func:`map`, but at most two results per thread wait at any time.
    """
    threads = usable_cores()
    with ThreadPoolExecutor(threads, thread_name_prefix="encode") as pool:
        yield from ordered_map(pool, function, items, most_pending=2 * threads)
