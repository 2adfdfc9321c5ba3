"""Around every request: an id, a door, a limit on its body, one line in the log, a count.

Plain ASGI, so that nothing is buffered on the way. Knows nothing about what requests ask.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from contextlib import ExitStack
from http import HTTPMethod

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latent.errors import OverloadedError
from service.embedding.workers import Door
from service.metrics import Metrics
from service.problems import INTERNAL, on_http_exception, on_nearfield_error, problem
from service.timing import Timings

log = logging.getLogger("nearfield.requests")

WORK = "/v1/"  # below it is what costs work; health, metrics and pages are never shut out
_FIT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class Requests:
    """An id and timings for each request, its line and count; answers for what nobody caught."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        timings = Timings()
        scope.setdefault("state", {}).update(request_id=request_id, timings=timings)
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:
            log.exception("request %s failed", request_id)
            if not status:
                detail = "the service failed; its log has the details under this request_id"
                response = problem(INTERNAL, detail, request_id)
                await response(scope, receive, send_marked)
        finally:
            self._report(scope, status or 499, time.perf_counter() - started)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        timings: Timings = scope["state"]["timings"]
        took_ms = timings.took_ms()
        route = getattr(scope.get("route"), "path", "unmatched")
        # A client may send any word as its method, and each would be counted for itself for ever.
        method = scope["method"] if scope["method"] in HTTPMethod.__members__ else "other"
        self._metrics.count_request(method, route, status, seconds)
        self._metrics.count_stages(took_ms)
        line = {
            "request_id": scope["state"]["request_id"],
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 3),
            **{f"{stage}_ms": ms for stage, ms in took_ms.items()},
        }
        log.info("%s", json.dumps(line))  # JSON, so that no path can forge a second line


class Entrance:
    """Lets a request for work through the door, before anything of its body is read.

    The door is that of the state which the lifespan opened.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_work(scope):
            await self._app(scope, receive, send)
            return
        door: Door = scope["state"]["service"].door
        with ExitStack() as inside:
            try:
                inside.enter_context(door.inside())
            except OverloadedError as error:
                response = on_nearfield_error(Request(scope), error)
                await response(scope, receive, send)
                return
            await self._app(scope, receive, send)


class BodyLimit:
    """Answers 413 as soon as a body is known to be too long, before the rest is read.

    What the headers say is believed when it is too much, never when it is little: the bytes that
    arrive are counted.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        arrived = 0
        refused = False
        answering = False

        async def receive_counted() -> Message:
            nonlocal arrived, refused
            message = await receive()
            if message["type"] == "http.request":
                arrived += len(message.get("body", b""))
                if arrived > self._max_bytes:
                    refused = True
                    raise self._too_large()
            return message

        async def send_unless_refused(message: Message) -> None:
            nonlocal answering
            if answering or not refused:
                answering = True
                await send(message)

        try:
            await self._app(scope, receive_counted, send_unless_refused)
        except HTTPException:
            if not refused:
                raise
        if refused and not answering:
            # Whatever the app made of the interrupted body, this is the answer.
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = on_http_exception(Request(scope), self._too_large())
        await response(scope, receive, send)

    def _too_large(self) -> HTTPException:
        detail = f"the request body has more than {self._max_bytes} bytes"
        # The rest of the body is never read, so the connection cannot be used again.
        return HTTPException(413, detail, headers={"Connection": "close"})


def _is_work(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).startswith(WORK)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _FIT_ID.fullmatch(given) else uuid.uuid4().hex
