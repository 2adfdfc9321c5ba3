"""Whom there is no room for is told so before anything is made of the request."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from latent.settings import Settings
from service.app import similarity_app
from service.entrance.door import Door
from service.entrance.turnstile import Shed, Turnstile
from service.seen.metrics import Metrics

EMBEDDINGS = "/v1/embeddings"


class Behind:
    """What a turnstile lets through to."""

    def __init__(self) -> None:
        self.came = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.came += 1


@pytest.fixture
def door() -> Iterator[Door]:
    """A door that has no room left."""
    full = Door(1)
    with full.inside():
        yield full


def asked(
    door: Door, path: str = EMBEDDINGS, headers: Sequence[tuple[bytes, bytes]] = (), root: str = ""
) -> tuple[int, list[dict[str, Any]]]:
    """How often the app behind was asked, and what was sent."""
    behind, metrics, sent = Behind(), Metrics(), list[dict[str, Any]]()

    async def never() -> Any:
        raise AssertionError("nothing of the body is read")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": root + path,
        "root_path": root,
        "headers": headers,
        "state": {"service": SimpleNamespace(door=door)},
    }
    asyncio.run(Turnstile(behind, shed=Shed(metrics), metrics=metrics)(scope, never, send))
    return behind.came, sent


@pytest.mark.parametrize("root", ["", "/pictures"])
def test_with_no_room_nobody_behind_is_asked_and_no_body_is_read(door: Door, root: str) -> None:
    came, sent = asked(door, root=root)
    assert (came, sent[0]["status"]) == (0, 503)
    assert dict(sent[0]["headers"])[b"retry-after"] == b"1"
    assert json.loads(sent[1]["body"])["code"] == "overloaded"


def test_with_room_everybody_goes_on() -> None:
    assert asked(Door(1)) == (1, [])


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/", "/docs"])
def test_who_asks_for_no_work_always_goes_on(door: Door, path: str) -> None:
    assert asked(door, path) == (1, [])


def test_a_page_of_another_origin_gets_an_answer_that_it_may_read(settings: Settings) -> None:
    origin = "https://pictures.example"
    own = settings.model_copy(update={"cors_origins": origin, "max_waiting": 0, "batch_size": 1})
    with TestClient(similarity_app(own)) as client, client.app_state["service"].door.inside():
        answer = client.post(EMBEDDINGS, json={"input": "red"}, headers={"Origin": origin})
        assert answer.status_code == 503
        assert answer.headers["access-control-allow-origin"] == origin


def test_it_says_what_is_said_at_the_end_of_the_way_in(settings: Settings) -> None:
    own = settings.model_copy(update={"max_waiting": 0, "batch_size": 1})
    with TestClient(similarity_app(own)) as client, client.app_state["service"].door.inside():
        here, there = (
            client.post(EMBEDDINGS, json={"input": "red"}, headers={"X-Request-ID": "a1", **more})
            for more in ({}, {"Origin": "https://nobody.example"})
        )
        told = client.get("/metrics").text
    assert (here.status_code, here.json()) == (there.status_code, there.json())
    assert here.json()["request_id"] == "a1"
    assert sorted(here.headers.items()) == sorted(there.headers.items())
    assert "nearfield_shed_requests_total 2.0" in told
    assert 'status="503"} 2.0' in told


def test_a_flood_leaves_one_line_in_the_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    shed = Shed(Metrics())
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            shed.count(door.refusal())
    assert [record.getMessage().split()[0] for record in caplog.records] == ["1"]
