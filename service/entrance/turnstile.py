"""Whom there is no room for is told so at once, before anything is made of the request.

In a flood nearly every request is one of these, and what each costs is taken from those who are
let in: so the connection itself asks here as soon as it has read a head, and no task is begun. The
door is asked once more when the body is there (`reception`). Knows nothing about what requests ask.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from starlette.types import Scope

from latent.errors import OverloadedError
from service.entrance.door import Door
from service.entrance.middleware import method_of, request_id_of
from service.guard.headers import HEADERS
from service.problems import MEDIA_TYPE, kind_of, told
from service.seen.metrics import Metrics

log = logging.getLogger(__name__)

WORK = "/v1/"  # below it is what costs work; health, metrics and pages are never shut out
TELL_EVERY = 1.0  # seconds between two lines about requests that were shed

_KIND = kind_of(OverloadedError(""))
_SAME = (
    (b"content-type", MEDIA_TYPE.encode()),
    *((name.lower().encode(), value.encode()) for name, value in HEADERS.items()),
)


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


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: its status, its headers and its body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Turnstile:
    """Answers for all that is behind it where the door has no room."""

    def __init__(self, door: Door, *, shed: Shed, metrics: Metrics) -> None:
        self._door = door
        self._shed = shed
        self._metrics = metrics

    def told(self, scope: Scope) -> Told | None:
        """What is said to a request with that head; None lets it go on.

        What a page of another origin asks goes on: its answer needs what else stands on the way.
        """
        if not self._door.is_full or not is_work(scope) or scope["method"] == "HEAD":
            return None
        if any(name == b"origin" for name, _ in scope["headers"]):
            return None
        began = time.perf_counter()
        refusal = self._door.refusal()
        request_id = request_id_of(scope)
        body = told(_KIND, str(refusal), request_id)
        headers = [
            (b"content-length", b"%d" % len(body)),
            (b"retry-after", b"%d" % refusal.retry_after),
            (b"x-request-id", request_id.encode()),
            *_SAME,
        ]
        self._shed.count(refusal)
        took = time.perf_counter() - began
        self._metrics.count_request(method_of(scope), "unmatched", _KIND.status, took)
        return Told(_KIND.status, headers, body)


def is_work(scope: Scope) -> bool:
    """Whether a request costs work."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")).startswith(WORK)
