"""Search over HTTP, on the real app with the model that knows colours."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from httpx2 import Response
from PIL import Image
from starlette.testclient import TestClient

from latent.items import Item as StoredItem
from latent.items import Modality, Passage
from latent.models.colours import COLOURS, ColourEmbedder
from latent.settings import Settings
from latent.wiring import open_store
from service.answers import EmbeddingsAnswer, QueryAnswer
from service.app import search_app

QUERY = "/v1/collections/main/query"
CHECK = "/v1/collections/main/check"
JSON = {"content-type": "application/json"}
WORDS = ["red", "green", "blue", "yellow"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The search app; `main` holds four photos and four texts, and no test changes them."""
    settings = Settings(
        data=tmp_path_factory.mktemp("search"), model="colours", threads=2, min_relevance=0
    )
    with TestClient(search_app(settings)) as opened:
        opened.put("/v1/collections/main", json={}).raise_for_status()
        items = [
            {"id": f"photos/{word}.png", "image": drawn(word), "metadata": {"n": n}}
            for n, word in enumerate(WORDS)
        ]
        items += [{"id": f"note-{word}", "text": f"a {word} thing"} for word in WORDS]
        put = opened.put("/v1/collections/main/items", json={"items": items}).json()
        assert {item["status"] for item in put["items"]} == {"indexed"}
        yield opened


