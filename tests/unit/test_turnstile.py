"""Whom there is no room for is told so before anything is made of the request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence

import pytest
from starlette.testclient import TestClient

from latent.settings import Settings
from service.app import similarity_app
from service.entrance.door import Door
from service.entrance.turnstile import Shed, Told, Turnstile
from service.seen.metrics import Metrics

EMBEDDINGS = "/v1/embeddings"


@pytest.fixture
def door() -> Iterator[Door]:
    """A door that has no room left."""
    full = Door(1)
    with full.inside():
        yield full


def told(
    door: Door,
    path: str = EMBEDDINGS,
    *,
    method: str = "POST",
    headers: Sequence[tuple[bytes, bytes]] = (),
    root: str = "",
) -> Told | None:
    """What is said to such a request."""
    metrics = Metrics()
    scope = {"method": method, "path": root + path, "root_path": root, "headers": headers}
    return Turnstile(door, shed=Shed(metrics), metrics=metrics).told(scope)


@pytest.mark.parametrize("root", ["", "/pictures"])
def test_with_no_room_it_is_said_when_to_come_back(door: Door, root: str) -> None:
    said = told(door, root=root)
    assert said is not None
    assert (said.status, dict(said.headers)[b"retry-after"]) == (503, b"1")
    assert json.loads(said.body)["code"] == "overloaded"


def test_with_room_everybody_goes_on() -> None:
    assert told(Door(1)) is None


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/", "/docs"])
def test_who_asks_for_no_work_always_goes_on(door: Door, path: str) -> None:
    assert told(door, path) is None


def test_who_may_not_be_sent_a_body_goes_on(door: Door) -> None:
    assert told(door, method="HEAD") is None


def test_a_page_of_another_origin_gets_an_answer_that_it_may_read(
    settings: Settings, door: Door
) -> None:
    origin = "https://pictures.example"
    assert told(door, headers=[(b"origin", origin.encode())]) is None
    own = settings.model_copy(update={"cors_origins": origin, "max_waiting": 0, "batch_size": 1})
    with TestClient(similarity_app(own)) as client, client.app_state["service"].door.inside():
        answer = client.post(EMBEDDINGS, json={"input": "red"}, headers={"Origin": origin})
        assert answer.status_code == 503
        assert answer.headers["access-control-allow-origin"] == origin


def test_it_says_what_is_said_at_the_end_of_the_way_in(settings: Settings) -> None:
    own = settings.model_copy(update={"max_waiting": 0, "batch_size": 1})
    with TestClient(similarity_app(own)) as client, client.app_state["service"].door.inside():
        there = client.post(EMBEDDINGS, json={"input": "red"}, headers={"X-Request-ID": "a1"})
        turnstile: Turnstile = client.app_state["turnstile"]
        scope = {"method": "POST", "path": EMBEDDINGS, "headers": [(b"x-request-id", b"a1")]}
        here = turnstile.told(scope)
        shown = client.get("/metrics").text
    assert here is not None
    assert (here.status, json.loads(here.body)) == (there.status_code, there.json())
    assert there.json()["request_id"] == "a1"
    headers = {name.decode(): value.decode() for name, value in here.headers}
    assert headers == dict(there.headers)
    assert "nearfield_shed_requests_total 2.0" in shown
    assert 'route="unmatched",status="503"} 2.0' in shown


def test_a_flood_leaves_one_line_in_the_log(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    shed = Shed(Metrics())
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            shed.count(door.refusal())
    assert [record.getMessage().split()[0] for record in caplog.records] == ["1"]
