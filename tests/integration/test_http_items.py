"""Live items and collections over HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from latent.catalog.catalog import Catalog
from latent.catalog.opening import open_engine
from latent.items import Vectors
from latent.models.colours import ColourEmbedder
from latent.models.loaded import LoadedModels
from latent.settings import Settings
from latent.store import Store
from service.app import SEARCH_ROUTES, create_app, search_app
from service.embedding.placing import Placer
from service.embedding.workers import Workers
from service.explore.explorer import Explorer
from service.query import QueryEngine
from service.seen.metrics import Metrics
from service.state import Readiness, SearchState, door_of

ITEMS = "/v1/collections/main/items"
QUERY = "/v1/collections/main/query"


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """The search app with an empty collection `main`."""
    with TestClient(search_app(settings)) as opened:
        opened.put("/v1/collections/main", json={}).raise_for_status()
        yield opened


def put(client: TestClient, *items: dict[str, Any], collection: str = "main") -> dict[str, Any]:
    answer = client.put(f"/v1/collections/{collection}/items", json={"items": list(items)})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def statuses(body: dict[str, Any]) -> list[str]:
    return [item["status"] for item in body["items"]]


def picture(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def found(client: TestClient, words: str) -> list[str]:
    body = client.post(QUERY, json={"query": words}).json()
    return [hit["id"] for hit in body["hits"]]


def test_what_was_put_is_found_by_the_next_query(client: TestClient, photos: Path) -> None:
    put(client, {"id": "a", "image": picture(photos / "red.png")}, {"id": "b", "text": "blue"})
    assert found(client, "red") == ["a", "b"]
    put(client, {"id": "c", "text": "red"})
    assert set(found(client, "red")[:2]) == {"a", "c"}


def test_an_id_may_hold_slashes(client: TestClient) -> None:
    put(client, {"id": "a/b/c d?.txt", "text": "red"})
    got = client.get(f"{ITEMS}/a/b/c%20d%3F.txt")
    assert got.json()["id"] == "a/b/c d?.txt"
    assert client.delete(f"{ITEMS}/a/b/c%20d%3F.txt").json() == {"deleted": "a/b/c d?.txt"}


def test_an_item_is_given_back_as_it_was_put(client: TestClient) -> None:
    metadata = {"n": 1, "deep": {"list": [1, None, "ü"]}}
    put(client, {"id": "a", "text": "red", "metadata": metadata, "uri": "notes/a.txt"})
    assert client.get(f"{ITEMS}/a").json() == {
        "id": "a",
        "uri": "notes/a.txt",
        "modality": "text",
        "metadata": metadata,
        "text": "red",
    }
    with_vector = client.get(f"{ITEMS}/a", params={"with_vector": True}).json()
    assert with_vector["vector"] == ColourEmbedder().embed_texts(["red"])[0].tolist()


def test_a_text_beside_a_picture_is_kept_and_not_embedded(client: TestClient, photos: Path) -> None:
    put(client, {"id": "a", "image": picture(photos / "red.png"), "text": "green"})
    put(client, {"id": "b", "text": "green"})
    assert found(client, "green") == ["b", "a"]
    assert client.get(f"{ITEMS}/a").json()["text"] == "green"


def test_what_was_deleted_is_not_found(client: TestClient) -> None:
    put(client, {"id": "a", "text": "red"}, {"id": "b", "text": "red blue"})
    assert client.delete(f"{ITEMS}/a").status_code == 200
    assert found(client, "red") == ["b"]
    for answer in (client.get(f"{ITEMS}/a"), client.delete(f"{ITEMS}/a")):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_item")


def test_one_bad_item_keeps_no_other_from_being_stored(client: TestClient, photos: Path) -> None:
    body = put(
        client,
        {"id": "good", "text": "red"},
        {"id": "empty", "text": ""},
        {"id": "long", "text": "word " * 100},
        {"id": "no picture", "image": base64.b64encode(b"hello").decode()},
        {"id": "no base64", "image": "hello!"},
        {"id": "nothing"},
        {"id": "short vector", "vector": [1, 2], "modality": "text"},
        {"id": "no modality", "vector": [1] * 16},
        {"id": "zeros", "vector": [0] * 16, "modality": "text"},
        {"id": "both", "vector": [1] * 16, "modality": "image", "image": "aGk="},
        {"id": "other modality", "text": "red", "modality": "image"},
        {"id": "good", "text": "blue"},
        {"id": "good picture", "image": picture(photos / "red.png")},
    )
    by_id = {item["id"]: item for item in body["items"][:-2]}
    assert {item_id: item.get("error", {}).get("code") for item_id, item in by_id.items()} == {
        "good": None,
        "empty": "invalid_input",
        "long": "invalid_input",
        "no picture": "unreadable_image",
        "no base64": "invalid_input",
        "nothing": "invalid_input",
        "short vector": "space_mismatch",
        "no modality": "invalid_input",
        "zeros": "invalid_input",
        "both": "invalid_input",
        "other modality": "invalid_input",
    }
    assert "100" in by_id["long"]["error"]["detail"]
    assert "64" in by_id["long"]["error"]["detail"]
    assert statuses(body)[-2:] == ["failed", "indexed"]
    assert "twice" in body["items"][-2]["error"]["detail"]
    assert client.post(f"{ITEMS}/count", json={}).json() == {"count": 2}


def test_an_item_that_did_not_change_is_unchanged(client: TestClient, photos: Path) -> None:
    items: list[dict[str, Any]] = [
        {"id": "a", "text": "red", "metadata": {"n": 1}},
        {"id": "b", "image": picture(photos / "red.png")},
        {"id": "c", "vector": [1.0, 2.0] * 8, "modality": "image"},
    ]
    first = put(client, *items)
    assert statuses(first) == ["indexed"] * 3
    again = put(client, *items)
    assert statuses(again) == ["unchanged"] * 3
    assert again["sequence"] == first["sequence"]
    items[0]["metadata"] = {"n": 2}
    items[1]["uri"] = "elsewhere.png"
    changed = put(client, *items)
    assert statuses(changed) == ["indexed", "indexed", "unchanged"]
    assert changed["sequence"] > first["sequence"]
    assert client.get(f"{ITEMS}/a").json()["metadata"] == {"n": 2}


def test_metadata_that_differ_only_by_type_are_stored(client: TestClient) -> None:
    for value in (1, True, 1.0, 1):
        body = put(client, {"id": "a", "text": "red", "metadata": {"deep": [value], "n": 0}})
        assert statuses(body) == ["indexed"]
        (stored,) = client.get(f"{ITEMS}/a").json()["metadata"]["deep"]
        assert (stored, type(stored)) == (value, type(value))
    body = put(client, {"id": "a", "text": "red", "metadata": {"n": 0, "deep": [1]}})
    assert statuses(body) == ["unchanged"]


class CountingColours(ColourEmbedder):
    """Knows how many texts it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.seen += len(texts)
        return super().embed_texts(texts)


