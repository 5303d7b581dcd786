"""What every request passes before the app sees it: whose page it is from, and how large it is.

A server on a loopback address is within reach of every page that its user opens in a browser.
Two checks keep such pages out: the name in the address must be one of this machine's own (a page
can point its own name at 127.0.0.1, "DNS rebinding"), and what a page asks for must come from
this server's own pages ("cross-site request forgery").

Behind a proxy two more things are settled here, so that the app need not know of either: which
public names are right, and below which path the proxy shows the app.
"""

import asyncio
import logging
import re
from collections.abc import Collection
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avatargan.errors import one_line
from avatargan.web.waiting import Waiter, waiting

logger = logging.getLogger(__name__)

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
#: Those that a refusal names.
SHOWN_NAMES = frozenset({"localhost", "127.0.0.1"})
#: Where gradio streams a file back; with an address in place of a path it fetches that first.
GRADIO_FILE = re.compile(r"/(gradio_api/)?(file[=/]|proxy=)\s*[a-z][a-z0-9+.-]*:", re.IGNORECASE)
GRADIO_API = "/gradio_api/"
#: Reasons quote what a client sent, which need not be short.
LONGEST_REASON = 600
#: How long a client may go on sending a body that is refused.
DRAIN_SECONDS = 2.0

#: What has no rules of its own may load what this server serves and nothing else. The pages of the
#: REST API's documentation have scripts and styles written into them.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self' data: blob:",
        "script-src 'self' 'unsafe-inline'",
        "style-src 'self' 'unsafe-inline'",
        "frame-ancestors 'self'",
        "form-action 'self'",
        "base-uri 'self'",
        "object-src 'none'",
    )
)


class RequestGuard:
    """ASGI middleware that refuses what is not meant for the app.

    Args:
        app: what is guarded.
        loopback: whether only names of this machine are right in the address.
        body_bytes: the largest body.
        body_seconds: how long a client may pause while it sends one.
        allowed_hosts: public names that are right as well, in lower case; where there are any,
            all others but this machine's own are wrong whatever ``loopback`` says.
        root_path: where a proxy shows the app, such as "/avatars"; requests may come with that
            prefix or without it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        loopback: bool,
        body_bytes: int,
        body_seconds: float,
        allowed_hosts: Collection[str] = (),
        root_path: str = "",
    ) -> None:
        self.app = app
        self.names = (
            LOOPBACK_NAMES.union(allowed_hosts) if loopback or allowed_hosts else frozenset()
        )
        self.allowed_hosts = frozenset(allowed_hosts)
        self.root_path = root_path
        self.body_bytes = body_bytes
        self.body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request with a 4xx, or hand it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        scope = self._as_public(scope)
        refusal = self._refusal(scope)
        if refusal is not None:
            await _drain(receive)
            await refusal(scope, receive, send)
            return
        with waiting(Waiter()) as waiter:
            request = _Request(receive, send, self.body_bytes, self.body_seconds, waiter)
            try:
                await self.app(scope, request.receive, request.send)
            except asyncio.CancelledError:
                # The server stops and has waited long enough.
                request.fail(refuse(503, "the server is stopping"))
                if request.is_half_sent:
                    raise
            except Exception as error:
                # Answered here, the connection can go on to be used.
                if request.refusal is None and not isinstance(error.__cause__, HTTPException):
                    logger.exception("%s %s failed", scope["method"], scope["path"])
                request.fail(refuse(500, "the server failed; its log says why"))
                if request.is_half_sent:
                    raise
            finally:
                request.close()
        if request.refusal is None:
            return
        if request.answered:
            await request.finish()
            return
        if not request.complete:
            await _drain(receive)
        await request.refusal(scope, receive, send)

    def _as_public(self, scope: Scope) -> Scope:
        """Return the request as a browser sent it, before a proxy changed its path and host."""
        path = scope["path"]
        inside = path == self.root_path or path.startswith(f"{self.root_path}/")
        headers = MutableHeaders(raw=list(scope["headers"]))
        # Others than our proxy may say anything here, and gradio would believe it.
        forwarded = headers.get("x-forwarded-host", "").split(",")[0].strip()
        if forwarded:
            del headers["x-forwarded-host"]
            if _name(forwarded) in self.allowed_hosts:
                headers["host"] = forwarded
        # FastAPI gives its GET routes no HEAD; what serves us sends no body either way.
        head = scope["method"] == "HEAD" and not path.removeprefix(self.root_path).startswith(
            GRADIO_API
        )
        return {
            **scope,
            "method": "GET" if head else scope["method"],
            "headers": headers.raw,
            "root_path": self.root_path,
            "path": path if inside else self.root_path + path,
        }

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.names and _name(host) not in self.names:
            return refuse(
                421,
                f"this server answers to {', '.join(sorted(self.allowed_hosts | SHOWN_NAMES))} "
                "only; see --allowed-host and --host for others",
            )
        if _is_from_elsewhere(headers, host, scope["method"], self.allowed_hosts):
            return refuse(403, "this server takes requests from its own pages only")
        if GRADIO_FILE.match(scope["path"].removeprefix(self.root_path)):
            return refuse(403, "this server fetches nothing from elsewhere")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return refuse(400, "content-length: not a number")
        if len(length) > 18 or int(length) > self.body_bytes:
            return too_large(self.body_bytes)
        return None


class _Request:
    """Counts what comes in, whatever was announced, stops at the limit, and sees clients leave."""

    def __init__(
        self, receive: Receive, send: Send, limit: int, seconds: float, waiter: Waiter
    ) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._seconds = seconds
        self._waiter = waiter
        self._watch: asyncio.Task[None] | None = None
        self._received = 0
        self.complete = False
        self.answered = False
        self._finished = False
        self._events = False
        self.refusal: JSONResponse | None = None

    async def receive(self) -> Message:
        if self.complete:
            return await self._receive()
        try:
            # Only the body has to come in time: later the app waits here for the client to leave.
            message = await asyncio.wait_for(self._receive(), self._seconds)
        except TimeoutError:
            self.refusal = refuse(408, f"the body did not come within {self._seconds:g} seconds")
            raise _StopReadingError from None
        self._received += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if message["type"] == "http.disconnect":
            self._waiter.leave()
        elif self.complete:
            self._watch = asyncio.create_task(self._wait_for_the_client_to_leave())
        if self._received > self._limit:
            self.refusal = too_large(self._limit)
            raise _StopReadingError
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.answered:
            return  # the app's answer to a body that was cut off
        if message["type"] == "http.response.start":
            self.answered = True
            headers = MutableHeaders(scope=message)
            headers.setdefault("content-security-policy", CONTENT_SECURITY_POLICY)
            headers.setdefault("x-content-type-options", "nosniff")
            headers.setdefault("referrer-policy", "no-referrer")
            self._events = headers.get("content-type", "").startswith("text/event-stream")
        elif message["type"] == "http.response.body":
            self._finished = not message.get("more_body", False)
        await self._send(message)

    def fail(self, refusal: JSONResponse) -> None:
        """Note what is to be answered in place of the app, unless that is settled already."""
        self.refusal = self.refusal or refusal

    @property
    def is_half_sent(self) -> bool:
        """Whether the client would take what it has got of an answer for the whole of it."""
        return self.answered and not self._finished and not self._events

    async def finish(self) -> None:
        """End a stream of events that was begun and not ended."""
        if self._events and not self._finished:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def close(self) -> None:
        """Stop watching the client."""
        if self._watch is not None:
            self._watch.cancel()

    async def _wait_for_the_client_to_leave(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._waiter.leave()


async def _drain(receive: Receive) -> None:
    """Let a client finish sending, within reason: one that is cut off may not read the answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await receive()).get("more_body", False):
                pass


