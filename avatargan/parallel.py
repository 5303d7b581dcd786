"""Work in threads, in order and with flat memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    most_pending: int,
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in order.

    Unlike ``pool.map`` it takes items only as fast as results are fetched.

    Args:
        pool: where the function runs; the items are made in the calling thread.
        function: what is done.
        items: what it is done to.
        most_pending: how many items may be in work or wait to be fetched.
    """
    pending: deque[Future[Result]] = deque()
    for item in items:
        pending.append(pool.submit(function, item))
        while pending and (pending[0].done() or len(pending) > most_pending):
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
