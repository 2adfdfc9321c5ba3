"""Whom there is no room for is told so at once, before anything is made of the request.

In a flood nearly every request is one of these, and what each costs is taken from those who are
let in: an answer from here takes an eighth of what it takes at the end of the way in. The door is
asked once more when the body is there (`reception`). Knows nothing about what requests ask.
"""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from latent.errors import OverloadedError
from service.entrance.door import Door
from service.entrance.middleware import method_of, request_id_of
from service.guard.headers import HEADERS
from service.problems import kind_of, problem
from service.seen.metrics import Metrics

log = logging.getLogger(__name__)

WORK = "/v1/"  # below it is what costs work; health, metrics and pages are never shut out
TELL_EVERY = 1.0  # seconds between two lines about requests that were shed

_SHIELD = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


class Shed:
    """Counts those who are told to come back; a line for each would be the next overload."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._untold = 0
        self._told = 0.0

    def count(self, refusal: OverloadedError) -> None:
        """One more; logged with others, once a second."""
        self._metrics.count_shed()
        self._untold += 1
        now = time.monotonic()
        if now - self._told >= TELL_EVERY:
            log.warning("%d requests were told to come back later: %s", self._untold, refusal)
            self._untold, self._told = 0, now


class Turnstile:
    """Answers for all that is behind it where the door has no room.

    What a page of another origin asks goes on: its answer needs what else stands on the way.
    """

    def __init__(self, app: ASGIApp, *, shed: Shed, metrics: Metrics) -> None:
        self._app = app
        self._shed = shed
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_work(scope):
            door: Door = scope["state"]["service"].door
            if door.is_full and all(name != b"origin" for name, _ in scope["headers"]):
                await self._refuse(scope, receive, send, door.refusal())
                return
        await self._app(scope, receive, send)

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, refusal: OverloadedError
    ) -> None:
        began = time.perf_counter()
        self._shed.count(refusal)
        request_id = request_id_of(scope)
        kind = kind_of(refusal)
        headers = {"Retry-After": str(refusal.retry_after), "X-Request-ID": request_id}
        response = problem(kind, str(refusal), request_id, headers=headers)
        response.raw_headers += _SHIELD
        await response(scope, receive, send)
        took = time.perf_counter() - began
        self._metrics.count_request(method_of(scope), "unmatched", kind.status, took)


def is_work(scope: Scope) -> bool:
    """Whether a request costs work."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).startswith(WORK)
