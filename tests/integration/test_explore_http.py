"""Looking around in a collection over HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from threading import Event, current_thread
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from latent.settings import Settings
from service.app import search_app
from service.embedding.workers import LONG
from service.explore import landscape
from service.explore.landscape import Landscape


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(search_app(settings)) as opened:
        opened.put("/v1/collections/main", json={"model": "colours"})
        yield opened


def upload(client: TestClient, photos: Path, *names: str) -> None:
    files = [("files", (f"{name}.png", (photos / f"{name}.png").read_bytes())) for name in names]
    answer = client.post(
        "/v1/collections/main/items/upload", files=files, data={"ids": list(names)}
    )
    assert answer.status_code == 200, answer.text


def test_facets_follow_the_filter_and_every_write(client: TestClient) -> None:
    things = [{"id": str(n), "text": "red", "metadata": {"year": 2000 + n}} for n in range(3)]
    client.put("/v1/collections/main/items", json={"items": things})
    url = "/v1/collections/main/facets"
    everything = client.get(url).json()
    assert everything["items"] == 3
    (year,) = everything["fields"]
    assert (year["kind"], year["min"], year["max"]) == ("number", 2000, 2002)
    step = year["steps"][-1]
    late = {"year": {"$gte": step["from"], "$lt": step["to"]}}
    assert client.post(f"{url[:-6]}items/count", json={"filter": late}).json()["count"] == 1
    assert client.get(url, params={"filter": '{"year": {"$gt": 2000}}'}).json()["items"] == 2
    client.delete("/v1/collections/main/items/0")
    assert client.get(url).json()["items"] == 2
    assert client.get(url, params={"filter": '{"yaer": 1}'}).json()["code"] == "invalid_filter"


def test_an_upload_has_a_thumbnail_that_is_not_sent_twice(client: TestClient, photos: Path) -> None:
    upload(client, photos, "green")
    answer = client.get("/v1/collections/main/thumbnails/green")
    assert answer.headers["content-type"] == "image/webp"
    red, green, blue = Image.open(BytesIO(answer.content)).convert("RGB").getpixel((3, 3))  # type: ignore[misc]
    assert green > 140
    assert max(red, blue) < 40
    again = client.get(
        "/v1/collections/main/thumbnails/green", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_an_item_that_shows_something_else_has_another_thumbnail(
    client: TestClient, photos: Path
) -> None:
    upload(client, photos, "green")
    before = client.get("/v1/collections/main/thumbnails/green")
    (photos / "green.png").write_bytes((photos / "red.png").read_bytes())
    upload(client, photos, "green")
    after = client.get("/v1/collections/main/thumbnails/green")
    assert before.headers["etag"] != after.headers["etag"]
    assert before.content != after.content


def test_what_is_kept_of_an_upload_goes_with_the_last_item_that_shows_it(
    client: TestClient, photos: Path, settings: Settings
) -> None:
    (photos / "same.png").write_bytes((photos / "green.png").read_bytes())
    upload(client, photos, "green", "same", "red")

    def kept() -> int:
        return len(list(settings.data.glob("views/*/uploads/*/*.webp")))

    assert kept() == 2
    client.delete("/v1/collections/main/items/green")
    assert kept() == 2
    assert client.get("/v1/collections/main/thumbnails/same").status_code == 200
    client.delete("/v1/collections/main/items/same")
    assert kept() == 1
    (photos / "red.png").write_bytes((photos / "blue.png").read_bytes())
    upload(client, photos, "red")
    assert kept() == 1
    assert client.get("/v1/collections/main/thumbnails/red").status_code == 200


def test_an_item_without_a_picture_says_why(client: TestClient) -> None:
    client.put(
        "/v1/collections/main/items",
        json={"items": [{"id": "a/b", "text": "red"}]},
    )
    answer = client.get("/v1/collections/main/thumbnails/a/b")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    answer = client.get("/v1/collections/main/thumbnails/nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_item")


def test_a_map_is_built_in_the_background_and_followed(client: TestClient) -> None:
    colours = ["red", "green", "blue"]
    things = [{"id": f"{c}/{n}", "text": f"{c} thing {n}"} for c in colours for n in range(12)]
    client.put("/v1/collections/main/items", json={"items": things})
    url = "/v1/collections/main/map"
    assert client.get(url).json() == {
        "collection": "main",
        "state": "none",
        "building": None,
        "map": None,
        "points": None,
    }
    assert client.get("/v1/collections/main/groups").json()["groups"] == []
    assert client.post(url, json={"method": "pca"}).status_code == 200
    found = ready(client, url)
    assert found["map"]["method"] == "pca"
    assert (found["map"]["fitted"], found["map"]["gap"]) == (36, None)
    x, y, group = (
        column(found, name, form) for name, form in (("x", "<f4"), ("y", "<f4"), ("group", "<i4"))
    )
    assert len(x) == len(y) == len(group) == len(found["points"]["ids"]) == 36
    assert max(abs(x).max(), abs(y).max()) <= 1

    client.put("/v1/collections/main/items", json={"items": [{"id": "new", "text": "red thing 3"}]})
    later = ready(client, url)
    assert (later["map"]["items"], later["map"]["placed"]) == (37, 1)
    assert (column(later, "x")[:36] == x).all()

    groups = client.get("/v1/collections/main/groups").json()
    tops = [one for one in groups["groups"] if one["parent"] is None]
    assert sum(one["items"] for one in tops) == 37
    assert {one["words"][0] for one in tops} == set(colours)
    assert all(one["central"] for one in tops)
    assert "spot" not in groups
    spot = client.get("/v1/collections/main/groups", params={"id": "new"}).json()["spot"]
    assert (spot["id"], spot["x"]) == ("new", pytest.approx(column(later, "x")[36], abs=1e-6))
    assert "red" in next(one for one in groups["groups"] if one["number"] == spot["group"])["words"]
    nowhere = client.get("/v1/collections/main/groups", params={"id": "nobody"}).json()
    assert nowhere["spot"] is None


def test_a_map_that_must_be_read_first_keeps_no_search_waiting(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as long as the collection is large, and those who search have few threads."""
    things = [{"id": f"{c}/{n}", "text": f"{c} thing {n}"} for c in ("red", "blue") for n in "1234"]
    client.put("/v1/collections/main/items", json={"items": things})
    url = "/v1/collections/main"
    client.post(f"{url}/map", json={"method": "pca"}).raise_for_status()
    ready(client, f"{url}/map")
    threads: list[str] = []

    def read(folder: Path) -> Landscape | None:
        threads.append(current_thread().name)
        return load(folder)

    load = landscape.load
    monkeypatch.setattr(landscape, "load", read)
    narrow = {"area": [[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]]}
    asked = {"query": "red", **narrow}
    for path, body in (
        ("query", asked),
        ("queries", {"queries": [{"query": "blue"}, asked]}),
        ("items/count", narrow),
        ("items/scroll", narrow),
    ):
        landscape_of(client, url).touch()  # as when another process has kept another
        client.post(f"{url}/{path}", json=body).raise_for_status()
        client.post(f"{url}/{path}", json=body).raise_for_status()  # it is in memory now
    assert [name.partition("_")[0] for name in threads] == ["looker"] * 4