class _StopReadingError(Exception):
    """Unwinds an app that is reading a body which was refused."""


def refuse(status: int, reason: str, kind: str | None = None, **headers: str) -> JSONResponse:
    """Return an answer of the one form that all refusals have.

    Args:
        status: of HTTP.
        reason: for people, in one line.
        kind: for programs, such as "busy"; see :func:`avatargan.web.streams.kind_of`.
        headers: of the answer.
    """
    # Half a surrogate pair, which JSON can carry, cannot be written as UTF-8.
    readable = reason.encode("utf-8", "backslashreplace").decode()
    if len(readable) > LONGEST_REASON:
        readable = f"{readable[:LONGEST_REASON]}..."
    problem = {"detail": one_line(readable)}
    if kind is not None:
        problem["kind"] = kind
    return JSONResponse(problem, status, headers)


def too_large(limit: int) -> JSONResponse:
    """Return the answer to a body above the limit, in bytes."""
    return refuse(413, f"the body is larger than the limit of {limit} bytes", connection="close")


def _is_from_elsewhere(
    headers: Headers, host: str, method: str, allowed_hosts: Collection[str]
) -> bool:
    """Tell whether a browser says that another site's page asks.

    Following a link to this server from another page is fine, as is any program that is not a
    browser: neither sends an ``Origin``.
    """
    origin = headers.get("origin")
    if origin is not None:
        asking = urlsplit(origin).netloc.lower()
        # A proxy may leave the port out of the host, or put its own name for us there.
        return asking != host.lower() and _name(asking) not in allowed_hosts
    changes = method not in ("GET", "HEAD", "OPTIONS")
    return changes and headers.get("sec-fetch-site", "same-origin") in ("cross-site", "same-site")


def _name(host: str) -> str:
    """Return the host without its port and without the dot that a full name may end with."""
    return re.sub(r":\d*$", "", host.lower()).removesuffix(".")
