"""What operators see of every request: its id, its line in the log, metrics, the reference."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from latent.settings import Settings
from service.app import search_app, similarity_app

QUERY = "/v1/collections/main/query"


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(search_app(settings)) as opened:
        opened.put("/v1/collections/main", json={}).raise_for_status()
        yield opened


def test_a_request_keeps_the_id_it_came_with(client: TestClient) -> None:
    answer = client.get("/v1/collections/nowhere", headers={"X-Request-ID": "abc-1"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "abc-1"


@pytest.mark.parametrize("given", ["", "a b", "a" * 129, 'x"}'])
def test_an_unfit_request_id_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_a_request_leaves_one_line(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nearfield.requests"):
        client.post(QUERY, json={"query": "red"}, headers={"X-Request-ID": "seven"})
    (record,) = [one for one in caplog.records if one.name == "nearfield.requests"]
    line = json.loads(record.getMessage())
    assert (line["request_id"], line["method"], line["status"]) == ("seven", "POST", 200)
    assert line["path"] == QUERY
    assert line["embed_ms"] > 0
    assert line["search_ms"] > 0
    assert line["decode_ms"] == 0
    assert line["ms"] >= line["embed_ms"] + line["search_ms"]


def test_no_path_can_forge_a_line(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nearfield.requests"):
        client.get("/v1/collections/a%0Aforged")
    (record,) = [one for one in caplog.records if one.name == "nearfield.requests"]
    assert "\n" not in record.getMessage()


def test_a_route_that_is_not_there_gets_a_problem(client: TestClient) -> None:
    for answer, status, code in (
        (client.get("/nothing"), 404, "not_found"),
        (client.delete("/healthz"), 405, "method_not_allowed"),
    ):
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_metrics_count_requests_stages_and_items(client: TestClient) -> None:
    item = {"id": "a", "text": "red"}
    client.put("/v1/collections/main/items", json={"items": [item]}).raise_for_status()
    client.post(QUERY, json={"query": "red"})
    client.get("/v1/collections/nowhere")
    client.get("/nothing/of/this/name")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    route = 'route="/v1/collections/{collection}/query"'
    assert f'nearfield_requests_total{{method="POST",{route},status="200"}} 1.0' in answer.text
    assert f"nearfield_request_seconds_count{{{route}}} 1.0" in answer.text
    assert 'nearfield_stage_seconds_count{stage="search"} 1.0' in answer.text
    assert 'nearfield_batch_size_count{modality="text"} 1.0' in answer.text
    assert 'nearfield_known_things_total{modality="text"} 1.0' in answer.text
    assert 'nearfield_items{collection="main"} 1.0' in answer.text
    assert "nearfield_waiting_requests 0.0" in answer.text
    assert 'route="unmatched",status="404"' in answer.text
    assert "/nothing/of" not in answer.text


def test_methods_nobody_knows_are_counted_as_one(client: TestClient) -> None:
    for method in ("MADE", "UP", "PATCH"):
        assert client.request(method, "/healthz").status_code == 405
    shown = client.get("/metrics").text
    assert 'method="other",route="/healthz",status="405"} 2.0' in shown
    assert 'method="PATCH",route="/healthz",status="405"} 1.0' in shown
    assert "MADE" not in shown


def test_two_apps_do_not_share_their_counts(settings: Settings) -> None:
    with TestClient(similarity_app(settings)) as one, TestClient(similarity_app(settings)) as other:
        one.get("/healthz")
        assert 'route="/healthz"' in one.get("/metrics").text
        assert 'route="/healthz"' not in other.get("/metrics").text


def test_the_similarity_app_leads_to_its_reference(settings: Settings) -> None:
    with TestClient(similarity_app(settings)) as client:
        assert client.get("/").url.path == "/docs"


def test_the_reference_needs_no_other_host(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/v1/collections/{collection}/query" in page.text
    assert "a dog in the snow" in page.text
    for attribute in ("src=", 'href="http', "<script", "@import", "url("):
        assert attribute not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