def test_an_area_of_a_map_in_memory_waits_for_nothing_that_takes_long(client: TestClient) -> None:
    things = [{"id": f"{c}/{n}", "text": f"{c} thing {n}"} for c in ("red", "blue") for n in "1234"]
    client.put("/v1/collections/main/items", json={"items": things})
    url = "/v1/collections/main"
    client.post(f"{url}/map", json={"method": "pca"}).raise_for_status()
    ready(client, f"{url}/map")
    state, may_go = client.app_state["service"], Event()
    assert client.portal is not None
    try:
        waiting = [
            client.portal.start_task_soon(state.workers.long, may_go.wait, 60) for _ in range(LONG)
        ]
        asked = {"query": "red", "area": [[-2.0, -2.0], [2.0, -2.0], [0.0, 2.0]]}
        client.post(f"{url}/query", json=asked).raise_for_status()
        assert not any(one.done() for one in waiting)
    finally:
        may_go.set()


def landscape_of(client: TestClient, url: str) -> Path:
    """The file that the map is kept in."""
    store = client.app_state["service"].store
    views: Path = store.collection(url.rpartition("/")[2]).views
    return views / landscape.FILE


def test_an_area_and_concepts_narrow_what_is_read_counted_and_told(client: TestClient) -> None:
    things = [{"id": f"{c}/{n}", "text": f"{c} thing {n}"} for c in ("red", "blue") for n in "1234"]
    client.put("/v1/collections/main/items", json={"items": things})
    url = "/v1/collections/main"
    marks = {"yes": ["red/1", "red/2"], "no": ["blue/1", "blue/2"]}
    client.put(f"{url}/concepts/redness", json=marks).raise_for_status()
    client.post(f"{url}/map", json={"method": "pca"}).raise_for_status()
    found = ready(client, f"{url}/map")
    x, y = column(found, "x"), column(found, "y")
    ids = found["points"]["ids"]
    middle = float(np.median(x))
    area = [[middle, -2.0], [2.0, -2.0], [2.0, 2.0], [middle, 2.0]]
    there = {one for one, left, up in zip(ids, x, y, strict=True) if left > middle and up < 2}
    assert 0 < len(there) < len(ids)

    read = client.post(f"{url}/items/scroll", json={"area": area, "limit": 2}).json()
    later = {"area": area, "limit": 1000, "cursor": read["cursor"]}
    rest = client.post(f"{url}/items/scroll", json=later).json()
    assert {one["id"] for one in [*read["items"], *rest["items"]]} == there
    elsewhere = {**later, "area": [[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0]]}
    assert client.post(f"{url}/items/scroll", json=elsewhere).json()["code"] == "invalid_input"
    assert client.post(f"{url}/items/count", json={"area": area}).json() == {"count": len(there)}
    told = client.get(f"{url}/facets", params={"area": json.dumps(area)}).json()
    assert told["items"] == len(there)

    red = {"concepts": {"redness": 0.5}}
    assert client.post(f"{url}/items/count", json=red).json() == {"count": 4}
    reds = client.post(f"{url}/items/scroll", json=red).json()["items"]
    assert {one["id"] for one in reds} == {f"red/{n}" for n in "1234"}
    told = client.get(f"{url}/facets", params={"concepts": json.dumps(red["concepts"])}).json()
    assert told["items"] == 4
    for wrong in ('["redness"]', '{"redness": 2}', '{"redness": true}', "{", '{"nothing": 0.5}'):
        refused = client.get(f"{url}/facets", params={"concepts": wrong})
        assert refused.status_code in (400, 404), wrong