def drawn(colour: str) -> str:
    """A picture of one colour in base64, the same as that of the folder `photos`."""
    content = BytesIO()
    Image.new("RGB", (24, 16), COLOURS[colour]).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def url(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def test_words_find_a_picture(client: TestClient) -> None:
    answer = client.post(QUERY, json={"query": "a green thing", "k": 1, "modality": "image"})
    assert answer.status_code == 200
    body = answer.json()
    (hit,) = body["hits"]
    assert hit["id"] == hit["uri"] == "photos/green.png"
    assert hit["modality"] == "image"
    assert hit["metadata"] == {"n": 1}
    assert 0.9 < hit["score"] <= 1.0
    assert (body["collection"], body["model"]) == ("main", "colours")
    assert set(body["took_ms"]) >= {"embed", "search", "catalog"}
    assert isinstance(body["cursor"], str)


@pytest.mark.parametrize(
    ("query", "modality", "expected"),
    [
        ({"text": "something blue"}, "image", "photos/blue.png"),
        ({"text": "something blue"}, "text", "note-blue"),
        ({"id": "photos/red.png"}, "text", "note-red"),
        ({"id": "note-red"}, "image", "photos/red.png"),
        ([{"text": "red green"}, {"text": "green", "weight": -1}], "image", "photos/red.png"),
    ],
)
def test_every_modality_finds_every_other(
    client: TestClient, query: object, modality: str, expected: str
) -> None:
    body = client.post(QUERY, json={"query": query, "k": 1, "modality": modality}).json()
    assert [hit["id"] for hit in body["hits"]] == [expected]


def test_a_picture_finds_pictures_and_texts(client: TestClient, photos: Path) -> None:
    query = {"image": url(photos / "yellow.png")}
    body = client.post(QUERY, json={"query": query, "k": 2}).json()
    assert [hit["id"] for hit in body["hits"]] == ["photos/yellow.png", "note-yellow"]


def test_a_picture_can_be_sent_as_a_file(client: TestClient, photos: Path) -> None:
    with (photos / "yellow.png").open("rb") as file:
        answer = client.post(
            f"{QUERY}/upload",
            files={"image": file},
            data={"k": "1", "modality": "text", "with_vector": "true"},
        )
    (hit,) = answer.json()["hits"]
    assert hit["id"] == "note-yellow"
    assert len(hit["vector"]) == 16


def test_a_vector_finds_and_is_found(client: TestClient) -> None:
    vector = ColourEmbedder().embed_texts(["blue"])[0].tolist()
    asked = {"query": {"vector": vector}, "k": 1, "modality": "image", "with_vector": True}
    (hit,) = client.post(QUERY, json=asked).json()["hits"]
    assert hit["id"] == "photos/blue.png"
    assert sum(value * value for value in hit["vector"]) == pytest.approx(1.0)


def test_a_hit_has_no_vector_unless_asked(client: TestClient) -> None:
    (hit,) = client.post(QUERY, json={"query": "red", "k": 1}).json()["hits"]
    assert "vector" not in hit


def test_the_address_bar_asks_the_same(client: TestClient) -> None:
    asked = {"q": "green", "k": "1", "modality": "image", "filter": '{"n": 1}'}
    body = client.get("/v1/collections/main/search", params=asked).json()
    assert [hit["id"] for hit in body["hits"]] == ["photos/green.png"]
    asked["filter"] = '{"n": 2}'
    body = client.get("/v1/collections/main/search", params=asked).json()
    assert [hit["id"] for hit in body["hits"]] == ["photos/blue.png"]


@pytest.mark.parametrize("option", ["filtr={}", "min_relevence=0.9", "limit=3"])
def test_an_option_that_is_not_there_is_refused_in_the_address_bar(
    client: TestClient, option: str
) -> None:
    answer = client.get(f"/v1/collections/main/search?q=green&{option}")
    assert_problem(answer, 400, "invalid_input")
    assert option.partition("=")[0] in answer.text


def test_an_option_that_is_not_there_is_refused_beside_a_file(
    client: TestClient, photos: Path
) -> None:
    with (photos / "green.png").open("rb") as file:
        answer = client.post(f"{QUERY}/upload", files={"image": file}, data={"limit": "3"})
    assert_problem(answer, 400, "invalid_input")
    assert "limit" in answer.text


def test_pages_hold_everything_once(client: TestClient) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        body = client.post(QUERY, json={"query": "red", "k": 3, "cursor": cursor}).json()
        seen += [hit["id"] for hit in body["hits"]]
        cursor = body["cursor"]
        if cursor is None:
            break
    assert cursor is None
    assert len(seen) == len(set(seen)) == 8


@pytest.mark.parametrize(
    "more",
    [{}, {"with_vector": True, "explain": True}, {"mode": "hybrid"}, {"group_by": "$modality"}],
)
def test_answers_are_of_the_form_that_is_documented(
    client: TestClient, more: dict[str, object]
) -> None:
    sent = client.post(QUERY, json={"query": "a green thing", **more}).content
    answer = QueryAnswer.model_validate_json(sent, extra="forbid")
    assert answer.hits
    assert json.loads(answer.model_dump_json(exclude_unset=True)) == json.loads(sent)


def test_what_was_asked_before_is_answered_alike(client: TestClient) -> None:
    first, second = (
        client.post(QUERY, json={"query": "a yellow thing, twice"}).json() for _ in range(2)
    )
    assert first["hits"] == second["hits"]
    assert second["took_ms"]["embed"] == 0


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors_are_of_the_form_that_is_documented(client: TestClient, encoding: str) -> None:
    body = {"input": ["red", "blue"], "encoding_format": encoding}
    sent = client.post("/v1/embeddings", json=body).content
    answer = EmbeddingsAnswer.model_validate_json(sent, extra="forbid")
    assert json.loads(answer.model_dump_json()) == json.loads(sent)


def test_a_hit_in_a_document_names_its_passage_and_no_path(settings: Settings) -> None:
    with open_store(settings) as store:
        vector = ColourEmbedder().embed_texts(["red"])[0]
        passage = Passage("notes/a.md", number=1, of=3, start=10, end=13)
        item = StoredItem(
            *("a-1", Modality.TEXT, vector, "notes/a.md", "red", passage, {}),
            source="/secret/place/notes/a.md",
        )
        store.ensure("main").put([item])
    with TestClient(search_app(settings)) as client:
        answer = client.post(QUERY, json={"query": "red"})
        (hit,) = answer.json()["hits"]
        stored = client.get("/v1/collections/main/items/a-1")
    assert hit["passage"] == {
        "document": "notes/a.md",
        "number": 1,
        "of": 3,
        "start": 10,
        "end": 13,
    }
    assert hit["text"] == "red"
    assert "secret" not in answer.text + stored.text


def test_check_tells_the_same_from_the_similar_from_the_other(
    client: TestClient, photos: Path
) -> None:
    same = client.post(CHECK, json={"query": {"image": url(photos / "red.png")}}).json()
    assert (same["is_match"], same["tier"]) == (True, "identical")
    assert same["matches"][0]["id"] == "photos/red.png"
    near = client.post(CHECK, json={"query": "red thing here", "threshold": 0.9}).json()
    assert (near["is_match"], near["tier"]) == (True, "near")
    none = client.post(CHECK, json={"query": {"image": url(photos / "grey.png")}}).json()
    assert (none["is_match"], none["tier"], none["matches"]) == (False, "none", [])


def test_check_uses_the_threshold_that_is_given(client: TestClient) -> None:
    asked = {"query": "red green", "threshold": 0.99}
    assert client.post(CHECK, json=asked).json()["is_match"] is False
    asked = {"query": "red green", "threshold": 0.5}
    body = client.post(CHECK, json=asked).json()
    assert body["is_match"] is True
    assert all(hit["score"] >= 0.5 for hit in body["matches"])


BAD: dict[str, tuple[object, int, str]] = {
    "an empty query": ({"query": ""}, 400, "invalid_input"),
    "an empty list": ({"query": []}, 400, "invalid_input"),
    "10,000 words": ({"query": "word " * 10_000}, 400, "invalid_input"),
    "k is 0": ({"query": "red", "k": 0}, 400, "invalid_input"),
    "k is 10^9": ({"query": "red", "k": 10**9}, 400, "invalid_input"),
    "k is a word": ({"query": "red", "k": "many"}, 400, "invalid_input"),
    "a wrong dimension": ({"query": {"vector": [1, 2, 3]}}, 409, "space_mismatch"),
    "an empty vector": ({"query": {"vector": []}}, 400, "invalid_input"),
    "a vector of zeros": ({"query": {"vector": [0] * 16}}, 400, "invalid_input"),
    "an unknown item": ({"query": {"id": "nothing"}}, 404, "unknown_item"),
    "an unknown field": ({"query": "red", "colour": "red"}, 400, "invalid_input"),
    "an unknown modality": ({"query": "red", "modality": "smell"}, 400, "invalid_input"),
    "no query": ({}, 400, "invalid_input"),
    "a list": ([], 400, "invalid_input"),
    "a filter with an operator": ({"query": "red", "filter": {"$or": 1}}, 400, "invalid_filter"),
    "a filter with a list": ({"query": "red", "filter": {"n": [1]}}, 400, "invalid_filter"),
    "an image at a URL": ({"query": {"image": "http://a.example/b"}}, 422, "not_fetched"),
    "an image that is text": ({"query": {"image": "aGVsbG8="}}, 422, "unreadable_image"),
    "an image that is no base64": ({"query": {"image": "hello!"}}, 400, "invalid_input"),
    "another kind of data": (
        {"query": {"image": "data:text/plain;base64,aGk="}},
        415,
        "unsupported_media",
    ),
    "a cursor of nobody": ({"query": "red", "cursor": "abc"}, 400, "invalid_input"),
    "two things in a part": ({"query": {"text": "a", "id": "b"}}, 400, "invalid_input"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_questions_get_a_problem(client: TestClient, name: str) -> None:
    body, status, code = BAD[name]
    assert_problem(client.post(QUERY, json=body), status, code)


BAD_BYTES = {
    "no JSON": b'{"query": ',
    "nothing": b"",
    "NaN": b'{"query": {"vector": [NaN]}}',
    "infinity": b'{"query": {"vector": [Infinity]}}',
    "a number too large": b'{"query": {"vector": [1e999]}}',
    "half a surrogate pair": rb'{"query": "\ud800"}',
    "no UTF-8": b'{"query": "\xff"}',
    "a deep nest": b'{"query": ' + b"[" * 50_000,
    "a number of 5,000 digits": b'{"query": {"vector": [' + b"9" * 5_000 + b"]}}",
}


@pytest.mark.parametrize("name", BAD_BYTES)
def test_bad_json_gets_a_problem(client: TestClient, name: str) -> None:
    answer = client.post(QUERY, content=BAD_BYTES[name], headers=JSON)
    assert_problem(answer, 400, "invalid_input")


def test_a_body_that_does_not_say_it_is_json_gets_a_problem(client: TestClient) -> None:
    answer = client.post(QUERY, content=b'{"query": "red"}', headers={"content-type": "text/plain"})
    assert_problem(answer, 400, "invalid_input")


def test_a_problem_names_the_place(client: TestClient) -> None:
    body = client.post(QUERY, json={"query": {"vector": [1, "two"]}}).json()
    assert "vector.1" in body["detail"]
    assert any("vector.1" in place["where"] for place in body["errors"])


def test_a_problem_does_not_list_thousands_of_places(client: TestClient) -> None:
    body = client.post(QUERY, json={"query": {"vector": ["x"] * 5_000}}).json()
    assert len(body["errors"]) <= 20


@pytest.mark.parametrize("filter", ["{", "[]", "7", r'{"a": "\ud800"}', '{"a": NaN}'])
def test_a_bad_filter_in_the_address_bar_gets_a_problem(client: TestClient, filter: str) -> None:
    answer = client.get("/v1/collections/main/search", params={"q": "red", "filter": filter})
    assert_problem(answer, 400, "invalid_filter")


def test_an_unknown_collection_gets_a_problem(client: TestClient) -> None:
    answer = client.post("/v1/collections/nowhere/query", json={"query": "red"})
    assert_problem(answer, 404, "unknown_collection")
    assert "nowhere" in answer.json()["detail"]


def test_a_bomb_is_refused_before_it_is_decoded(settings: Settings, photos: Path) -> None:
    small = settings.model_copy(update={"max_pixels": 100})
    with TestClient(search_app(small)) as client:
        client.put("/v1/collections/main", json={}).raise_for_status()
        answer = client.post(QUERY, json={"query": {"image": url(photos / "red.png")}})
    assert_problem(answer, 413, "image_too_large")


def test_a_truncated_picture_gets_a_problem(client: TestClient, photos: Path) -> None:
    half = (photos / "red.png").read_bytes()[:60]
    query = {"image": base64.b64encode(half).decode()}
    assert_problem(client.post(QUERY, json={"query": query}), 422, "unreadable_image")


def test_a_collection_of_own_vectors_refuses_words(client: TestClient) -> None:
    client.put("/v1/collections/mine", json={"model": "vectors:2"}).raise_for_status()
    answer = client.post("/v1/collections/mine/query", json={"query": "red"})
    assert_problem(answer, 415, "unsupported_media")


def assert_problem(answer: Response, status: int, code: str) -> None:
    """The answer is a problem of this kind, whole, and marked with the id of its request."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = json.loads(answer.content)
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(body)
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"/docs#problem-{code}"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["detail"]
    assert "Traceback" not in body["detail"]
