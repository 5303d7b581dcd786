"""The crawler's only door to the network: checked addresses, capped bodies, no proxies.

Names are resolved here, every address of the answer is checked, and the connection is made to
exactly the addresses that were checked, so a DNS answer that changes afterwards changes nothing.
A second check sits where sockets are made: no code path leads around it.
"""

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict, CIMultiDictProxy

from crawler.addresses import (
    AddressPolicy,
    RefusedAddressError,
    check_address,
    check_url,
)

Lookup = Callable[[str, int], Awaitable[list[str]]]
# (family, type, protocol, canonical name, (address, port, ...)), as getaddrinfo gives it
AddressInfo = tuple[Any, ...]
SocketFactory = Callable[[AddressInfo], socket.socket]


# Some sites send long policies in a header; the library's own limit is 8 kB.
_MAX_HEADER = 65_536


class FetchError(Exception):
    """The server could not be reached, was too slow or did not speak HTTP; worth another try."""


class TooLargeError(Exception):
    """The body is larger than the cap, by its announced length or while it was streaming."""


@dataclass(frozen=True)
class Fetched:
    """One HTTP response with its body within the cap."""

    url: str
    status: int
    headers: CIMultiDict[str]
    """As text, whatever their bytes were: UTF-8 where they are that, Latin-1 otherwise."""
    body: bytes

    def validator(self, name: str) -> str | None:
        """Return an ETag or Last-Modified, None where it cannot be sent back as it is."""
        value = self.headers.get(name)
        return value if value and value.isascii() and value.isprintable() else None


