"""One request from top to bottom: boundary, rules, turn, answer, repetition, redirect."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from urllib.parse import urljoin

from crawler import robots
from crawler.addresses import RefusedAddressError, check_url
from crawler.ledger import Target
from crawler.network import Fetched, FetchError, TooLargeError, unpack
from crawler.outcomes import PostponedError, RefusedError, StoppedError
from crawler.pace import retry_after_seconds
from crawler.robots import RobotsRules, RobotsUnavailableError
from crawler.session import OVERLOADS, Session
from crawler.urls import absolute_url, host_matches, host_of, name_of, origin_of
from crawler.wishes import AI_TXT_PATH, TDMREP_PATH, Wishes

_MAX_REDIRECTS = 3
_MAX_ROBOTS_REDIRECTS = 5  # as RFC 9309 asks
_REDIRECTS = {301, 302, 303, 307, 308}
_WORTH_ANOTHER_TRY = {408, 425, 500, 502, 504, *OVERLOADS}
_FOR_PAGES = {
    "Accept": "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate",
}
_FOR_PICTURES = {"Accept": "image/*", "Accept-Encoding": "identity"}
_FOR_RULES = {"Accept": "text/plain,*/*;q=0.1", "Accept-Encoding": "gzip, deflate"}


class Fetcher:
    """Sends every request of a run; nothing else of the crawler speaks to the network."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rules: dict[str, tuple[float, RobotsRules | PostponedError]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def fetch(self, target: Target) -> Fetched:
        """Return the answer to a target, after redirects; a picture's body is in the inbox then.

        Raises:
            RefusedError: boundary, rules, address, size or an opt-out of the answer forbids it.
            PostponedError: the origin cannot be asked now.
            FetchError: no complete answer came.
            StoppedError: the run is ending.
        """
        url = target.url
        headers = dict(_FOR_PICTURES if target.kind == "image" else _FOR_PAGES)
        if target.etag:
            headers["If-None-Match"] = target.etag
        if target.last_modified:
            headers["If-Modified-Since"] = target.last_modified
        for _ in range(_MAX_REDIRECTS + 1):
            self._check_boundary(url, target)
            rules = await self.rules_of(origin_of(url))
            reason = rules.why_refused(url)
            if reason is not None:
                raise RefusedError(reason, wish=True)
            answer = await self._request(url, headers, target)
            further = self._redirect(answer)
            if further is None:
                return answer
            url = further
        raise RefusedError(f"more than {_MAX_REDIRECTS} redirects", answer.status)

    async def rules_of(self, origin: str) -> RobotsRules:
        """Return what the owner of an origin allows, asking at most once a day.

        Raises:
            PostponedError: the origin's robots.txt cannot be read.
        """
        async with self._locks[origin]:
            read_at, rules = self._rules.get(origin, (0.0, None))
            if rules is None or time.monotonic() - read_at > robots.MAX_AGE:
                try:
                    rules = await self._read_rules(origin)
                except PostponedError as error:
                    rules = error
                self._rules[origin] = (time.monotonic(), rules)
        if isinstance(rules, PostponedError):
            raise PostponedError(str(rules), rules.origin, resting=rules.resting)
        return rules

    def known_verdict(self, url: str) -> str | None:
        """Return why the rules forbid ``url``, an empty text if they do not; None: not known."""
        _, rules = self._rules.get(origin_of(url), (0.0, None))
        return (rules.why_refused(url) or "") if isinstance(rules, RobotsRules) else None

    def _check_boundary(self, url: str, target: Target) -> None:
        """Keep every request, redirected ones included, within the site and off forgotten URLs."""
        self._check_address(url)
        if self._session.ledger.is_forgotten(url=url):
            raise RefusedError("it was forgotten on request")
        host, site = host_of(url), self._session.site
        allowed = site.picture_hosts if target.kind == "image" else site.page_hosts
        if not host_matches(host, allowed):
            key = "image_hosts" if target.kind == "image" else "hosts"
            raise RefusedError(f"{host} is not among the {key} of the description")

    def _check_address(self, url: str) -> None:
        try:
            check_url(url, self._session.network.policy)
        except RefusedAddressError as error:
            raise RefusedError(str(error)) from error

    async def _read_rules(self, origin: str) -> RobotsRules:
        name = name_of(origin)
        try:
            answer = await self._fetch_rules(f"{origin}/robots.txt")
            body = unpack(answer, robots.MAX_BYTES) if answer.status == 200 else b""
            rules = robots.read_robots(answer.status, body)
        except RefusedError as error:
            if isinstance(error.__cause__, RefusedAddressError):
                raise
            reason = f"robots.txt of {name} cannot be read: {error}"
            raise PostponedError(reason, origin) from None
        except PostponedError as error:
            if error.origin == origin:
                raise
            reason = f"robots.txt of {name} cannot be read: {error}"
            raise PostponedError(reason, origin, resting=error.resting) from None
        except (RobotsUnavailableError, FetchError, TooLargeError) as error:
            reason = f"robots.txt of {name} cannot be read: {error}"
            raise PostponedError(reason, origin) from None
        self._session.pace.slow_down(host_of(origin), rules.delay)
        if not rules.allows(f"{origin}/"):
            # Whoever closes the whole site has said all there is to say.
            return rules
        return robots.with_reservations(
            rules,
            await self._reservation(rules, origin + TDMREP_PATH),
            await self._reservation(rules, origin + AI_TXT_PATH),
        )

    async def _reservation(self, rules: RobotsRules, url: str) -> bytes | None:
        """Return one of the files that few owners have; None when it cannot be read."""
        if not rules.allows(url):
            return None
        try:
            answer = await self._fetch_rules(url, retries=0)
            return unpack(answer, robots.MAX_BYTES) if answer.status == 200 else None
        except (RefusedError, FetchError, TooLargeError):
            return None

    async def _fetch_rules(self, url: str, retries: int | None = None) -> Fetched:
        for _ in range(_MAX_ROBOTS_REDIRECTS + 1):
            self._check_address(url)
            answer = await self._request(url, _FOR_RULES, None, retries)
            further = self._redirect(answer)
            if further is None:
                return answer
            site, host = self._session.site, host_of(further)
            if not host_matches(host, [*site.picture_hosts, host_of(url)]):
                raise RefusedError(
                    f"it redirects to {host}, which is among neither hosts nor image_hosts of the "
                    "description"
                )
            url = further
        raise RefusedError(f"more than {_MAX_ROBOTS_REDIRECTS} redirects")

    def _redirect(self, answer: Fetched) -> str | None:
        """Return where an answer leads to, None when it is not a redirect that can be followed."""
        to = answer.headers.get("Location")
        if answer.status not in _REDIRECTS or not to:
            return None
        try:
            base = urljoin(answer.url, to.strip())
        except ValueError:
            return None
        return absolute_url(answer.url, base, self._session.site.ignore_parameters)

    async def _request(
        self,
        url: str,
        headers: Mapping[str, str],
        target: Target | None,
        retries: int | None = None,
    ) -> Fetched:
        """Fetch one URL, again when it failed for the moment, after pauses that double."""
        session, origin = self._session, origin_of(url)
        if retries is None:
            # What was put aside in an earlier run is asked once: it may well stay as it is.
            retries = 0 if origin in session.failing_origins else session.site.rate.retries
        tries = 0
        while True:
            factor, asked = 2.0, None
            try:
                answer = await self._request_once(url, headers, target)
            except FetchError:
                if tries >= retries:
                    # What else waits for this origin has to wait as well.
                    session.pace.rest(origin, factor * session.pace.pause_of(host_of(url)))
                    raise
            else:
                if answer.status not in _WORTH_ANOTHER_TRY:
                    return answer
                factor = 5.0 if answer.status in OVERLOADS else 2.0
                asked = retry_after_seconds(answer.headers.get("Retry-After"))
            seconds = factor * session.pace.pause_of(host_of(url)) * 2**tries
            session.pace.rest(origin, seconds if asked is None else asked)
            if tries >= retries:
                return answer
            tries += 1

    async def _request_once(
        self, url: str, headers: Mapping[str, str], target: Target | None
    ) -> Fetched:
        session = self._session
        async with session.pace.turn(url):
            limit = self._size_limit(target)
            left = limit if session.bytes_left is None else session.bytes_left
            try:
                if left == 0:
                    raise TooLargeError
                fetched = await session.network.fetch(url, headers, max_bytes=min(limit, left))
            except RefusedAddressError as error:
                raise RefusedError(str(error)) from error
            except TooLargeError as error:
                if left < limit:
                    session.stop("max-bytes")
                    raise StoppedError("the run has received all bytes that it may") from None
                raise RefusedError(f"too large: {error}", 200) from None
            if target is not None and target.kind == "image":
                self._receive(target, fetched)
        return fetched

    def _size_limit(self, target: Target | None) -> int:
        if target is None:
            return robots.MAX_BYTES
        limits = self._session.site.limits
        return limits.max_image_bytes if target.kind == "image" else limits.max_page_bytes

    def _receive(self, target: Target, fetched: Fetched) -> None:
        if fetched.status not in (200, 304):
            return
        wish = Wishes(fetched.headers).against_collecting
        if wish is not None:
            raise RefusedError(f"it asks not to be collected ({wish})", fetched.status, wish=True)
        if fetched.status == 304:
            return
        if fetched.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise RefusedError("it is compressed although that was not asked for", 200)
        # At once and before anything is done with it: whatever happens now, it is here.
        self._session.ledger.receive(
            target.id,
            final_url=fetched.url,
            etag=fetched.validator("ETag"),
            last_modified=fetched.validator("Last-Modified"),
            body=fetched.body,
        )
