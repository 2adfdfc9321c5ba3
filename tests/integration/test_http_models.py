"""Embeddings, similarity and rerank: on both apps, the same."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from latent.models.colours import ColourEmbedder
from latent.settings import Settings
from service.app import search_app, similarity_app


@pytest.fixture(scope="module", params=[search_app, similarity_app], ids=["search", "similarity"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    settings = Settings(data=tmp_path_factory.mktemp("models"), model="colours", threads=2)
    with TestClient(request.param(settings)) as opened:
        yield opened


def test_embeddings_have_openais_shape(client: TestClient) -> None:
    body = client.post("/v1/embeddings", json={"model": "colours", "input": "red thing"}).json()
    assert body == {
        "object": "list",
        "model": "colours",
        "data": [
            {
                "object": "embedding",
                "index": 0,
                "embedding": ColourEmbedder().embed_texts(["red thing"])[0].tolist(),
            }
        ],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }


def test_embeddings_of_texts_and_pictures_come_in_order(client: TestClient, photos: Path) -> None:
    picture = base64.b64encode((photos / "blue.png").read_bytes()).decode()
    given = ["red", {"image": picture}, {"text": "green"}]
    body = client.post("/v1/embeddings", json={"input": given}).json()
    assert [one["index"] for one in body["data"]] == [0, 1, 2]
    best = [int(np.argmax(one["embedding"])) for one in body["data"]]
    assert best == [0, 2, 1]  # red, blue, green in the model's own order


def test_embeddings_in_base64_are_the_same_numbers(client: TestClient) -> None:
    asked = {"model": "colours", "input": ["red", "blue"]}
    plain = client.post("/v1/embeddings", json=asked).json()["data"]
    packed = client.post("/v1/embeddings", json={**asked, "encoding_format": "base64"}).json()
    for numbers, text in zip(plain, packed["data"], strict=True):
        row = np.frombuffer(base64.b64decode(text["embedding"]), dtype="<f4")
        assert row.tolist() == numbers["embedding"]


def test_many_inputs_are_embedded_in_batches(client: TestClient) -> None:
    words = [f"red {number}" for number in range(50)]
    body = client.post("/v1/embeddings", json={"input": words}).json()
    expected = ColourEmbedder().embed_texts(words)
    assert np.allclose([one["embedding"] for one in body["data"]], expected)


@pytest.mark.parametrize(
    "asked",
    [
        {"input": []},
        {"input": ""},
        {"input": ["red", ""]},
        {"input": [1, 2]},
        {"input": ["red"] * 1001},
        {"input": "word " * 10_000},
        {"input": {"id": "a"}},
        {"input": "red", "model": "nonsense"},
        {"input": "red", "model": "openclip:ViT-B-32/openai"},
        {"input": "red", "model": "compiled:/etc"},
        {"input": "red", "dimensions": 7},
        {"input": "red", "encoding_format": "hex"},
        {"input": "red", "colour": "red"},
    ],
)
def test_embeddings_that_cannot_be_made_are_refused(
    client: TestClient, asked: dict[str, object]
) -> None:
    answer = client.post("/v1/embeddings", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_the_input_that_is_wrong_is_named(client: TestClient) -> None:
    body = client.post("/v1/embeddings", json={"input": ["red", "blue", ""]}).json()
    assert "input[2]" in body["detail"]
    body = client.post("/v1/embeddings", json={"input": ["red", "word " * 10_000]}).json()
    assert body["detail"] == "input[1]: the text has 50000 characters; this model reads 64 tokens"
    body = client.post("/v1/embeddings", json={"input": ["red", {"image": "aGk="}]}).json()
    assert body["code"] == "unreadable_image"
    assert "input[1]" in body["detail"]


def test_dimensions_of_the_model_are_fine(client: TestClient) -> None:
    assert client.post("/v1/embeddings", json={"input": "red", "dimensions": 16}).status_code == 200


def test_similarity_is_the_cosine_with_each_target(client: TestClient, photos: Path) -> None:
    picture = base64.b64encode((photos / "red.png").read_bytes()).decode()
    asked = {"source": "red", "targets": ["blue", {"image": picture}, "red"]}
    body = client.post("/v1/similarity", json=asked).json()
    assert body["model"] == "colours"
    assert [one["index"] for one in body["results"]] == [0, 1, 2]
    scores = [one["score"] for one in body["results"]]
    assert scores[0] == pytest.approx(0.0)
    assert 0.99 < scores[1] < 1.0
    assert scores[2] == pytest.approx(1.0)
    assert all("match" not in one for one in body["results"])


def test_similarity_with_a_threshold_says_what_matches(client: TestClient) -> None:
    asked = {"source": "red", "targets": ["blue", "red blue"], "threshold": 0.7}
    body = client.post("/v1/similarity", json=asked).json()
    assert [one["match"] for one in body["results"]] == [False, True]


@pytest.mark.parametrize(
    "asked",
    [
        {"source": "red", "targets": []},
        {"source": "", "targets": ["red"]},
        {"source": "red", "targets": ["red"], "threshold": 2},
        {"source": "red"},
    ],
)
def test_similarity_that_cannot_be_told_is_refused(
    client: TestClient, asked: dict[str, object]
) -> None:
    answer = client.post("/v1/similarity", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_a_picture_at_a_url_is_not_fetched_unless_that_was_allowed(client: TestClient) -> None:
    asked = {"source": {"image": "http://a.example/b.png"}, "targets": ["red"]}
    answer = client.post("/v1/similarity", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_fetched")


def test_rerank_puts_the_nearest_first(client: TestClient) -> None:
    asked = {"query": "red", "documents": ["blue", "red blue", "red"]}
    body = client.post("/v1/rerank", json=asked).json()
    assert [one["index"] for one in body["results"]] == [2, 1, 0]
    relevances = [one["relevance_score"] for one in body["results"]]
    assert relevances == sorted(relevances, reverse=True)
    assert relevances[0] == pytest.approx(1.0)
    assert all(0 <= relevance <= 1 for relevance in relevances)


def test_rerank_gives_only_the_best_when_asked(client: TestClient) -> None:
    asked = {"query": "red", "documents": ["blue", "red", "red"], "top_n": 2}
    body = client.post("/v1/rerank", json=asked).json()
    assert [one["index"] for one in body["results"]] == [1, 2]


def test_rerank_says_the_cosine_and_how_surely_each_is_meant(client: TestClient) -> None:
    asked = {"query": "red", "documents": ["blue", "red"]}
    first = client.post("/v1/rerank", json=asked).json()["results"][0]
    assert first["score"] == pytest.approx(1.0)
    assert first["relevance"] is None
    texts = ["two dogs in the snow", "a treatise on tax law", "a pair of dogs in snow"]
    asked = {"model": "mini", "query": texts[0], "documents": texts[1:]}
    best, worst = client.post("/v1/rerank", json=asked).json()["results"]
    assert best["relevance"] > 0.9 > 0.1 > worst["relevance"]
    asked["min_relevance"] = 0.5  # type: ignore[assignment]
    kept = client.post("/v1/rerank", json=asked).json()["results"]
    assert [one["index"] for one in kept] == [1]


def test_rerank_cuts_by_relevance_only_where_it_was_learnt(client: TestClient) -> None:
    asked = {"query": "red", "documents": ["blue"], "min_relevance": 0.5}
    answer = client.post("/v1/rerank", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert "has no calibration" in answer.json()["detail"]


def test_rerank_without_documents_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/rerank", json={"query": "red", "documents": []})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_models_are_listed(client: TestClient) -> None:
    body = client.get("/v1/models").json()
    by_id = {one["id"]: one for one in body["data"]}
    assert {"colours", "mini"} <= set(by_id)
    colours = by_id["colours"]
    assert (colours["object"], colours["dim"]) == ("model", 16)
    assert (colours["available"], colours["modalities"]) == (True, ["image", "text"])


def test_the_similarity_app_makes_no_data_folder(settings: Settings) -> None:
    with TestClient(similarity_app(settings)) as client:
        assert client.post("/v1/embeddings", json={"input": "red"}).status_code == 200
        assert client.get("/v1/collections").status_code == 404
    assert not settings.data.exists()


def test_a_model_of_a_collection_is_served(settings: Settings) -> None:
    with TestClient(search_app(settings)) as client:
        asked = {"input": "red", "model": "vectors:3"}
        assert client.post("/v1/embeddings", json=asked).json()["code"] == "invalid_input"
        client.put("/v1/collections/mine", json={"model": "vectors:3"}).raise_for_status()
        assert client.post("/v1/embeddings", json=asked).json()["code"] == "unsupported_media"
        listed = {one["id"]: one for one in client.get("/v1/models").json()["data"]}
        assert listed["vectors:3"]["dim"] == 3