def test_nothing_is_embedded_for_what_is_unchanged(settings: Settings) -> None:
    model = CountingColours()
    settings.data.mkdir(parents=True)
    engine = open_engine(f"sqlite:///{settings.data / 'catalog.sqlite3'}")
    store = Store(
        settings, Catalog(engine), settings.data / "index", LoadedModels(settings, lambda *_: model)
    )

    @asynccontextmanager
    async def opened(metrics: Metrics) -> Any:
        workers = Workers(2)
        placer = Placer(settings, workers)
        yield SearchState(
            settings=settings,
            metrics=metrics,
            door=door_of(settings),
            workers=workers,
            placer=placer,
            readiness=Readiness(),
            embedder=store.embedder,
            store=store,
            engine=QueryEngine(store),
            explorer=Explorer(store),
        )
        await placer.close()
        workers.close()
        store.close()

    with TestClient(create_app(opened, settings, SEARCH_ROUTES, title="counting")) as client:
        client.put("/v1/collections/main", json={}).raise_for_status()
        put(client, {"id": "a", "text": "red"}, {"id": "b", "text": "blue"})
        assert model.seen == 2
        put(client, {"id": "a", "text": "red"}, {"id": "b", "text": "green"})
        assert model.seen == 3


def test_pictures_are_uploaded_as_files(client: TestClient, photos: Path) -> None:
    red, blue = (photos / "red.png").read_bytes(), (photos / "blue.png").read_bytes()
    files = [("files", ("red.png", red)), ("files", ("blue.png", blue)), ("files", ("x.png", b"x"))]
    answer = client.post(f"{ITEMS}/upload", files=files, data={"metadata": '{"from": "camera"}'})
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [item["status"] for item in items] == ["indexed", "indexed", "failed"]
    assert items[0]["id"] == hashlib.sha256(red).hexdigest()[:16]
    assert "x.png" in items[2]["error"]["detail"]
    stored = client.get(f"{ITEMS}/{items[1]['id']}").json()
    assert (stored["uri"], stored["metadata"]) == ("blue.png", {"from": "camera"})
    assert found(client, "red") == [items[0]["id"], items[1]["id"]]


