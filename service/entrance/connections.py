"""Connections that cannot be held open for nothing: deadlines for what clients send and take.

Whom there is no room for is answered here, as soon as the head of the request is read.

uvicorn waits for the head of a request as long as a client likes, and for one that reads no answer
for ever; and it keeps a head however long it is. The deadline and the limit for bodies are in
`reception`. Knows nothing about what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from service.entrance.turnstile import Turnstile

HEAD_SECONDS = 10.0  # from connecting, or from the answer before, to the end of a request's head
TAKE_SECONDS = 10.0  # in which a client must take at least a part of its answer

MOST_AROUND = 65_536  # bytes of a request that are no body: head, marks of chunks, trailers
AROUND_A_BYTE = 8  # and so many more for each byte of a body, which may come in chunks of one

_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 31\r\nconnection: close\r\n\r\nthe request's head is too long\n"
)
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
        self._around = 0  # bytes since the request began, less those of its body
        self._body = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def on_message_begin(self) -> None:
        self._around = self._body = 0  # what came with the one before is of no matter
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def data_received(self, data: bytes) -> None:
        self._around += len(data)
        super().data_received(data)
        if self._around - self._body > MOST_AROUND + AROUND_A_BYTE * self._body:
            self._end_what_is_too_long()
            return
        # Any byte stops uvicorn's own clock for idle connections, also one that begins no request.
        if self.cycle is None or self.cycle.response_complete:
            self._expect_head()

    def on_headers_complete(self) -> None:
        self._forget_head()
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if not self._is_turned_away(cycle):
            super()._start_asgi_task(cycle, app)

    def _is_turned_away(self, cycle: RequestResponseCycle) -> bool:
        """Whether the request was answered, for there is no room for it."""
        turnstile: Turnstile | None = self.app_state.get("turnstile")
        # Those that wait behind others of their connection, or for a word before they send their
        # body, and those who do not take their answers, go the long way, to the same answer.
        is_plain = cycle is self.cycle and not cycle.waiting_for_100_continue
        if turnstile is None or not is_plain or self.flow.write_paused:
            return False
        told = turnstile.told(cast(Scope, cycle.scope))
        if told is None:
            return False
        content = [STATUS_LINE[told.status]]
        for name, value in (*cycle.default_headers, *told.headers):
            content += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            content.append(b"connection: close\r\n")
        self.transport.write(b"".join((*content, b"\r\n", told.body)))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
        return True

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

    def _end_what_is_too_long(self) -> None:
        if self._head is None:  # trailers, or a body in chunks of nothing: the app has begun
            self.transport.abort()
        elif not self.transport.is_closing():
            self._forget_head()
            self.transport.write(_TOO_LONG)
            self.transport.close()
            self._expect_taking()

    def _unsupported_upgrade_warning(self) -> None:
        """Says nothing: a client could fill the log, two lines at a time."""

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
