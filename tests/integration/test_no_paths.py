"""The web shows no absolute path: not of files, not of models, not when something fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from indexer.pipeline import index
from latent.models import mini
from latent.models.places import without_places
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from service.app import search_app

ITEM_PATHS = ("", "/thumbnails/{id}", "/facets", "/items/{id}")


@pytest.fixture
def client(settings: Settings, photos: Path) -> Iterator[TestClient]:
    """A service over indexed files, notes, and rows of a manifest; the model is a place."""
    (photos / "note.txt").write_text("a green thing")
    (photos / "rows.csv").write_text("image,id\nred.png,row\nmissing.png,gone\n")
    with open_store(settings) as store:
        _indexed(store, settings, photos)
    with TestClient(search_app(settings)) as opened:
        yield opened


def _indexed(store: Store, settings: Settings, photos: Path) -> None:
    collection = store.ensure("main")
    index([photos, photos / "rows.csv"], collection, store.embedder(), settings)


def examples(document: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    """The bodies that the document shows for an operation."""
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    named = schema.get("$ref", "").rsplit("/", 1)[-1]
    found: list[Any] = document["components"]["schemas"].get(named, schema).get("examples", [])
    return found


def asked(client: TestClient) -> Iterator[Any]:
    """An answer of every endpoint, well or not; also to the example of its own document."""
    document = client.app.openapi()  # type: ignore[attr-defined]
    hits = client.post("/v1/collections/main/query", json={"query": "red", "k": 20}).json()["hits"]
    ids = [hit["id"] for hit in hits] + ["none"]
    bodies = [None, {}, {"query": "red", "explain": True, "k": 20}, {"limit": 100}]
    for path, by_method in document["paths"].items():
        for method in by_method.keys() - {"delete"}:
            own = examples(document, by_method[method])
            for item_id in ids if "{id}" in path else ids[:1]:
                for body in [*bodies, *own]:
                    where = path.format(collection="main", id=item_id, name="none")
                    yield client.request(method, where, json=body)


def test_no_answer_holds_an_absolute_path(client: TestClient, tmp_path: Path) -> None:
    answers = list(asked(client))
    assert sum(answer.status_code == 200 for answer in answers) > 60
    for answer in answers:
        assert str(tmp_path) not in answer.text, answer.request.url


def test_files_that_are_gone_are_told_by_their_uri(client: TestClient, photos: Path) -> None:
    for path in photos.iterdir():
        path.unlink()
    for answer in asked(client):
        assert str(photos) not in answer.text, answer.request.url


def test_a_broken_store_is_told_without_its_place(client: TestClient, settings: Settings) -> None:
    (settings.data / "keys.json").write_text("{")
    answer = client.get("/v1/collections", headers={"X-API-Key": "any"})
    assert answer.status_code == 503
    assert str(settings.data) not in answer.text
    assert "…/keys.json is damaged" in answer.json()["detail"]


def test_a_model_that_is_a_place_is_shown_by_its_name_and_found_by_it(
    settings: Settings, tmp_path: Path
) -> None:
    chosen = settings.model_copy(update={"model": f"compiled:{tmp_path}/models/none"})
    with TestClient(search_app(chosen)) as client:
        listed = client.get("/v1/models")
        assert "compiled:…/none" in {one["id"] for one in listed.json()["data"]}
        named = client.post("/v1/embeddings", json={"input": "a", "model": "compiled:…/none"})
        unnamed = client.put("/v1/collections/x", json={})
        for answer in (listed, named, unnamed, client.get("/readyz")):
            assert str(tmp_path) not in answer.text
        assert (named.status_code, named.json()["code"]) == (503, "model_unavailable")


def test_what_is_explained_does_not_say_where_a_model_lies(settings: Settings) -> None:
    chosen = settings.model_copy(update={"model": f"compiled:{mini.folder()}"})
    with TestClient(search_app(chosen)) as client:
        client.put("/v1/collections/x", json={})
        client.put("/v1/collections/x/items", json={"items": [{"id": "a", "text": "a red thing"}]})
        explained = client.post("/v1/collections/x/explain", json={"query": "red", "id": "a"})
        axis = client.post("/v1/collections/x/axis", json={"between": ["red", "green"], "k": 1})
        for answer in (explained, axis):
            assert answer.status_code == 200
            assert answer.json()["model"] == "compiled:…/mini"
            assert str(mini.folder().parent) not in answer.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot write in /home/ann/data: full", "cannot write in …/data: full"),
        ("'/home/ann/a.png' is gone", "'…/a.png' is gone"),
        ("compiled:/models/x@laion", "compiled:…/x@laion"),
        ("see /data", "see …/data"),
        ("openclip:ViT-B-32/laion2b", "openclip:ViT-B-32/laion2b"),
        ("either/or and 1/2 https://a.example/b/c", "either/or and 1/2 https://a.example/b/c"),
        ("…/x stays", "…/x stays"),
    ],
)
def test_of_an_absolute_path_its_end_is_left(text: str, shown: str) -> None:
    assert without_places(text) == shown
    assert os.sep + "home" not in without_places(text)
