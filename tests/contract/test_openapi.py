"""The OpenAPI document is a contract: it changes only on purpose, and its examples work.

After a change on purpose, write it down anew:

    python tests/contract/test_openapi.py
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from latent.models import registry
from latent.settings import Settings
from service.app import search_app, similarity_app
from service.schemas import DOT

SNAPSHOT = Path(__file__).with_name("openapi.json")
IDS = {"collection": "main", "id": "notes/1", "name": "winter"}


@cache
def document() -> dict[str, Any]:
    """The document of the search app, without opening anything."""
    return search_app(Settings(model="colours")).openapi()


def written(content: dict[str, Any]) -> str:
    # The version of the product is no part of the contract.
    content = {**content, "info": {**content["info"], "version": ""}}
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, by_method in document()["paths"].items():
        for method, operation in by_method.items():
            yield method, path, operation


def bodies() -> list[Any]:
    """Every example of a JSON body: method, path, schema, example."""
    found = []
    for method, path, operation in operations():
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is not None:
            name = schema["$ref"].rsplit("/", 1)[-1]
            for example in document()["components"]["schemas"][name]["examples"]:
                found.append(pytest.param(method, path, name, example, id=f"{method} {path}"))
    return found


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service with the bundled model, for the examples name it."""
    settings = Settings(data=tmp_path_factory.mktemp("service"), model="mini", threads=2)
    with TestClient(search_app(settings)) as opened:
        opened.put("/v1/collections/main", json={}).raise_for_status()
        more = [{"id": f"notes/{n}", "text": f"note {n}"} for n in (2, 3)]  # examples name them
        opened.put("/v1/collections/main/items", json={"items": more}).raise_for_status()
        yield opened


def test_the_document_is_as_it_was_written_down() -> None:
    assert written(document()) == SNAPSHOT.read_text(encoding="utf-8")


def test_no_two_bodies_have_one_name() -> None:
    assert [
        name for name in document()["components"]["schemas"] if name.startswith("service__")
    ] == []


def test_the_similarity_app_is_a_part_of_the_search_app() -> None:
    small = similarity_app(Settings(model="colours")).openapi()
    whole = document()
    assert set(small["paths"]) < set(whole["paths"])
    for path, by_method in small["paths"].items():
        assert by_method == whole["paths"][path]


def test_the_endpoints_are_those_of_the_house() -> None:
    named = {
        "/healthz": {"get"},
        "/v1/classify": {"post"},
        "/v1/collections/{collection}/duplicates": {"post"},
        "/metrics": {"get"},
        "/readyz": {"get"},
        "/v1/collections": {"get"},
        "/v1/collections/{collection}": {"get", "put", "delete"},
        "/v1/collections/{collection}/check": {"post"},
        "/v1/collections/{collection}/facets": {"get"},
        "/v1/collections/{collection}/failures": {"get"},
        "/v1/keys": {"get", "post"},
        "/v1/keys/{name}": {"delete"},
        "/v1/collections/{collection}/map": {"get", "post"},
        "/v1/collections/{collection}/map/hits": {"post"},
        "/v1/collections/{collection}/explain": {"post"},
        "/v1/collections/{collection}/concepts": {"get"},
        "/v1/collections/{collection}/concepts/meanings": {"post"},
        "/v1/collections/{collection}/concepts/{name}": {"put", "delete"},
        "/v1/collections/{collection}/axis": {"post"},
        "/v1/collections/{collection}/groups": {"get"},
        "/v1/collections/{collection}/thumbnails/{id}": {"get"},
        "/v1/collections/{collection}/items": {"put"},
        "/v1/collections/{collection}/items/count": {"post"},
        "/v1/collections/{collection}/items/scroll": {"post"},
        "/v1/collections/{collection}/items/upload": {"post"},
        "/v1/collections/{collection}/items/{id}": {"get", "delete"},
        "/v1/collections/{collection}/query": {"post"},
        "/v1/collections/{collection}/queries": {"post"},
        "/v1/collections/{collection}/query/upload": {"post"},
        "/v1/collections/{collection}/search": {"get"},
        "/v1/collections/{collection}/switch": {"post"},
        "/v1/collections/{collection}/walk": {"post"},
        "/v1/embeddings": {"post"},
        "/v1/models": {"get"},
        "/v1/rerank": {"post"},
        "/v1/similarity": {"post"},
    }
    assert {path: set(by_method) for path, by_method in document()["paths"].items()} == named


def test_every_operation_says_what_it_does_and_what_can_go_wrong() -> None:
    for method, path, operation in operations():
        assert operation["description"], (method, path)
        assert operation["tags"], (method, path)
        assert set(operation["responses"]) == {"200", "4XX", "5XX"}, (method, path)
        for status in ("4XX", "5XX"):
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"], (method, path)


def test_every_json_body_has_an_example() -> None:
    taking_json = [
        (method, path)
        for method, path, operation in operations()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(taking_json) == 20
    assert {(one.values[0], one.values[1]) for one in bodies()} == set(taking_json)


@pytest.mark.parametrize(("method", "path", "name", "example"), bodies())
def test_every_example_is_valid(method: str, path: str, name: str, example: Any) -> None:
    whole = document()
    schema = {**whole["components"]["schemas"][name], "components": whole["components"]}
    Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize(("method", "path", "name", "example"), bodies())
def test_every_example_works_when_it_is_sent(
    client: TestClient, method: str, path: str, name: str, example: Any
) -> None:
    answer = client.request(method, path.format(**IDS), json=example)
    assert answer.status_code == 200, answer.text
    if path == "/v1/keys":  # from now on the service asks for one
        client.headers["X-API-Key"] = answer.json()["key"]
    items = answer.json().get("items")
    if isinstance(items, list):
        assert "failed" not in {item.get("status") for item in items}, items


def test_the_uploads_take_what_they_say(client: TestClient, photos: Path) -> None:
    picture = (photos / "red.png").read_bytes()
    stored = client.post("/v1/collections/main/items/upload", files={"files": ("a.png", picture)})
    assert [one["status"] for one in stored.json()["items"]] == ["indexed"]
    asked = client.post("/v1/collections/main/query/upload", files={"image": ("a.png", picture)})
    assert asked.json()["hits"][0]["uri"] == "a.png"


def test_the_example_picture_is_one() -> None:
    assert DOT.startswith("data:image/png;base64,")
    assert "mini" in registry.BUNDLED


if __name__ == "__main__":
    SNAPSHOT.write_text(written(document()), encoding="utf-8")
    sys.stderr.write(f"wrote {SNAPSHOT.name}\n")
