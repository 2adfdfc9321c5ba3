"""Who comes in, and when: bodies are read whole, counted and timed, before they take up room.

One that is too long gets 413, one that comes too slowly 408, one more than there is room for 503;
each as soon as it is known, and nothing more of it is read. A place inside is taken only once all
of a request is there, so that slow senders keep nobody out. Knows nothing about what requests ask.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latent.errors import NearfieldError, OverloadedError, UnsupportedMediaError
from service.entrance.door import Door
from service.entrance.middleware import SHED
from service.entrance.turnstile import Shed, is_work
from service.problems import on_http_exception, on_nearfield_error

WITH_BODY = ("POST", "PUT", "PATCH")
BODIES = 4  # of the longest kind may be held at once


@dataclass(frozen=True, slots=True)
class Limits:
    """How many bytes a body may have, and how long it may take: `grace` seconds to begin with,
    and one more for every `slowest` bytes that have come.
    """

    max_bytes: int
    grace: float = 10.0
    slowest: int = 16_000


class Reception:
    """Takes in requests; the door is that of the state which the lifespan opened."""

    def __init__(self, app: ASGIApp, *, limits: Limits, shed: Shed) -> None:
        self._app = app
        self._limits = limits
        self._shed = shed
        self._held = _Held(BODIES * limits.max_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        door: Door | None = scope["state"]["service"].door if is_work(scope) else None
        with ExitStack() as inside:
            visit = _Visit(scope, receive, send, inside, limits=self._limits, held=self._held)
            try:
                visit.begin(door)
            except (NearfieldError, HTTPException) as error:
                visit.refusal = error
            else:
                await visit.take_to(self._app)
            if visit.refusal is not None and not visit.is_answered:
                # Whatever the app made of an interrupted body, this is the answer.
                self._count(scope, visit.refusal)
                await _answer(scope, receive, send, visit.refusal)

    def _count(self, scope: Scope, refusal: Exception) -> None:
        if isinstance(refusal, OverloadedError):
            scope["state"][SHED] = True
            self._shed.count(refusal)


class _Held:
    """Bytes of bodies that are held at this moment, of all requests together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0

    def add(self, count: int) -> None:
        """Raises OverloadedError."""
        if self._bytes + count > self._most:
            raise OverloadedError("too many large bodies are held at once; try later")
        self._bytes += count

    def release(self, count: int) -> None:
        self._bytes -= count


class _Visit:
    """One request on its way in. What it is refused for goes to `refusal`."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        inside: ExitStack,
        *,
        limits: Limits,
        held: _Held,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._inside = inside
        self._limits = limits
        self._held = held
        self._door: Door | None = None
        self._headers = Headers(scope=scope)
        self._is_read = False
        self.refusal: NearfieldError | HTTPException | None = None
        self.is_answered = False

    def begin(self, door: Door | None) -> None:
        """What can be said before anything of the body is read.

        Raises:
            OverloadedError, UnsupportedMediaError, HTTPException: it is refused already.
        """
        encoding = self._headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            raise UnsupportedMediaError(
                f"a body in Content-Encoding {encoding[:50]!r} is not taken; send it as it is"
            )
        declared = self._headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limits.max_bytes:
            raise self._too_large()
        has_body = declared not in ("", "0") or "transfer-encoding" in self._headers
        # What else has a body is answered without a look at it, and could slip past the door.
        if door is not None and has_body and self._scope["method"] in WITH_BODY:
            door.require_room()
            self._door = door
        elif door is not None:
            self._inside.enter_context(door.inside())

    async def take_to(self, app: ASGIApp) -> None:
        """Let the app have the request."""
        try:
            await app(self._scope, self._read, self._send_unless_refused)
        except HTTPException:
            if self.refusal is None:
                raise

    async def _read(self) -> Message:
        """The whole body at once, then what else there is."""
        if self._is_read:
            return await self._receive()
        self._is_read = True
        try:
            message = await self._whole()
            if self._door is not None and message["type"] == "http.request":
                self._inside.enter_context(self._door.inside())
        except (NearfieldError, HTTPException) as error:
            self.refusal = error
            # Of this class, because frameworks turn what else comes out of a body into another.
            raise HTTPException(400, str(error)) from error
        return message

    async def _whole(self) -> Message:
        chunks: list[bytes] = []
        arrived = 0
        started = asyncio.get_running_loop().time()
        while True:
            by = started + self._limits.grace + arrived / self._limits.slowest
            try:
                async with asyncio.timeout_at(by):
                    message = await self._receive()
            except TimeoutError as error:
                raise self._too_slow() from error
            if message["type"] != "http.request":
                return message
            chunk = message.get("body", b"")
            arrived += len(chunk)
            if arrived > self._limits.max_bytes:
                raise self._too_large()
            self._held.add(len(chunk))
            self._inside.callback(self._held.release, len(chunk))
            chunks.append(chunk)
            if not message.get("more_body", False):
                return {"type": "http.request", "body": b"".join(chunks), "more_body": False}

    async def _send_unless_refused(self, message: Message) -> None:
        if self.is_answered or self.refusal is None:
            self.is_answered = True
            await self._send(message)

    def _too_large(self) -> HTTPException:
        detail = f"the request body has more than {self._limits.max_bytes} bytes"
        # The rest of the body is never read, so the connection cannot be used again.
        return HTTPException(413, detail, headers={"Connection": "close"})

    def _too_slow(self) -> HTTPException:
        detail = "the request body came too slowly, or stopped coming"
        return HTTPException(408, detail, headers={"Connection": "close"})


async def _answer(scope: Scope, receive: Receive, send: Send, refusal: Exception) -> None:
    request = Request(scope)
    if isinstance(refusal, NearfieldError):
        response = on_nearfield_error(request, refusal)
    else:
        response = on_http_exception(request, refusal)
    await response(scope, receive, send)
