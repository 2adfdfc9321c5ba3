"""Connections that cannot be held open for nothing: deadlines for what clients send and take.

uvicorn waits for the head of a request as long as a client likes, and for one that reads no answer
for ever. The deadline for bodies is in `reception`. Knows nothing about what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0  # from connecting, or from the answer before, to the end of a request's head
TAKE_SECONDS = 10.0  # in which a client must take at least a part of its answer

_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 32\r\nconnection: close\r\n\r\nthe request's head came too late"
)


class Connection(HttpToolsProtocol):
    """A connection of uvicorn's that ends when nothing comes of it."""

    head_seconds = HEAD_SECONDS
    take_seconds = TAKE_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_lost: Callable[[], None] = lambda: None
        self._head: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Any byte stops uvicorn's own clock for idle connections, also one that begins no request.
        if self.cycle is None or self.cycle.response_complete:
            self._expect_head()

    def on_headers_complete(self) -> None:
        self._forget_head()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._taking is None and self.transport.get_write_buffer_size():
            self._expect_taking()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        if self._taking is not None:
            self._taking.cancel()
        super().connection_lost(exc)
        self.on_lost()

    def _expect_head(self) -> None:
        if self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _head_is_late(self) -> None:
        self._head = None
        if not self.transport.is_closing():
            self.transport.write(_LATE)
            self.transport.close()
        self._expect_taking()

    def _expect_taking(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._taking = self.loop.call_later(self.take_seconds, self._look_again, left)

    def _look_again(self, left: int) -> None:
        """End the connection if nothing was taken since; go on looking while there is more."""
        self._taking = None
        now = self.transport.get_write_buffer_size()
        if now >= left > 0:
            self.transport.abort()
        elif now:
            self._expect_taking()