def test_all_hits_light_up_on_the_map(client: TestClient) -> None:
    counts = {"blue": 300, "red": 20}
    things = [{"id": f"{c}/{n}", "text": f"{c} {n}"} for c in counts for n in range(counts[c])]
    client.put("/v1/collections/main/items", json={"items": things})
    url = "/v1/collections/main/map"
    unmapped = client.post(f"{url}/hits", json={"query": "red", "min_relevance": 0.5}).json()
    assert (unmapped["sequence"], unmapped["hits"], unmapped["places"]) == (None, 20, "")
    client.post(url, json={"method": "pca"}).raise_for_status()
    found = ready(client, url)

    def lit(**asked: Any) -> tuple[set[str], dict[str, Any]]:
        answer = client.post(f"{url}/hits", json=asked).json()
        assert answer["sequence"] == found["map"]["sequence"]
        places = np.frombuffer(base64.b64decode(answer["places"]), "<i4")
        return {found["points"]["ids"][place] for place in places}, answer

    reds = {f"red/{n}" for n in range(20)}
    ids, answer = lit(query="red", min_relevance=0.5)
    assert (ids, answer["hits"]) == (reds, 20)
    some = {"$id": {"$in": ["red/3", "blue/4"]}}
    assert lit(query="red", min_relevance=0.5, filter=some)[0] == {"red/3"}
    assert lit(filter=some)[0] == {"red/3", "blue/4"}
    assert lit(modality="image")[1]["hits"] == 0
    like = lit(query={"id": "red/3"}, min_relevance=0)[0]
    assert len(like) == 319
    assert "red/3" not in like
    x, y = (float(column(found, name)[7]) for name in ("x", "y"))
    box = [[x - 0.01, y - 0.01], [x + 0.01, y - 0.01], [x + 0.01, y + 0.01], [x - 0.01, y + 0.01]]
    assert found["points"]["ids"][7] in lit(area=box)[0]

    client.put("/v1/collections/main/items", json={"items": [{"id": "new", "text": "red 3"}]})
    ids, answer = lit(query="red", min_relevance=0.5)
    assert (ids, answer["hits"]) == (reds, 21)  # of what came since the map knows nothing


