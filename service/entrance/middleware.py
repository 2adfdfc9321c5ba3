"""Around every request: an id, one line in the log, a count.

Plain ASGI, so that nothing is buffered on the way. Knows nothing about what requests ask.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from http import HTTPMethod

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.guard.guard import Caller
from service.problems import INTERNAL, problem
from service.seen.logs import FIELDS, REQUEST_ID
from service.seen.metrics import Metrics
from service.seen.timing import Timings
from service.seen.tracing import tell_span

log = logging.getLogger("nearfield.requests")

SHED = "shed"  # in the state of a request that was told to come back

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
        request_id = request_id_of(scope)
        timings = Timings()
        scope.setdefault("state", {}).update(request_id=request_id, timings=timings)
        token = REQUEST_ID.set(request_id)
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
                tell_span(request_id, timings)  # it ends with the answer
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
            # The answer is sent when this task is done: what is told of it can wait until then.
            seconds = time.perf_counter() - started
            asyncio.get_running_loop().call_soon(self._report, scope, status or 499, seconds)
            REQUEST_ID.reset(token)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        timings: Timings = scope["state"]["timings"]
        took_ms = timings.took_ms()
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.count_request(method_of(scope), route, status, seconds)
        self._metrics.count_stages(took_ms)
        if SHED in scope["state"]:
            return  # told in one line with others
        line = {
            "request_id": scope["state"]["request_id"],
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 3),
            **_key_in(scope),
            **{f"{stage}_ms": ms for stage, ms in took_ms.items()},
        }
        # JSON, so that no path can forge a second line.
        log.info("%s", json.dumps(line), extra={FIELDS: line})


def _key_in(scope: Scope) -> dict[str, str]:
    """The name of the key that the request was let in with."""
    caller = scope["state"].get("caller")
    return {"key": caller.key.name} if isinstance(caller, Caller) and caller.key else {}


def method_of(scope: Scope) -> str:
    """The method; any word that a client made up would be counted for itself for ever."""
    method: str = scope["method"]
    return method if method in HTTPMethod.__members__ else "other"


def request_id_of(scope: Scope) -> str:
    """The id that the request brought, if it is fit to be shown, or a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _FIT_ID.fullmatch(given) else uuid.uuid4().hex
