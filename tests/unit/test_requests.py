"""What is done around every request: the answer first, then the line and the count."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.entrance.middleware import Requests
from service.seen.logs import REQUEST_ID
from service.seen.metrics import Metrics

COUNTED = 'nearfield_requests_total{method="GET",route="unmatched",status="200"} 1.0'


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


async def nothing() -> Message:
    return {"type": "http.disconnect"}


async def ask(metrics: Metrics, sent: list[Message]) -> None:
    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [(b"x-request-id", b"mine")]}
    await Requests(answering, metrics=metrics)(scope, nothing, send)


def test_an_answer_waits_for_no_line_and_no_count() -> None:
    metrics = Metrics()

    async def before_and_after() -> tuple[list[str], bytes, bytes]:
        sent: list[Message] = []
        await ask(metrics, sent)
        at_once = metrics.text()
        await asyncio.sleep(0)
        return [message["type"] for message in sent], at_once, metrics.text()

    sent, at_once, later = asyncio.run(before_and_after())
    assert sent == ["http.response.start", "http.response.body"]
    assert COUNTED not in at_once.decode()
    assert COUNTED in later.decode()


def test_the_line_of_a_request_is_written_under_its_id(caplog: pytest.LogCaptureFixture) -> None:
    ids: list[str | None] = []
    told = logging.getLogger("nearfield.requests")

    def note(record: logging.LogRecord) -> bool:
        ids.append(REQUEST_ID.get())
        return True

    told.addFilter(note)
    try:
        with caplog.at_level(logging.INFO, told.name):
            asyncio.run(ask(Metrics(), []))
    finally:
        told.removeFilter(note)
    (line,) = [json.loads(record.getMessage()) for record in caplog.records]
    assert (line["request_id"], line["status"]) == ("mine", 200)
    assert ids == ["mine"]