def test_all_hits_are_told_where_a_search_may_ask_for_few(settings: Settings) -> None:
    with TestClient(search_app(settings.model_copy(update={"max_k": 2}))) as client:
        client.put("/v1/collections/main", json={"model": "colours"})
        items = [{"id": str(n), "text": f"red {n}"} for n in range(5)]
        client.put("/v1/collections/main/items", json={"items": items})
        asked = {"query": "red", "min_relevance": 0}
        answer = client.post("/v1/collections/main/map/hits", json=asked)
        assert (answer.status_code, answer.json()["hits"]) == (200, 5)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"area": [[0, 0], [1, 1]]}, "invalid_input"),
        ({"area": [[0, 0], [1, 1], [2, 2, 2]]}, "invalid_input"),
        ({"area": [[0, 0], [1, 1], ["0", "1"]]}, "invalid_input"),
        ({"area": [[0, 0], [1, 1], [True, False]]}, "invalid_input"),
        ({"area": [[0.0, 0.0], [1.0, 1.0]] * 500_000}, "invalid_input"),
        ({"area": [[0, 0], [1, 0], [2, 0]]}, "invalid_input"),
        ({"area": [[0, 0], [1, 0], [1, 1]]}, "invalid_input"),  # there is no map
        ({"concepts": {"nothing": 0.5}}, "unknown_concept"),
        ({"concepts": {"../../etc": 0.5}}, "invalid_input"),
        ({"with_concepts": ["nothing"]}, "unknown_concept"),
        ({"with_concepts": ["a"] * 33}, "invalid_input"),
        ({"query": {"concept": "nothing"}}, "unknown_concept"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_no_area_or_concept_is_has_a_name(
    client: TestClient, body: dict[str, Any], code: str
) -> None:
    client.put("/v1/collections/main/items", json={"items": [{"id": "a", "text": "red"}]})
    answer = client.post("/v1/collections/main/query", json={"query": "red", **body})
    assert answer.json()["code"] == code, answer.text[:300]


def test_nan_is_no_corner(client: TestClient) -> None:
    body = '{"query": "red", "area": [[0, 0], [1, NaN], [1, 1]]}'
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/collections/main/query", content=body, headers=headers)
    assert answer.json()["code"] == "invalid_input"


def ready(client: TestClient, url: str) -> dict[str, Any]:
    """The map, when it is there."""
    for _ in range(10_000):
        found: dict[str, Any] = client.get(url).json()
        if found["state"] == "ready":
            break
        assert found["state"] == "building", found
    return found


def column(found: dict[str, Any], name: str, form: str = "<f4") -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(found["points"][name]), form)


def test_an_upload_is_explained_piece_by_piece(client: TestClient, photos: Path) -> None:
    upload(client, photos, "green")
    url = "/v1/collections/main/explain"
    answer = client.post(url, json={"query": "a green thing", "id": "green"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["parts"] == [pytest.approx(found["score"], abs=1e-6)]
    assert len(found["heat"]["gave"]) == found["heat"]["cells"] == 7
    assert found["words"] is None
    assert not found["is_faithful"]  # one colour looks the same when it is blurred
    assert found["mixture"]["words"]
    alone = client.post(url, json={"query": "green"}).json()
    assert (alone["id"], alone["score"], alone["parts"]) == (None, None, [])
    assert "green" in alone["mixture"]["words"][0]["word"].split()
    missing = client.post(url, json={"query": "green", "id": "nobody"})
    assert missing.json()["code"] == "unknown_item"
