"""What robots.txt allows. One that cannot be read forbids everything: the opposite of Scrapy."""

from dataclasses import dataclass

from protego import Protego

from crawler.site import PRODUCT

MAX_BYTES = 1_000_000
"""A longer robots.txt is taken as unreadable. RFC 9309 asks for at least 500 KiB."""

MAX_AGE = 24 * 3600.0
"""Seconds after which rules are read again (RFC 9309)."""


@dataclass(frozen=True)
class RobotsRules:
    """The rules of one origin for this crawler."""

    parsed: Protego | None
    allow_all: bool = False

    def allows(self, url: str) -> bool:
        """Whether the rules allow to fetch ``url``."""
        if self.parsed is None:
            return self.allow_all
        return bool(self.parsed.can_fetch(url, PRODUCT))

    @property
    def delay(self) -> float:
        """Seconds that the site asks to leave between requests (Crawl-delay, Request-rate)."""
        if self.parsed is None:
            return 0.0
        rate = self.parsed.request_rate(PRODUCT)
        by_rate = rate.seconds / rate.requests if rate is not None and rate.requests else 0.0
        return max(float(self.parsed.crawl_delay(PRODUCT) or 0.0), by_rate)


class RobotsUnavailableError(Exception):
    """robots.txt could not be read, so nothing may be fetched for now."""


def read_robots(status: int, body: bytes) -> RobotsRules:
    """Return the rules that the answer to a request for robots.txt stands for.

    As in RFC 9309 a missing file (404 and its kin) allows everything and a failing server forbids
    everything. A refusal (401, 403), which the RFC lets pass as missing, forbids everything too.

    Raises:
        RobotsUnavailableError: the server failed (5xx), is overloaded (429) or redirects too far.
    """
    if status == 200:
        return RobotsRules(Protego.parse(body.decode("utf-8-sig", errors="replace")))
    if status in {401, 403}:
        return RobotsRules(None, allow_all=False)
    if 400 <= status < 500 and status != 429:
        return RobotsRules(None, allow_all=True)
    if 200 < status < 300:
        return RobotsRules(None, allow_all=True)
    raise RobotsUnavailableError(f"it answered {status}")
