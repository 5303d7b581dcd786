"""The parts that make Scrapy obey: queue, spider, middlewares, download handler and settings.

Scrapy brings the engine, the selectors, redirects and decompression. The queue is the ledger, so
nothing is lost with the process; each request passes the site's boundary and its robots.txt, and
the one download handler keeps the pace, checks addresses and caps bodies.
"""

import asyncio
import time
import zlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from typing import Any, Self

from scrapy import Request, Spider
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.core.scheduler import BaseScheduler
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Headers, Response, TextResponse
from scrapy.http.request import NO_CALLBACK
from scrapy.responsetypes import responsetypes
from twisted.python.failure import Failure

from crawler import robots
from crawler.addresses import RefusedAddressError, check_url
from crawler.extract import UnreadablePageError, forbids_pictures, opt_out, read_page
from crawler.ledger import Target
from crawler.network import Fetched, FetchError, TooLargeError
from crawler.outcomes import PostponedError, RefusedError, StoppedError
from crawler.pace import retry_after_seconds
from crawler.robots import RobotsRules, RobotsUnavailableError
from crawler.session import Session
from crawler.site import SiteDescription
from crawler.urls import host_matches, host_of, origin_of

_MAX_BARREN_PAGES = 3
_MAX_REDIRECTS = 3
_OVERLOADED = {429, 503}
# What unpacking a compressed page that is not what it claims to be raises.
_BROKEN_ANSWERS = (OSError, EOFError, ValueError, zlib.error)
_WORTH_ANOTHER_TRY = {408, 500, 502, 504, *_OVERLOADED}


def scrapy_settings(site: SiteDescription) -> dict[str, Any]:
    """Return the settings that turn Scrapy's defaults round where they are less than careful."""
    here = __name__
    return {
        "TWISTED_REACTOR_ENABLED": False,
        # Nothing listens, nothing reports, nothing reads proxies from the environment.
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "HTTPPROXY_ENABLED": False,
        "MEMUSAGE_ENABLED": False,
        "STATS_DUMP": False,
        "LOGSTATS_INTERVAL": 0,
        "COOKIES_ENABLED": False,
        "METAREFRESH_ENABLED": False,
        "ROBOTSTXT_OBEY": False,  # RobotsMiddleware does, and takes a failure as a no
        "RETRY_ENABLED": False,  # BackOffMiddleware does, and waits
        "REDIRECT_MAX_TIMES": _MAX_REDIRECTS,
        "HTTPERROR_ALLOW_ALL": True,  # the spider records errors
        "USER_AGENT": site.user_agent,
        "DOWNLOAD_MAXSIZE": site.limits.max_page_bytes,  # also of what is decompressed
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_DELAY": 0,  # LedgerDownloadHandler keeps the pace
        "CONCURRENT_ITEMS": 1,  # the spider yields none
        "CONCURRENT_REQUESTS": 32,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "SCHEDULER": f"{here}.LedgerScheduler",
        "DOWNLOAD_HANDLERS": {
            "http": f"{here}.LedgerDownloadHandler",
            "https": f"{here}.LedgerDownloadHandler",
            "data": None,
            "file": None,
            "ftp": None,
            "s3": None,
        },
        "DOWNLOADER_MIDDLEWARES": {
            f"{here}.BoundaryMiddleware": 50,
            f"{here}.RobotsMiddleware": 100,
            f"{here}.BackOffMiddleware": 550,
            "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
            "scrapy.downloadermiddlewares.httpauth.HttpAuthMiddleware": None,
            "scrapy.downloadermiddlewares.httpcache.HttpCacheMiddleware": None,
        },
    }


