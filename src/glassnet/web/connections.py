"""Connections: how long the head of a request may be and may take, and who gives way where there are too many.

uvicorn's own protocol takes a head of any length at any pace, and counts a connection on which nothing was ever said
like any other.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEAD_PATIENCE", "LARGEST_HEAD", "MOST_CONNECTIONS", "Connection"]

LARGEST_HEAD = 2**16  # bytes: of a request's first line and headers
HEAD_PATIENCE = 10.0  # seconds in which they must arrive, from the beginning of the connection or of the head
MOST_CONNECTIONS = 500  # that are open at once


class Connection(HttpToolsProtocol):
    """A client's connection.

    Where there are as many as may be, a new one takes the place of the one that has waited longest for a request, or
    for its client to read an answer. Only where all are being answered is the new one told that the service is
    unavailable.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self._unread = 0  # bytes since the last head, or piece of a body, was complete
        self._since = self.loop.time()  # when anything was last done for it
        self._deadline: asyncio.TimerHandle | None = None
        if len(self.connections) >= MOST_CONNECTIONS:
            self._make_room()
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self._waits():
            self._expect_head()
        self._unread += len(data)
        self._since = self.loop.time()
        super().data_received(data)
        if self._unread > LARGEST_HEAD and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        self._unread = 0
        self._expect_nothing()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def _waits(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_PATIENCE, self.transport.close)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self) -> None:
        """End, and say that the head is too large where no answer is under way."""
        if not self._waits():
            self.transport.close()
            return
        line = b'{"error":"the head of the request is larger than %d bytes; send fewer headers"}' % LARGEST_HEAD
        headers = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n" % len(line)
        self.transport.write(b"\r\n".join([b"HTTP/1.1 431 Request Header Fields Too Large", headers, line]))
        self.transport.close()

    def _make_room(self) -> None:
        """Break off the connection that has waited longest."""
        idle = [other for other in self.connections if isinstance(other, Connection) and other.may_give_way()]
        if idle:
            longest: Any = min(idle, key=lambda other: other._since)
            self.connections.discard(longest)  # at once; that it is lost is told later
            longest.transport.abort()

    def may_give_way(self) -> bool:
        """Whether nothing is lost but what a client has neither sent nor read."""
        return self._waits() or self.flow.write_paused
