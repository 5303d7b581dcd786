"""The pace of requests: one at a time per host, and a pause after each.

Every request of the crawler passes through :meth:`HostPace.turn`, those for robots.txt, retries
and redirects included, so nothing can be faster than the pace.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime

from crawler.ledger import Ledger
from crawler.outcomes import PostponedError, StoppedError
from crawler.urls import host_of, name_of, origin_of


class HostPace:
    """Gives each host its turns; a rest is kept by the origin that asked for it.

    The pause is counted from the *end* of a request to the start of the next: then the server,
    which cannot have seen the first later than its end, never measures less than the pause.
    Starts, ends and requests to wait are in the ledger, so the pace holds across runs and kills.

    Args:
        ledger: keeps the times.
        pause: seconds between requests to one host.
        max_wait: an origin that wants more seconds than this is left to a later run.
    """

    def __init__(self, ledger: Ledger, *, pause: float, max_wait: float) -> None:
        self._ledger = ledger
        self._pause = pause
        self._max_wait = max_wait
        self._pauses: dict[str, float] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._ready: dict[str, float] = {}
        self._stopping = asyncio.Event()
        self.waiting: dict[str, float] = {}
        """Hosts being waited for, each with the seconds asked for: shown as progress."""

    def stop(self) -> None:
        """End all waiting; whoever waits, or comes for a turn now, gets a ``StoppedError``."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether the run is ending."""
        return self._stopping.is_set()

    def slow_down(self, host: str, seconds: float) -> None:
        """Pause at least so many seconds between requests to ``host`` (its crawl-delay)."""
        self._pauses[host] = max(seconds, self._pauses.get(host, 0.0))

    def rest(self, origin: str, seconds: float) -> None:
        """Leave ``origin`` alone for so many seconds from now (its Retry-After)."""
        self._ledger.rest(origin, time.time() + seconds)

    def pause_of(self, host: str) -> float:
        """Return the seconds between requests to ``host``."""
        return max(self._pause, self._pauses.get(host, 0.0))

    @asynccontextmanager
    async def turn(self, url: str) -> AsyncIterator[None]:
        """Wait for the turn of a request to ``url``; the request belongs into the context.

        Raises:
            StoppedError: the run is ending.
            PostponedError: the origin wants a longer wait than the run may take.
        """
        host = host_of(url)
        async with self._locks[host]:
            await self._wait(host, origin_of(url))
            self._ledger.request_started(host, time.time())
            try:
                yield
            finally:
                self._ready[host] = time.monotonic()
                self._ledger.request_ended(host, time.time())

    async def _wait(self, host: str, origin: str) -> None:
        while True:
            if self.stopping:
                raise StoppedError("the run is ending")
            rest = self._ledger.rests_until(origin) - time.time()
            seconds = max(self._seconds_after_last(host), rest)
            if seconds <= 0:
                return
            if rest > max(self._max_wait, self._pause):
                raise PostponedError(
                    f"{name_of(origin)} asks to be left alone for {rest / 60:.0f} more minutes",
                    origin,
                    resting=True,
                )
            if seconds > max(self._max_wait, self._pause):
                raise PostponedError(
                    f"{host} asks for {seconds / 60:.0f} minutes between requests",
                    origin,
                    resting=True,
                )
            self.waiting[host] = seconds
            try:
                await asyncio.wait_for(self._stopping.wait(), timeout=seconds)
            except TimeoutError:
                continue
            finally:
                del self.waiting[host]

    def _seconds_after_last(self, host: str) -> float:
        pause = self.pause_of(host)
        if host not in self._ready:
            started, ended = self._ledger.last_request(host)
            # First request of this run. One that was under way when the last run was killed may
            # have reached the server at any time until now.
            since = 0.0 if ended is None else max(time.time() - ended, 0.0)
            self._ready[host] = time.monotonic() - (since if started else pause)
        return self._ready[host] + pause - time.monotonic()


def retry_after_seconds(value: str | None) -> float | None:
    """Return the seconds that a Retry-After header (seconds or a date, RFC 9110) asks for."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max((moment - datetime.now(moment.tzinfo)).total_seconds(), 0.0)