async def system_lookup(host: str, port: int) -> list[str]:
    """Return the addresses of ``host`` as the system resolves it."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in answers]


def open_socket(info: AddressInfo) -> socket.socket:
    """Make the socket for one connection."""
    family, kind, protocol, *_ = info
    return socket.socket(family, kind, protocol)


class Network:
    """Fetches URLs. Needs a running event loop; use as an asynchronous context manager.

    Args:
        policy: which addresses may be contacted.
        user_agent: sent with every request.
        timeout: seconds for one request from connecting to the last byte.
        lookup: resolves names.
        socket_factory: makes sockets for addresses that have been checked.
        tls: verifies servers; by default against the system's authorities.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        user_agent: str,
        timeout: float,
        lookup: Lookup = system_lookup,
        socket_factory: SocketFactory = open_socket,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.policy = policy
        self.bytes_received = 0
        self._socket_factory = socket_factory
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_CheckedResolver(policy, lookup),
                use_dns_cache=False,
                socket_factory=self._open_checked_socket,
                happy_eyeballs_delay=None,  # one connection attempt at a time
                force_close=True,  # a fresh connection, freshly checked, for every request
                ssl=tls or ssl.create_default_context(),
            ),
            headers={"User-Agent": user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a few bytes could unpack to gigabytes, past the cap
            trust_env=False,  # no proxies or passwords from the environment
            timeout=aiohttp.ClientTimeout(total=timeout),
            max_field_size=_MAX_HEADER,
        )
        # aiohttp repeats a request by itself, at once, when the server hangs up: that would be
        # two requests in one turn. There is no public switch; a test watches over this one.
        self._session._retry_connection = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def fetch(self, url: str, headers: Mapping[str, str], *, max_bytes: int) -> Fetched:
        """Send one GET request; redirects are returned, not followed.

        The body of an error or redirect is not read. ``max_bytes`` counts bytes as transferred.

        Raises:
            RefusedAddressError: the URL or an address of its host may not be contacted.
            TooLargeError: the body exceeds ``max_bytes``; the connection is closed at once.
            FetchError: no complete response came in time.
        """
        target = check_url(url, self.policy)
        try:
            async with self._session.get(
                target, headers=dict(headers), allow_redirects=False
            ) as response:
                body = b""
                if response.status == 200:
                    body = await self._read(response, max_bytes)
                return Fetched(url, response.status, _as_text(response.headers), body)
        except TimeoutError:
            raise FetchError("the server took too long") from None
        except aiohttp.ClientError as error:
            refused = _refusal_behind(error)
            if refused is not None:
                raise refused from None
            raise FetchError(_plain_words(error)) from error

    async def _read(self, response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        announced = response.content_length
        if announced is not None and announced > max_bytes:
            response.close()
            raise TooLargeError(f"more than {max_bytes} bytes")
        body = bytearray()
        async for chunk in response.content.iter_any():
            self.bytes_received += len(chunk)
            body += chunk
            if len(body) > max_bytes:
                response.close()
                raise TooLargeError(f"more than {max_bytes} bytes")
        return bytes(body)

    def _open_checked_socket(self, info: AddressInfo) -> socket.socket:
        check_address(str(info[4][0]), self.policy)
        return self._socket_factory(info)


class _CheckedResolver(AbstractResolver):
    """Resolves a name once per connection and gives out its addresses only if all are allowed."""

    def __init__(self, policy: AddressPolicy, lookup: Lookup) -> None:
        self._policy = policy
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        answers = list(dict.fromkeys(await self._lookup(host, port)))
        if not answers:
            raise OSError(f"{host} has no address")
        results = []
        for answer in answers:
            try:
                address = check_address(answer, self._policy)
            except RefusedAddressError as error:
                # One bad address among good ones is how rebinding attacks begin: refuse them all.
                raise RefusedAddressError(f"{host} resolves to {error}") from None
            results.append(
                ResolveResult(
                    hostname=host,
                    host=str(address),
                    port=port,
                    family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                    proto=socket.IPPROTO_TCP,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
            )
        return results

    async def close(self) -> None:
        """Nothing to close."""


def unpack(fetched: Fetched, max_bytes: int) -> bytes:
    """Return the body of an answer unpacked, of which there must not be more than ``max_bytes``.

    Raises:
        TooLargeError: it is larger when unpacked.
        FetchError: it is not what its Content-Encoding says, or packed in a way not asked for.
    """
    body = fetched.body
    codings = re.split(r"[\s,]+", fetched.headers.get("Content-Encoding", "").lower())
    for coding in reversed([each for each in codings if each not in ("", "identity")]):
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise FetchError(f"the answer is packed as {coding[:20]!r}, which was not asked for")
        try:
            body = _inflate(body, max_bytes)
        except zlib.error as error:
            raise FetchError(f"the answer is broken ({error})") from None
    return body


def _inflate(packed: bytes, max_bytes: int) -> bytes:
    # What "deflate" means is disputed: zlib with a header (the standard) or without.
    has_header = packed[:2] == b"\x1f\x8b" or packed[:1] == b"\x78"
    window = zlib.MAX_WBITS | 32 if has_header else -zlib.MAX_WBITS
    body = bytearray()
    while packed:
        unpacker = zlib.decompressobj(window)
        body += unpacker.decompress(packed, max_bytes + 1 - len(body))
        if len(body) > max_bytes:
            raise TooLargeError(f"more than {max_bytes} bytes when unpacked")
        if not unpacker.eof:
            raise zlib.error("it ends too early")
        packed = unpacker.unused_data
        if not packed.startswith(b"\x1f\x8b"):  # not a further member of a gzip file
            break
    return bytes(body)


def _as_text(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Return headers without the surrogates that stand for bytes that are not UTF-8."""
    readable: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if not value.isascii():
            raw = value.encode("utf-8", "surrogateescape")
            try:
                value = raw.decode()
            except UnicodeDecodeError:
                value = raw.decode("latin-1")
                if name.lower() == "location":  # a URL is its bytes, whatever they spell
                    value = re.sub(
                        rb"[^\x00-\x7f]", lambda byte: b"%%%02X" % byte[0][0], raw
                    ).decode()
        readable.add(name, value)
    return readable


def _plain_words(error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off half way"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server hung up"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "the server could not be verified (TLS)"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.os_error.strerror or 'refused'})"
    return f"no proper HTTP answer ({type(error).__name__})"


def _refusal_behind(error: BaseException | None) -> RefusedAddressError | None:
    while error is not None:
        if isinstance(error, RefusedAddressError):
            return error
        if isinstance(error, aiohttp.ClientConnectorError):
            nested = _refusal_behind(error.os_error)
            if nested is not None:
                return nested
        error = error.__cause__ or error.__context__
    return None