def test_uploads_may_name_their_ids(client: TestClient, photos: Path) -> None:
    files = [("files", ("red.png", (photos / "red.png").read_bytes()))]
    answer = client.post(f"{ITEMS}/upload", files=files, data={"ids": ["mine"]})
    assert [item["id"] for item in answer.json()["items"]] == ["mine"]
    answer = client.post(f"{ITEMS}/upload", files=files, data={"ids": ["mine", "yours"]})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


@pytest.mark.parametrize("metadata", ["{", "[]", '{"a": NaN}'])
def test_an_upload_with_bad_metadata_is_refused(
    client: TestClient, photos: Path, metadata: str
) -> None:
    files = [("files", ("red.png", (photos / "red.png").read_bytes()))]
    answer = client.post(f"{ITEMS}/upload", files=files, data={"metadata": metadata})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_scrolling_gives_everything_once_in_order_of_arrival(client: TestClient) -> None:
    put(client, *[{"id": f"i{n}", "text": "red", "metadata": {"n": n % 2}} for n in range(7)])
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        body = client.post(f"{ITEMS}/scroll", json={"limit": 2, "cursor": cursor}).json()
        seen += [item["id"] for item in body["items"]]
        cursor = body["cursor"]
    assert cursor is None
    assert seen == [f"i{n}" for n in range(7)]
    some = client.post(f"{ITEMS}/scroll", json={"filter": {"n": 1}, "with_vector": True}).json()
    assert [item["id"] for item in some["items"]] == ["i1", "i3", "i5"]
    assert len(some["items"][0]["vector"]) == 16


