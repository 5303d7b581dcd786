"""Connections: how long a client may take over the headers of a request.

uvicorn waits for them for ever, and answers everybody with 503 while as many connections are open
as there may be: a few hundred clients that never finish a header would keep all others out.
"""

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: From the opening of a connection, or from the first byte of a further request on it, to the
#: end of the headers.
HEADER_SECONDS = 10.0


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 in which headers have to come in time.

    Where more connections are open than may be, the one that has waited longest for headers makes
    room for the newest.
    """

    header_seconds: ClassVar[float] = HEADER_SECONDS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waits_for_headers(self) -> bool:
        """Whether no request is being answered or its body received."""
        return self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._start_timer()
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Stop the clock once the headers are complete."""
        if self._timer is None and self.waits_for_headers:
            self._start_timer()
        super().data_received(data)
        if not self.waits_for_headers:
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.header_seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.waits_for_headers and not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
            self.transport.close()

    def _make_room(self) -> None:
        oldest = min(
            (
                (connection._timer.when(), connection)
                for connection in self.connections
                if isinstance(connection, BoundedProtocol)
                and connection is not self
                and connection._timer is not None
            ),
            key=lambda pair: pair[0],
            default=None,
        )
        if oldest is not None:
            oldest[1].transport.abort()
            self.connections.discard(oldest[1])
