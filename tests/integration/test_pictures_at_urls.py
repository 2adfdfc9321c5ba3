"""Pictures at URLs over HTTP: wherever JSON takes a picture, if it is on, and nowhere if not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from latent.errors import FetchError, InputError
from latent.settings import Settings
from service.app import SEARCH_ROUTES, create_app, search_app
from service.fetching.fetch import Fetcher
from service.fetching.places import allowed
from service.state import open_search_state

GREEN, GONE = "https://pictures.example/green.png", "https://pictures.example/gone.png"
THING = {"image": GREEN}


class Album(Fetcher):
    """Knows one picture, and counts what it is asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__(allowed("pictures.example"))
        self.asked: list[str] = []
        self._content = content

    async def fetch_all(self, urls: Sequence[str]) -> list[bytes | InputError]:
        self.asked += urls
        return [self._content if url == GREEN else FetchError("it is gone") for url in urls]


@pytest.fixture
def album(photos: Path) -> Album:
    return Album((photos / "green.png").read_bytes())


@pytest.fixture
def client(settings: Settings, album: Album) -> Iterator[TestClient]:
    opened = partial(open_search_state, settings)
    app = create_app(opened, settings, SEARCH_ROUTES, title="t", fetcher=album)
    with TestClient(app) as client:
        client.put("/v1/collections/main", json={}).raise_for_status()
        items = [{"id": name, "text": f"a {name} thing"} for name in ("red", "green")]
        client.put("/v1/collections/main/items", json={"items": items}).raise_for_status()
        yield client


ASKING: list[tuple[str, dict[str, Any]]] = [
    ("collections/main/query", {"query": THING}),
    ("collections/main/query", {"query": [{"text": "red", "weight": 0.1}, THING]}),
    ("collections/main/query", {"query": {"analogy": ["red", "blue", THING]}}),
    ("collections/main/check", {"query": THING}),
    ("collections/main/walk", {"between": ["red", THING], "steps": 2}),
    ("similarity", {"source": THING, "targets": ["green"]}),
    ("similarity", {"source": "green", "targets": [THING]}),
    ("classify", {"inputs": [THING], "labels": ["red", "green"]}),
    ("embeddings", {"input": THING}),
    ("embeddings", {"input": ["green", THING]}),
    ("rerank", {"query": "green", "documents": [THING]}),
]


@pytest.mark.parametrize(("path", "body"), ASKING)
def test_a_url_is_a_picture_wherever_one_can_be_given(
    client: TestClient, album: Album, path: str, body: dict[str, Any]
) -> None:
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    assert album.asked == [GREEN]


def test_it_is_the_picture_that_is_there(client: TestClient) -> None:
    hits = client.post("/v1/collections/main/query", json={"query": THING}).json()["hits"]
    assert hits[0]["id"] == "green"


def test_an_item_whose_picture_is_gone_keeps_no_other_from_being_stored(
    client: TestClient,
) -> None:
    items = [{"id": "a", "image": GREEN}, {"id": "b", "image": GONE}, {"id": "c", "text": "red"}]
    answer = client.put("/v1/collections/main/items", json={"items": items}).json()["items"]
    assert [one["status"] for one in answer] == ["indexed", "failed", "indexed"]
    assert answer[1]["error"]["code"] == "not_fetched"


def test_metadata_and_filters_are_no_pictures(client: TestClient, album: Album) -> None:
    item = {"id": "a", "text": "red", "metadata": {"image": GREEN}}
    client.put("/v1/collections/main/items", json={"items": [item]}).raise_for_status()
    body = {"query": "red", "filter": {"image": GREEN}}
    assert client.post("/v1/collections/main/query", json=body).json()["hits"][0]["id"] == "a"
    assert not album.asked


def test_what_is_gone_is_a_problem(client: TestClient) -> None:
    answer = client.post("/v1/embeddings", json={"input": {"image": GONE}})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_fetched")


@pytest.mark.parametrize(("path", "body"), ASKING)
def test_by_default_no_url_is_fetched(settings: Settings, path: str, body: dict[str, Any]) -> None:
    with TestClient(search_app(settings)) as client:
        client.put("/v1/collections/main", json={}).raise_for_status()
        answer = client.post(f"/v1/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "not_fetched")


def test_a_host_that_is_none_is_told_at_the_start(settings: Settings) -> None:
    with pytest.raises(InputError, match="NEARFIELD_FETCH_HOSTS"):
        search_app(settings.model_copy(update={"fetch_hosts": "https://x"}))