def test_a_cursor_of_another_list_is_refused(client: TestClient) -> None:
    put(client, *[{"id": f"i{n}", "text": "red"} for n in range(3)])
    cursor = client.post(f"{ITEMS}/scroll", json={"limit": 1}).json()["cursor"]
    body = {"limit": 1, "cursor": cursor, "modality": "text"}
    answer = client.post(f"{ITEMS}/scroll", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_counting_counts_what_matches(client: TestClient, photos: Path) -> None:
    put(client, *[{"id": f"i{n}", "text": "red", "metadata": {"n": n}} for n in range(3)])
    put(client, {"id": "p", "image": picture(photos / "red.png")})
    count = f"{ITEMS}/count"
    assert client.post(count, json={}).json() == {"count": 4}
    assert client.post(count, json={"modality": "text"}).json() == {"count": 3}
    assert client.post(count, json={"filter": {"n": 2}}).json() == {"count": 1}


def test_more_items_than_the_limit_are_refused(settings: Settings) -> None:
    small = settings.model_copy(update={"max_batch_items": 2})
    with TestClient(search_app(small)) as client:
        client.put("/v1/collections/main", json={}).raise_for_status()
        items = [{"id": str(n), "text": "red"} for n in range(3)]
        bodies: list[dict[str, Any]] = [{"items": items}, {"items": []}]
        for body in bodies:
            answer = client.put(ITEMS, json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
        assert "2" in client.put(ITEMS, json={"items": items}).json()["detail"]


def test_items_of_no_known_form_are_refused(client: TestClient) -> None:
    for item in (
        {"text": "red"},
        {"id": "", "text": "red"},
        {"id": "a\n", "text": "red"},
        {"id": "a" * 2000, "text": "red"},
        {"id": "a", "text": "red", "colour": "red"},
        {"id": "a", "text": "red", "metadata": []},
        {"id": "a", "text": 7},
        {"id": "a", "vector": ["x"], "modality": "text"},
    ):
        answer = client.put(ITEMS, json={"items": [item]})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input"), item


def test_items_of_an_unknown_collection_are_refused(client: TestClient) -> None:
    answer = client.put("/v1/collections/nowhere/items", json={"items": [{"id": "a", "text": "b"}]})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_collection")


def test_a_collection_is_made_described_listed_and_deleted(client: TestClient) -> None:
    made = client.put("/v1/collections/vectors", json={"model": "vectors:3"}).json()
    assert (made["name"], made["model"], made["dim"]) == ("vectors", "vectors:3", 3)
    assert (made["items"], made["index"]["kind"]) == (0, "exact")
    vectors = [{"id": "a", "vector": [3, 0, 0], "modality": "image"}]
    put(client, *vectors, collection="vectors")
    got = client.get("/v1/collections/vectors").json()
    assert (got["items"], got["images"], got["texts"]) == (1, 1, 0)
    assert got["sequence"] > made["sequence"]
    listed = client.get("/v1/collections").json()["collections"]
    assert [one["name"] for one in listed] == ["main", "vectors"]
    assert client.delete("/v1/collections/vectors").json() == {"deleted": "vectors"}
    for answer in (client.get("/v1/collections/vectors"), client.delete("/v1/collections/vectors")):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_collection")


def test_making_a_collection_twice_gives_it_as_it_is(client: TestClient) -> None:
    put(client, {"id": "a", "text": "red"})
    for body in ({}, {"model": "colours"}):
        again = client.put("/v1/collections/main", json=body)
        assert (again.status_code, again.json()["items"]) == (200, 1)


def test_a_collection_keeps_its_model(client: TestClient) -> None:
    answer = client.put("/v1/collections/main", json={"model": "vectors:16"})
    assert (answer.status_code, answer.json()["code"]) == (409, "space_mismatch")
    assert "colours" in answer.json()["detail"]
    assert "vectors:16" in answer.json()["detail"]


@pytest.mark.parametrize(
    "model", ["nonsense", "vectors:x", "compiled:/etc", "openclip:/etc", "sentence:../x", "mini:1"]
)
def test_a_model_that_cannot_be_named_is_refused(client: TestClient, model: str) -> None:
    answer = client.put("/v1/collections/other", json={"model": model})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert client.get("/v1/collections/other").status_code == 404


def test_a_name_that_is_none_is_refused(client: TestClient) -> None:
    answer = client.put("/v1/collections/a%20b", json={})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_what_was_put_is_there_after_a_restart(settings: Settings) -> None:
    with TestClient(search_app(settings)) as client:
        client.put("/v1/collections/main", json={}).raise_for_status()
        put(client, {"id": "a", "text": "red"})
    with TestClient(search_app(settings)) as client:
        assert found(client, "red") == ["a"]


def test_a_cursor_that_holds_half_a_character_is_refused(client: TestClient) -> None:
    put(client, *({"id": str(n), "text": "green"} for n in range(3)))
    for path, body in ((QUERY, {"query": "green", "k": 1}), (f"{ITEMS}/scroll", {"limit": 1})):
        cursor = client.post(path, json=body).json()["cursor"]
        mark, position = json.loads(base64.urlsafe_b64decode(cursor + "=="))
        half: object = "\ud800"
        if isinstance(position, dict):
            half = {"text": [position["text"][0], half]}
        forged = base64.urlsafe_b64encode(json.dumps([mark, half]).encode()).decode()
        answer = client.post(path, json={**body, "cursor": forged.rstrip("=")})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


@pytest.mark.parametrize("given", ["", "a\nb", "x" * 1_025])
def test_an_upload_cannot_make_an_id_that_no_request_could_name(
    client: TestClient, photos: Path, given: str
) -> None:
    files = {"files": ("g.png", (photos / "green.png").read_bytes())}
    answer = client.post(f"{ITEMS}/upload", files=files, data={"ids": [given]})
    assert answer.status_code == 400
    assert client.post(f"{ITEMS}/count", json={}).json() == {"count": 0}


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7"])
def test_an_upload_whose_charset_makes_half_characters_is_refused(
    client: TestClient, photos: Path, charset: str
) -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="files"; filename="g.png"\r\n\r\n'
        + (photos / "green.png").read_bytes()
        + b'\r\n--B\r\nContent-Disposition: form-data; name="ids"\r\n\r\n'
        + {"unicode_escape": rb"\ud800", "utf-7": b"+2AA-"}[charset]
        + b"\r\n--B--\r\n"
    )
    headers = {"content-type": f"multipart/form-data; boundary=B; charset={charset}"}
    assert client.post(f"{ITEMS}/upload", content=body, headers=headers).status_code == 400


def test_an_upload_with_an_endless_number_in_its_metadata_is_refused(
    client: TestClient, photos: Path
) -> None:
    files = {"files": ("g.png", (photos / "green.png").read_bytes())}
    answer = client.post(f"{ITEMS}/upload", files=files, data={"metadata": '{"x": 1e999}'})
    assert answer.status_code == 400
    assert "more than a number can be" in answer.json()["detail"]


@pytest.mark.parametrize("model", ["openclip:" + "a" * 5_000, "vectors:" + "9" * 5_000])
def test_a_model_with_an_endless_name_is_refused(client: TestClient, model: str) -> None:
    answer = client.put("/v1/collections/other", json={"model": model})
    assert (answer.status_code, answer.json()["code"]) in (
        (400, "invalid_input"),
        (503, "model_unavailable"),
    )


def test_a_collection_is_told_by_which_codes_to_be_searched(client: TestClient) -> None:
    made = client.put("/v1/collections/main", json={"quantisation": "rabitq"})
    assert made.status_code == 200
    assert made.json()["index"]["quantisation"] == "float32"  # as long as it is small
    answer = client.put("/v1/collections/main", json={"quantisation": "bits"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
