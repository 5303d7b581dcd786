"""What every request passes before the app sees it: whose page it is from, and how large it is.

A server on a loopback address is within reach of every page that its user opens in a browser.
Two checks keep such pages out: the name in the address must be one of this machine's own (a page
can point its own name at 127.0.0.1, "DNS rebinding"), and what a page asks for must come from
this server's own pages ("cross-site request forgery").
"""

import asyncio
import re
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avatargan.errors import one_line

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
#: Where gradio streams a file back; with an address in place of a path it fetches that first.
GRADIO_FILE = re.compile(r"/(gradio_api/)?(file[=/]|proxy=)\s*[a-z][a-z0-9+.-]*:", re.IGNORECASE)
#: Reasons quote what a client sent, which need not be short.
LONGEST_REASON = 600
#: How long a client may go on sending a body that is refused.
DRAIN_SECONDS = 2.0

#: The page may load what this server serves and nothing else. gradio writes scripts and styles
#: into the page itself and compiles templates in it.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self' data: blob:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
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
    """

    def __init__(
        self, app: ASGIApp, *, loopback: bool, body_bytes: int, body_seconds: float
    ) -> None:
        self.app = app
        self.loopback = loopback
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
        refusal = self._refusal(scope)
        if refusal is not None:
            await _drain(receive)
            await refusal(scope, receive, send)
            return
        body = _BoundedBody(receive, send, self.body_bytes, self.body_seconds)
        try:
            await self.app(scope, body.receive, body.send)
        except Exception:
            if body.refusal is None:
                raise
        if body.refusal is not None and not body.answered:
            if not body.complete:
                await _drain(receive)
            await body.refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.loopback and _name(host) not in LOOPBACK_NAMES:
            return refuse(
                421, "this server answers to localhost and 127.0.0.1 only; see --host for others"
            )
        if _is_from_elsewhere(headers, host, scope["method"]):
            return refuse(403, "this server takes requests from its own pages only")
        if GRADIO_FILE.match(scope["path"]):
            return refuse(403, "this server fetches nothing from elsewhere")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return refuse(400, "content-length: not a number")
        if len(length) > 18 or int(length) > self.body_bytes:
            return too_large(self.body_bytes)
        return None


class _BoundedBody:
    """Counts what comes in, whatever was announced, and stops at the limit."""

    def __init__(self, receive: Receive, send: Send, limit: int, seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._seconds = seconds
        self._received = 0
        self.complete = False
        self.answered = False
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
        await self._send(message)


async def _drain(receive: Receive) -> None:
    """Let a client finish sending, within reason: one that is cut off may not read the answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await receive()).get("more_body", False):
                pass


class _StopReadingError(Exception):
    """Unwinds an app that is reading a body which was refused."""


def refuse(status: int, reason: str, **headers: str) -> JSONResponse:
    """Return an answer of the one form that all refusals have."""
    # Half a surrogate pair, which JSON can carry, cannot be written as UTF-8.
    readable = reason.encode("utf-8", "backslashreplace").decode()
    if len(readable) > LONGEST_REASON:
        readable = f"{readable[:LONGEST_REASON]}..."
    return JSONResponse({"detail": one_line(readable)}, status, headers)


def too_large(limit: int) -> JSONResponse:
    """Return the answer to a body above the limit, in bytes."""
    return refuse(413, f"the body is larger than the limit of {limit} bytes", connection="close")


def _is_from_elsewhere(headers: Headers, host: str, method: str) -> bool:
    """Tell whether a browser says that another site's page asks.

    Following a link to this server from another page is fine, as is any program that is not a
    browser: neither sends an ``Origin``.
    """
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() != host.lower()
    changes = method not in ("GET", "HEAD", "OPTIONS")
    return changes and headers.get("sec-fetch-site", "same-origin") in ("cross-site", "same-site")


def _name(host: str) -> str:
    """Return the host without its port."""
    return re.sub(r":\d*$", "", host.lower())
