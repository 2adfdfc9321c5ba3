"""What those who administer a service see and do over HTTP: failed files, and keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

import nearfield
from latent.settings import Settings
from service.app import search_app

FAILURES = "/v1/collections/main/failures"


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(search_app(settings)) as opened:
        opened.put("/v1/collections/main", json={"model": "colours"})
        yield opened


def index(settings: Settings, *paths: Path) -> None:
    words = ["index", *map(str, paths), "--data", str(settings.data), "--model", "colours"]
    CliRunner().invoke(nearfield.main, words)


def failed(client: TestClient, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(FAILURES, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["failed"]
    return found


def test_a_file_that_cannot_be_read_is_listed_until_it_can(
    client: TestClient, settings: Settings, photos: Path
) -> None:
    (photos / "holiday").mkdir()
    torn = photos / "holiday" / "torn.jpg"
    torn.write_bytes(b"no picture")
    index(settings, photos)
    (one,) = failed(client)
    assert one["uri"] == "photos/holiday/torn.jpg"
    assert one["code"] == "unreadable_image"
    assert "not a readable picture" in one["reason"]
    assert one["at"].endswith("+00:00")
    assert str(photos) not in str(one)
    torn.write_bytes((photos / "green.png").read_bytes())
    index(settings, photos)
    assert failed(client) == []


def test_a_failed_file_that_is_gone_is_not_listed(
    client: TestClient, settings: Settings, photos: Path
) -> None:
    (photos / "torn.jpg").write_bytes(b"no picture")
    index(settings, photos)
    assert len(failed(client)) == 1
    (photos / "torn.jpg").unlink()
    index(settings, photos)
    assert failed(client) == []


def test_rows_of_a_manifest_are_listed_by_their_line_and_page_by_page(
    client: TestClient, settings: Settings, photos: Path
) -> None:
    manifest = photos / "rows.csv"
    manifest.write_text("image,id\ngreen.png,a\nnone.png,b\nother.png,c\n")
    index(settings, manifest)
    assert [one["uri"] for one in failed(client)] == ["rows.csv, line 3", "rows.csv, line 4"]
    assert [one["uri"] for one in failed(client, limit=1, offset=1)] == ["rows.csv, line 4"]
    assert client.get(FAILURES, params={"limit": 1}).json()["count"] == 2
    assert str(photos) not in client.get(FAILURES).text
    assert client.get(FAILURES, params={"limit": 0}).json()["code"] == "invalid_input"


def make(client: TestClient, **body: Any) -> Any:
    return client.post("/v1/keys", json=body)


def test_the_first_key_must_be_one_that_can_make_others(client: TestClient) -> None:
    for body in ({"name": "web"}, {"name": "ops", "scope": "admin", "collections": ["main"]}):
        answer = make(client, **body)
        assert answer.status_code == 400
        assert "scope 'admin' for all collections" in answer.json()["detail"]
    assert client.get("/v1/keys").json() == {"keys": []}


def test_a_key_is_shown_once_works_and_is_taken_back(client: TestClient) -> None:
    ops = make(client, name="ops", scope="admin").json()["key"]
    assert client.get("/v1/keys").status_code == 401
    client.headers["X-API-Key"] = ops
    made = make(client, name="web", collections=["main"], rate="600/minute").json()
    reader = {"X-API-Key": made["key"]}
    assert client.get("/v1/collections/main", headers=reader).status_code == 200
    for refused in (client.get(FAILURES, headers=reader), client.get("/v1/keys", headers=reader)):
        assert refused.status_code == 403
    listed = client.get("/v1/keys")
    assert [one["name"] for one in listed.json()["keys"]] == ["ops", "web"]
    assert made["key"] not in listed.text
    assert "hash" not in listed.text
    assert client.delete("/v1/keys/web").json() == {"deleted": "web"}
    assert client.get("/v1/collections/main", headers=reader).status_code == 401


def test_an_administrator_of_one_collection_makes_no_keys(client: TestClient) -> None:
    client.headers["X-API-Key"] = make(client, name="ops", scope="admin").json()["key"]
    local = make(client, name="local", scope="admin", collections=["main"]).json()["key"]
    headers = {"X-API-Key": local}
    assert client.get(FAILURES, headers=headers).status_code == 200
    body = {"name": "more", "scope": "admin"}
    assert client.post("/v1/keys", json=body, headers=headers).status_code == 403


def test_the_last_key_that_can_make_others_stays(client: TestClient) -> None:
    client.headers["X-API-Key"] = make(client, name="ops", scope="admin").json()["key"]
    make(client, name="web")
    assert client.delete("/v1/keys/ops").status_code == 400
    assert client.delete("/v1/keys/nobody").json()["code"] == "missing_key"
    assert len(client.get("/v1/keys").json()["keys"]) == 2


@pytest.mark.parametrize(
    "body", [{"name": "a b"}, {"name": "x", "rate": "often"}, {"name": "x", "scope": "root"}]
)
def test_a_key_that_cannot_be_is_refused(client: TestClient, body: dict[str, str]) -> None:
    assert make(client, **body).json()["code"] == "invalid_input"


def test_a_service_without_keys_makes_none(settings: Settings) -> None:
    """Else anybody could make one to keep for when keys are asked for."""
    told = settings.model_copy(update={"without_keys": True, "host": "0.0.0.0"})
    with TestClient(search_app(told)) as client:
        assert make(client, name="ops", scope="admin").status_code == 403
        assert client.get("/v1/keys").status_code == 403
    assert not (settings.data / "keys.json").exists()
