"""Checks over HTTP: tiers, groups of copies, labels."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps
from starlette.testclient import TestClient

from indexer.pipeline import index
from latent.models.colours import COLOURS
from latent.settings import Settings
from latent.wiring import open_store
from service.app import search_app, similarity_app

CHECK = "/v1/collections/main/check"
DUPLICATES = "/v1/collections/main/duplicates"


PAIRS = (("red", "yellow"), ("green", "blue"), ("purple", "white"), ("black", "grey"))
"""Colours of the pictures: those of one are far from those of the others."""


def drawn(number: int) -> Image.Image:
    """A picture with shapes of many sizes in two colours, one more to the left than the other."""
    chance = np.random.default_rng(number)
    pixels = np.linspace(0, 140, 160, dtype=np.float32)[None, :].repeat(120, axis=0)
    for octave in range(2, 6):
        grain = chance.uniform(0, 255, (3 * 2**octave // 4, 2**octave)).astype(np.uint8)
        shapes = Image.fromarray(grain).resize((160, 120), Image.Resampling.BICUBIC)
        pixels += np.asarray(shapes, np.float32) / 2 ** (octave / 2)
    grey = Image.fromarray((pixels * 255 / pixels.max()).astype(np.uint8))
    dark, light = (COLOURS[name] for name in PAIRS[number])
    return ImageOps.colorize(grey, dark, light)


def as_file(picture: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def sent(picture: Image.Image, kind: str = "PNG", **options: int) -> dict[str, str]:
    return {"image": base64.b64encode(as_file(picture, kind, **options)).decode()}


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(search_app(settings)) as opened:
        opened.put("/v1/collections/main", json={"model": "colours"})
        items = [{"id": f"picture-{n}", **sent(drawn(n))} for n in range(4)]
        items += [{"id": "note", "text": "a green dog runs through deep snow"}]
        put = opened.put("/v1/collections/main/items", json={"items": items}).json()
        assert {one["status"] for one in put["items"]} == {"indexed"}
        yield opened


def checked(client: TestClient, **body: Any) -> Any:
    answer = client.post(CHECK, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("query", "tier"),
    [
        (sent(drawn(2)), "identical"),
        (sent(drawn(2), "JPEG", quality=60), "same_picture"),
        (sent(drawn(2).resize((60, 60))), "same_picture"),
        (sent(ImageOps.mirror(drawn(2))), "near_copy"),
    ],
)
def test_check_tells_how_alike_the_closest_is(
    client: TestClient, query: dict[str, str], tier: str
) -> None:
    body = checked(client, query=query)
    assert body["closest"] == tier
    assert body["matches"][0]["id"] == "picture-2"
    assert body["matches"][0]["tier"] == tier
    assert body["is_match"] is True
    assert body["calibrated"] is False


def test_a_copy_that_the_model_places_far_away_is_found_by_its_hash(client: TestClient) -> None:
    grey = ImageOps.grayscale(drawn(1)).filter(ImageFilter.GaussianBlur(1))
    far = client.post("/v1/collections/main/query", json={"query": sent(grey), "k": 4})
    scores = {hit["id"]: hit["score"] for hit in far.json()["hits"]}
    assert scores.get("picture-1", 0.0) < 0.9
    body = checked(client, query=sent(grey), k=1)
    assert (body["matches"][0]["id"], body["closest"]) == ("picture-1", "same_picture")


def test_a_threshold_that_is_given_decides_alone(client: TestClient) -> None:
    grey = sent(ImageOps.grayscale(drawn(1)))
    assert checked(client, query=grey)["is_match"] is True
    assert checked(client, query=grey, threshold=0.9999)["is_match"] is False


def test_the_least_tier_decides_where_it_is_given(client: TestClient) -> None:
    mirrored = sent(ImageOps.mirror(drawn(0)))
    assert checked(client, query=mirrored, least="near_copy")["is_match"] is True
    none = checked(client, query=mirrored, least="same_picture")
    assert (none["is_match"], none["tier"], none["matches"]) == (False, "none", [])
    assert none["closest"] == "near_copy"


def test_a_filter_holds_for_copies_too(client: TestClient) -> None:
    body = checked(client, query=sent(drawn(2)), filter={"$id": {"$ne": "picture-2"}})
    assert "picture-2" not in [one["id"] for one in body["matches"]]
    assert body["closest"] != "identical"


@pytest.mark.parametrize(
    ("words", "tier"),
    [
        ("a green dog runs through deep snow", "identical"),
        ("A green dog runs through deep snow!", "same_text"),
        ("a green dog runs through the deep snow", "near_copy"),
    ],
)
def test_texts_are_checked_by_their_words(client: TestClient, words: str, tier: str) -> None:
    assert checked(client, query=words, modality="text")["closest"] == tier


def test_a_mix_has_no_tier(client: TestClient) -> None:
    body = checked(client, query=["green", "blue"], threshold=0)
    assert body["closest"] is None
    assert body["matches"]
    assert all("tier" not in one for one in body["matches"])


def test_a_part_of_a_file_that_is_still_there_is_found(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    for number in range(3):
        drawn(number).save(folder / f"{number}.png")
    with open_store(settings) as store:
        embedder = store.embedder("colours")
        index([folder], store.ensure("main"), embedder, settings)
        hashes = [item.picture_hash for item in store.collection("main").scroll(9)]
        assert all(one and len(one) == 64 for one in hashes)
    part = sent(drawn(2).crop((0, 0, 90, 80)))
    with TestClient(search_app(settings)) as client:
        body = checked(client, query=part, least="near_copy")
        assert [one["uri"] for one in body["matches"]] == ["album/2.png"]
        (folder / "2.png").unlink()
        assert checked(client, query=part, least="near_copy")["matches"] == []
        same = checked(
            client, query={"image": base64.b64encode((folder / "0.png").read_bytes()).decode()}
        )
        assert same["closest"] == "identical"


def test_picture_hashes_are_not_shown(client: TestClient) -> None:
    item = client.get("/v1/collections/main/items/picture-1").json()
    assert "picture_hash" not in item
    assert item["metadata"] == {}


def test_similarity_tells_the_tier_of_each_target(settings: Settings) -> None:
    targets = [
        sent(drawn(0), "JPEG", quality=70),
        sent(ImageOps.mirror(drawn(0))),
        sent(drawn(1)),
        "a green thing",
    ]
    with TestClient(similarity_app(settings)) as client:
        body = client.post(
            "/v1/similarity", json={"source": sent(drawn(0)), "targets": targets}
        ).json()
        tiers = [one["tier"] for one in body["results"]]
        assert tiers[:2] == ["same_picture", "near_copy"]
        assert tiers[3] in ("related", "unrelated")
        asked = {"source": sent(drawn(0)), "targets": targets, "least": "near_copy"}
        results = client.post("/v1/similarity", json=asked).json()["results"]
        assert [one["match"] for one in results[:2]] == [True, True]
        assert results[3]["match"] is False


def test_groups_of_copies_are_found_over_http(client: TestClient) -> None:
    items = [
        {"id": "again", **sent(drawn(0), "JPEG", quality=80)},
        {"id": "mirrored", **sent(ImageOps.mirror(drawn(1)))},
        {"id": "said", "text": "A green dog runs through deep snow."},
    ]
    client.put("/v1/collections/main/items", json={"items": items})
    body = client.post(DUPLICATES, json={"tier": "same_picture"}).json()
    found = [{one["id"] for one in (g["keep"], *g["extra"])} for g in body["groups"]]
    assert found == [{"picture-0", "again"}, {"note", "said"}]
    assert (body["count"], body["extra"], body["items"], body["unknown"]) == (2, 2, 8, 0)
    body = client.post(DUPLICATES, json={"limit": 1}).json()
    assert (body["count"], len(body["groups"])) == (3, 1)
    assert client.post(f"{CHECK[:-5]}items/count", json={}).json() == {"count": 8}


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        (DUPLICATES, {"tier": "related"}, "groups cannot be made"),
        (DUPLICATES, {"tier": "twins"}, "tier"),
        (CHECK, {"query": "red", "least": "twins"}, "least"),
        ("/v1/classify", {"inputs": ["red"], "labels": []}, "two labels at least"),
        ("/v1/classify", {"inputs": ["red"], "labels": ["a"]}, "two labels at least"),
        ("/v1/classify", {"inputs": ["red"], "labels": ["a", "A"]}, "there twice"),
        ("/v1/classify", {"inputs": [], "labels": ["a", "b"]}, "inputs must hold"),
        (
            "/v1/classify",
            {"inputs": ["red"], "labels": ["a", "b"], "templates": ["a photo"]},
            "must have {} once",
        ),
        ("/v1/classify", {"inputs": [""], "labels": ["a", "b"]}, "inputs[0]"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    client: TestClient, path: str, body: dict[str, Any], complaint: str
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 400
    assert complaint in answer.json()["detail"]
    assert answer.json()["code"] == "invalid_input"


def test_inputs_get_their_labels(settings: Settings, photos: Path) -> None:
    green = base64.b64encode((photos / "green.png").read_bytes()).decode()
    asked = {"inputs": [{"image": green}, "grey"], "labels": ["red", "green"]}
    with TestClient(similarity_app(settings)) as client:
        body = client.post("/v1/classify", json=asked).json()
    first, second = body["results"]
    assert (first["index"], first["label"]) == (0, "green")
    assert [one["label"] for one in first["labels"]] == ["green", "red"]
    assert second["label"] is None
    total = sum(one["probability"] for one in second["labels"]) + second["none"]
    assert total == pytest.approx(1.0)
    assert (body["model"], body["calibrated"]) == ("colours", False)


def test_relevance_decides_where_it_is_asked_and_zero_makes_all_matches(
    client: TestClient,
) -> None:
    some = checked(client, query="blue", min_relevance=0.9)
    assert all(one["relevance"] >= 0.9 for one in some["matches"])
    everything = checked(client, query="blue", min_relevance=0, k=4)
    assert len(everything["matches"]) == 4 > len(some["matches"])
