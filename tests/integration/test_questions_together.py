"""Questions that are searched together are answered, byte for byte, as each is alone."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st
from starlette.testclient import TestClient

from latent.items import Item, Modality
from latent.settings import Settings
from latent.wiring import open_store
from service.app import search_app

QUERY, QUERIES = "/v1/collections/main/query", "/v1/collections/main/queries"
ITEMS = 300
TOOK = re.compile(rb'"took_ms":\{[^}]*\}')


@pytest.fixture(scope="module", params=["compared", "walked"])
def client(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[TestClient]:
    """A collection of photos and texts: all are compared, or a graph is walked."""
    data: Path = tmp_path_factory.mktemp("data")
    limit = 10 if request.param == "walked" else 1_000
    settings = Settings(data=data, model="colours", threads=2, exact_limit=limit)
    with open_store(settings) as store:
        collection = store.ensure("main")
        rows = np.random.default_rng(1).standard_normal((ITEMS, collection.space.dim))
        kinds = (Modality.IMAGE, Modality.IMAGE, Modality.TEXT)
        collection.put(
            [
                Item(
                    f"item {n}",
                    kinds[n % 3],
                    row.astype(np.float32),
                    text="a green thing" if kinds[n % 3] is Modality.TEXT else None,
                    metadata={"n": n % 7},
                )
                for n, row in enumerate(rows)
            ]
        )
        collection.publish(force=True)
        assert collection.summary().index["kind"] == ("hnsw" if limit == 10 else "exact")
    with TestClient(search_app(settings)) as opened:
        yield opened


def vectors() -> st.SearchStrategy[list[float]]:
    seeds = st.integers(0, 50)
    return seeds.map(lambda seed: np.random.default_rng(seed).standard_normal(16).tolist())


THINGS = st.one_of(
    st.sampled_from(["green", "red blue", ""]),
    vectors().map(lambda vector: {"vector": vector}),
    vectors().map(lambda vector: [{"vector": vector}, {"text": "red", "weight": -0.3}]),
    st.sampled_from([0, 5, 299, 300]).map(lambda n: {"id": f"item {n}"}),
    st.just({"vector": [1.0, 2.0]}),
)
QUESTIONS = st.fixed_dictionaries(
    {"query": THINGS, "k": st.sampled_from([1, 3, 3, 3, 40])},
    optional={
        "modality": st.sampled_from(["image", "text", None]),
        "filter": st.sampled_from([{"n": 3}, {"n": {"$gte": 2}}, {"n": 99}, {"none": 1}]),
        "min_relevance": st.sampled_from([0, 0.4]),
        "with_vector": st.booleans(),
        "group_by": st.just("n"),
        "mode": st.sampled_from(["vector", "keyword", "hybrid"]),
    },
)


@tried(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(questions=st.lists(QUESTIONS, min_size=1, max_size=12))
def test_each_answer_is_byte_for_byte_what_it_is_alone(
    client: TestClient, questions: list[dict[str, Any]]
) -> None:
    alone = [client.post(QUERY, json=one) for one in questions]
    answer = client.post(QUERIES, json={"queries": questions})
    assert answer.status_code == 200, answer.text
    together = answer.json()["answers"]
    for one, found in zip(alone, together, strict=True):
        said = one.json()
        if one.status_code != 200:
            assert found == {"error": {key: said[key] for key in ("code", "detail")}}
        else:
            assert found | {"took_ms": None} == said | {"took_ms": None}
    if all(one.status_code == 200 for one in alone):
        expected = b'{"answers":[' + b",".join(one.content for one in alone) + b"]}"
        assert TOOK.sub(b"", answer.content) == TOOK.sub(b"", expected)


@pytest.mark.parametrize("more", [{}, {"filter": {"n": {"$gte": 2}}}, {"modality": "text"}])
def test_questions_that_lead_elsewhere_alone_are_answered_each_for_itself(
    client: TestClient, more: dict[str, Any]
) -> None:
    rows = np.random.default_rng(5).standard_normal((33, 16))
    questions: list[dict[str, Any]] = [
        {"query": {"vector": row.tolist()}, "k": 7, "min_relevance": 0.1 * (n % 4), **more}
        for n, row in enumerate(rows)
    ]
    alone = b",".join(client.post(QUERY, json=one).content for one in questions)
    together = client.post(QUERIES, json={"queries": questions}).content
    assert TOOK.sub(b"", together) == TOOK.sub(b"", b'{"answers":[' + alone + b"]}")


def test_a_page_goes_on_behind_an_answer_that_was_found_with_others(client: TestClient) -> None:
    rows = np.random.default_rng(7).standard_normal((3, 16))
    asked: list[dict[str, Any]] = [
        {"query": {"vector": row.tolist()}, "k": 5, "min_relevance": 0} for row in rows
    ]
    for one, answer in zip(
        asked, client.post(QUERIES, json={"queries": asked}).json()["answers"], strict=True
    ):
        rest = client.post(QUERY, json=one | {"cursor": answer["cursor"]}).json()["hits"]
        both = client.post(QUERY, json=one | {"k": 10}).json()["hits"]
        assert [hit["id"] for hit in answer["hits"] + rest] == [hit["id"] for hit in both]


def coded(row: list[float], kind: str = "<f4") -> str:
    return base64.b64encode(np.asarray(row, kind).tobytes()).decode()


def test_a_vector_in_base64_is_the_same_vector(client: TestClient) -> None:
    row = np.random.default_rng(3).standard_normal(16).astype(np.float32).tolist()
    forms = [{"query": {"vector": one}, "k": 5} for one in (row, coded(row))]
    numbers, text = (client.post(QUERY, json=one) for one in forms)
    assert text.status_code == 200, text.text
    assert (
        TOOK.sub(b"", text.content).split(b'"cursor"')[0]
        == TOOK.sub(b"", numbers.content).split(b'"cursor"')[0]
    )


@pytest.mark.parametrize(
    ("vector", "status"),
    [
        (coded([1.0] * 15), 409),
        (coded([1.0] * 15 + [float("nan")]), 400),
        (coded([0.0] * 16), 400),
        (coded([1.0] * 16)[:-2], 400),
        ("AAA=", 400),
        ("not base64!", 400),
        ("", 400),
    ],
)
def test_base64_that_holds_no_vector_is_refused(
    client: TestClient, vector: str, status: int
) -> None:
    answer = client.post(QUERY, json={"query": {"vector": vector}})
    assert answer.status_code == status, answer.text
    assert "vector" in answer.json()["detail"]