class SiteSpider(Spider):
    """Reads pages and stores pictures as the ledger's queue hands them out."""

    name = "site"

    def __init__(self, session: Session, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.session = session

    async def start(self) -> AsyncIterator[Request]:
        """Yield nothing: the start pages are in the ledger's queue."""
        nothing: tuple[Request, ...] = ()
        for request in nothing:
            yield request

    def request_for(self, target: Target) -> Request:
        """Return the request for a target: a conditional one where a copy is kept."""
        headers = {}
        if target.kind == "image":
            headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
        if target.etag:
            headers["If-None-Match"] = target.etag
        if target.last_modified:
            headers["If-Modified-Since"] = target.last_modified
        return Request(
            target.url,
            headers=headers,
            callback=self.answered,
            errback=self.unanswered,
            meta={"target": target},
            dont_filter=True,
        )

    async def answered(self, response: Response) -> None:
        """Record what a target answered."""
        target: Target = response.meta["target"]
        session = self.session
        try:
            session.note_answer(target, response.status)
            if response.status == 304 and target.kind == "page":
                session.ledger.page_unchanged(
                    session.run, target, recheck_images=session.site.recheck_images
                )
                session.tally["unchanged"] += 1
            elif response.status == 304:
                session.ledger.picture_unchanged(target)
                session.tally["unchanged"] += 1
            elif response.status != 200:
                session.settle(target, "failed", f"answered {response.status}", response.status)
            elif target.kind == "image":
                await session.store(target.id)
            else:
                self._read(response, target)
        except PostponedError as error:
            session.ledger.settle(target, "failed", f"answered {response.status}", response.status)
            _postpone(session, target, error)
        except Exception as error:
            session.fail(error)
        finally:
            self._release(target)
            session.on_event(session)

    async def unanswered(self, failure: Failure) -> None:
        """Record why a target was not answered."""
        request: Request = failure.request  # type: ignore[attr-defined]  # Scrapy adds it
        target: Target = request.meta["target"]
        session, error = self.session, failure.value
        assert isinstance(error, Exception)
        try:
            if isinstance(error, PostponedError):
                _postpone(session, target, error)
            elif isinstance(error, StoppedError):
                pass  # stays in the queue
            elif isinstance(error, IgnoreRequest):
                session.settle(target, "refused", str(error), getattr(error, "status", None))
            elif isinstance(error, FetchError):
                session.settle(target, "failed", str(error))
            elif isinstance(error, _BROKEN_ANSWERS):
                session.settle(target, "failed", f"the answer is broken ({error})")
            else:
                session.fail(error)
        except Exception as problem:
            session.fail(problem)
        finally:
            self._release(target)

    def _read(self, response: Response, target: Target) -> None:
        session = self.session
        try:
            if not isinstance(response, TextResponse):
                raise UnreadablePageError("not a page")
            content = read_page(response, target, session.site)
        # Parsers meet every kind of nonsense on the web, and say so with these.
        except (ValueError, LookupError, RecursionError) as error:
            session.settle(target, "refused", str(error), response.status)
            return
        session.ledger.finish_page(
            session.run,
            target,
            content.found,
            content.further,
            status=response.status,
            etag=_header(response, "ETag"),
            last_modified=_header(response, "Last-Modified"),
            matches=content.matches,
            recheck_images=session.site.recheck_images,
            max_pages=session.site.limits.max_pages,
            max_barren=_MAX_BARREN_PAGES,
        )
        session.tally["pages"] += 1
        if content.opted_out:
            session.reasons[f"a page asks not to collect its pictures ({content.opted_out})"] += 1
        session.give_up_on_barren_selectors()
        if session.preview:
            session.stop("preview")

    def _release(self, target: Target) -> None:
        scheduler = self.crawler.engine.scheduler
        assert isinstance(scheduler, LedgerScheduler)
        scheduler.release(target)


class LedgerScheduler(BaseScheduler):
    """Hands out the ledger's queue, one target per host at a time.

    Only redirects and repeated requests pass through memory: if they are lost, their target is
    still in the queue.
    """

    def __init__(self, spider: SiteSpider) -> None:
        self._spider = spider
        self._session = spider.session
        self._continued: deque[Request] = deque()
        self._busy: dict[int, str] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return a scheduler for the crawler's spider, as Scrapy asks."""
        assert isinstance(crawler.spider, SiteSpider)
        return cls(crawler.spider)

    def has_pending_requests(self) -> bool:
        """Whether anything is left to do in this run."""
        if self._session.pace.stopping:
            return False
        return bool(self._continued) or self._session.ledger.count_pending(self._session.run) > 0

    def enqueue_request(self, request: Request) -> bool:
        """Take a redirect or repeated request."""
        self._continued.append(request)
        return True

    def next_request(self) -> Request | None:
        """Return the next request on a host that is free."""
        if self._session.pace.stopping:
            return None
        if self._continued:
            return self._continued.popleft()
        target = self._session.ledger.next_target(self._session.run, set(self._busy.values()))
        if target is None:
            return None
        self._busy[target.id] = target.host
        return self._spider.request_for(target)

    def release(self, target: Target) -> None:
        """Free the host of a target that has been dealt with."""
        self._busy.pop(target.id, None)


class _SessionMiddleware:
    def __init__(self, crawler: Crawler) -> None:
        assert isinstance(crawler.spider, SiteSpider)
        self.crawler = crawler
        self.session = crawler.spider.session

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the middleware for the crawler's session, as Scrapy asks."""
        return cls(crawler)


class BoundaryMiddleware(_SessionMiddleware):
    """Keeps every request, redirected ones included, within the site and off forgotten URLs."""

    def process_request(self, request: Request) -> None:
        """Refuse what may not be asked for.

        Raises:
            RefusedError: naming the reason.
        """
        session = self.session
        try:
            check_url(request.url, session.network.policy)
        except RefusedAddressError as error:
            raise RefusedError(str(error)) from None
        target: Target | None = request.meta.get("target")
        if target is None:  # a robots.txt
            return
        if session.ledger.is_forgotten(url=request.url):
            raise RefusedError("it was forgotten on request")
        host, site = host_of(request.url), session.site
        allowed = site.picture_hosts if target.kind == "image" else site.page_hosts
        if not host_matches(host, allowed):
            key = "image_hosts" if target.kind == "image" else "hosts"
            raise RefusedError(f"{host} is not among the {key} of the description")


class RobotsMiddleware(_SessionMiddleware):
    """Obeys robots.txt; one that cannot be read means that nothing is fetched for now."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._rules: dict[str, tuple[float, RobotsRules | PostponedError]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def process_request(self, request: Request) -> None:
        """Refuse what robots.txt forbids.

        Raises:
            RefusedError: it is forbidden.
            PostponedError: the robots.txt of the host could not be read.
        """
        if request.meta.get("robots"):
            return
        origin = origin_of(request.url)
        rules = await self._rules_of(origin)
        if isinstance(rules, PostponedError):
            raise PostponedError(str(rules), rules.host)
        if not rules.allows(request.url):
            raise RefusedError("forbidden by robots.txt")

    async def _rules_of(self, origin: str) -> RobotsRules | PostponedError:
        async with self._locks[origin]:
            read_at, rules = self._rules.get(origin, (0.0, None))
            if rules is None or time.monotonic() - read_at > robots.MAX_AGE:
                rules = await self._fetch(origin)
                self._rules[origin] = (time.monotonic(), rules)
            return rules

    async def _fetch(self, origin: str) -> RobotsRules | PostponedError:
        host = host_of(origin)
        request = Request(
            f"{origin}/robots.txt",
            meta={"robots": True},
            callback=NO_CALLBACK,
            headers={"Accept": "text/plain,*/*;q=0.1"},
        )
        try:
            response = await self.crawler.engine.download_async(request)
            rules = robots.read_robots(response.status, response.body)
        except StoppedError:
            raise
        except RefusedError as error:
            if isinstance(error.__cause__, RefusedAddressError):
                raise RefusedError(str(error)) from error.__cause__
            return PostponedError(f"robots.txt of {host} cannot be read: {error}", host)
        except (RobotsUnavailableError, FetchError, IgnoreRequest) as error:
            return PostponedError(f"robots.txt of {host} cannot be read: {error}", host)
        self.session.pace.slow_down(host, rules.delay)
        return rules


class BackOffMiddleware(_SessionMiddleware):
    """Repeats what failed for the moment, after a pause that the host sets or that doubles."""

    def process_response(self, request: Request, response: Response) -> Request | Response:
        """Return the request again while the answer asks for it and tries are left."""
        if response.status not in _WORTH_ANOTHER_TRY:
            return response
        factor = 5.0 if response.status in _OVERLOADED else 2.0
        return self._again(request, factor, _header(response, "Retry-After")) or response

    def process_exception(self, request: Request, exception: Exception) -> Request | None:
        """Return the request again when it failed on the way."""
        return self._again(request, 2.0, None) if isinstance(exception, FetchError) else None

    def _again(self, request: Request, factor: float, asked: str | None) -> Request | None:
        tries = request.meta.get("tries", 0)
        host, pace = host_of(request.url), self.session.pace
        seconds = retry_after_seconds(asked)
        if seconds is None:
            seconds = factor * pace.pause_of(host) * 2**tries
        # Also after the last try: what else waits for this host has to wait as well.
        pace.rest(host, seconds)
        if tries >= self.session.site.rate.retries:
            return None
        again = request.copy()
        again.meta["tries"] = tries + 1
        return again


class LedgerDownloadHandler(BaseDownloadHandler):
    """Sends every request of the crawl: in its turn, to checked addresses, with a capped body."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        assert isinstance(crawler.spider, SiteSpider)
        self._session = crawler.spider.session

    async def download_request(self, request: Request) -> Response:
        """Fetch one URL. The body of a picture goes into the ledger and not into the response.

        Raises:
            RefusedError: address, size or an opt-out of the answer forbids it.
            StoppedError: the run has received all bytes that it may.
            FetchError: no complete answer came.
        """
        session = self._session
        target: Target | None = request.meta.get("target")
        headers = {
            name.decode("latin-1"): b", ".join(values).decode("latin-1")
            for name, values in request.headers.items()
        }
        async with session.pace.turn(host_of(request.url)):
            limit = self._size_limit(target)
            left = limit if session.bytes_left is None else session.bytes_left
            try:
                if left == 0:
                    raise TooLargeError
                fetched = await session.network.fetch(
                    request.url, headers, max_bytes=min(limit, left)
                )
            except RefusedAddressError as error:
                raise RefusedError(str(error)) from error
            except TooLargeError as error:
                if left < limit:
                    session.stop("max-bytes")
                    raise StoppedError("the run has received all bytes that it may") from None
                raise RefusedError(f"too large: {error}", 200) from None
            if target is not None and target.kind == "image" and fetched.status == 200:
                return self._receive(target, fetched)
        response_class = responsetypes.from_args(
            headers=_scrapy_headers(fetched), url=fetched.url, body=fetched.body
        )
        return response_class(
            url=fetched.url,
            status=fetched.status,
            headers=_scrapy_headers(fetched),
            body=fetched.body,
        )

    def _size_limit(self, target: Target | None) -> int:
        if target is None:
            return robots.MAX_BYTES
        limits = self._session.site.limits
        return limits.max_image_bytes if target.kind == "image" else limits.max_page_bytes

    def _receive(self, target: Target, fetched: Fetched) -> Response:
        headers = fetched.headers
        asked = opt_out(headers.getall("X-Robots-Tag", []), headers.getall("TDM-Reservation", []))
        directive = forbids_pictures(asked)
        if directive is not None:
            raise RefusedError(f"it asks not to be collected ({directive})", 200)
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RefusedError("it is compressed although that was not asked for", 200)
        # At once and before anything is done with it: whatever happens now, it is here.
        self._session.ledger.receive(
            target.id,
            final_url=fetched.url,
            etag=headers.get("ETag"),
            last_modified=headers.get("Last-Modified"),
            body=fetched.body,
        )
        return Response(url=fetched.url, status=200)


def _postpone(session: Session, target: Target, error: PostponedError) -> None:
    """Leave a host alone for the rest of the run, with all that is queued for it."""
    session.settle(target, "postponed", str(error))
    session.ledger.postpone_host(session.run, error.host, str(error))


def _scrapy_headers(fetched: Fetched) -> Headers:
    headers = Headers()
    for name, value in fetched.headers.items():
        headers.appendlist(name, value)
    return headers


def _header(response: Response, name: str) -> str | None:
    value = response.headers.get(name)
    return None if value is None else value.decode("latin-1")
