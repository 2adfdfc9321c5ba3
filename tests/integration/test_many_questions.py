"""Many questions in one request: each is answered as if it had come alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from latent.errors import InputError
from latent.filters.language import All, Exists, among
from latent.settings import Settings
from service.app import search_app
from service.together import MOST_HITS, Narrowed

QUERY, QUERIES = "/v1/collections/main/query", "/v1/collections/main/queries"
COLOURS = ("red", "green", "blue", "white")


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    few = settings.model_copy(update={"max_batch_items": 40})
    with TestClient(search_app(few)) as opened:
        opened.put("/v1/collections/main", json={}).raise_for_status()
        items = [
            {"id": f"{colour} {n}", "text": f"a {colour} thing", "metadata": {"n": n}}
            for colour in COLOURS
            for n in range(5)
        ]
        opened.put("/v1/collections/main/items", json={"items": items}).raise_for_status()
        yield opened


def alone(client: TestClient, question: object) -> Any:
    answer = client.post(QUERY, json=question).json()
    answer.pop("took_ms", None)
    return answer


def together(client: TestClient, questions: list[Any]) -> list[Any]:
    answer = client.post(QUERIES, json={"queries": questions})
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["answers"]
    for one in found:
        one.pop("took_ms", None)
    return found


def test_each_is_answered_as_if_it_had_come_alone(client: TestClient) -> None:
    vector = client.get("/v1/collections/main/items/red 1?with_vector=true").json()["vector"]
    questions: list[Any] = [
        {"query": "green", "k": 3},
        {"query": {"id": "blue 2"}, "k": 4, "filter": {"n": {"$gte": 2}}},
        {"query": {"vector": vector}, "with_vector": True},
        {"query": [{"text": "white"}, {"text": "red", "weight": -0.5}], "group_by": "n"},
        {"query": "blue", "mode": "hybrid", "explain": False},
        *({"query": colour, "k": 2} for colour in COLOURS * 5),
    ]
    assert together(client, questions) == [alone(client, one) for one in questions]


def test_what_is_wrong_with_one_question_is_its_own_alone(client: TestClient) -> None:
    answers = together(
        client,
        [
            {"query": "red", "k": 1},
            {"query": {"id": "nothing"}},
            {"query": "red", "k": 100_000},
            {"query": {"vector": [1.0, 2.0]}},
            {"query": "red", "filter": {"n": {"$no": 1}}},
            {"query": ""},
            {"query": "green", "k": 1},
        ],
    )
    assert [one["hits"][0]["id"].split()[0] for one in (answers[0], answers[6])] == ["red", "green"]
    bad = "invalid_input"
    codes = [one["error"]["code"] for one in answers[1:6]]
    assert codes == ["unknown_item", bad, "space_mismatch", "invalid_filter", bad]
    assert all(one["error"]["detail"] for one in answers[1:6])


def test_they_are_bounded_in_number_and_in_hits(client: TestClient) -> None:
    for queries in ([], [{"query": "red"}] * 41):
        assert client.post(QUERIES, json={"queries": queries}).json()["code"] == "invalid_input"
    wanted = MOST_HITS // 20
    many = [{"query": "red", "k": wanted}] * 20
    assert len(together(client, many)) == 20
    answer = client.post(QUERIES, json={"queries": [*many, {"query": "red", "k": 1}]})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert str(MOST_HITS) in answer.json()["detail"]


def test_a_collection_that_is_not_there_is_no_matter_of_single_questions(
    client: TestClient,
) -> None:
    answer = client.post("/v1/collections/none/queries", json={"queries": [{"query": "red"}]})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_collection")


def test_the_texts_of_a_request_share_batches(client: TestClient) -> None:
    """The model is given four things at once."""
    before = batches(client)
    together(client, [{"query": f"{colour} thing {n}"} for colour in COLOURS for n in range(4)])
    assert batches(client) - before == 4


def batches(client: TestClient) -> float:
    found = re.search(
        r'^nearfield_batch_size_count{modality="text"} (\S+)$',
        client.get("/metrics").text,
        re.MULTILINE,
    )
    assert found is not None
    return float(found[1])


def test_each_is_narrowed_by_its_own_concepts(client: TestClient) -> None:
    for colour, other in (("red", "green"), ("blue", "white")):
        marks = {
            side: [f"{one} {n}" for n in range(5)]
            for side, one in zip(("yes", "no"), (colour, other), strict=True)
        }
        client.put(f"/v1/collections/main/concepts/{colour}", json=marks).raise_for_status()
    questions = [
        {"query": "green", "k": 20, "concepts": {name: least}}
        for name in ("red", "blue")
        for least in (0.0, 0.5, 0.9)
    ] * 3
    assert together(client, questions) == [alone(client, one) for one in questions]


def test_keys_are_held_once_and_not_more_than_there_is_room_for() -> None:
    """Each of a thousand questions could else hold those of nearly all items there are."""
    narrowed = Narrowed(most=10)
    some, same, others = among(np.arange(6)), among(np.arange(6)), among(np.arange(7, 12))
    assert narrowed.shared(None) is None
    assert narrowed.shared(some) is some
    for _ in range(5):
        assert narrowed.shared(same) is some
        assert narrowed.shared(All((Exists("n"), same))) == All((Exists("n"), some))
    with pytest.raises(InputError, match="more than 10 items"):
        narrowed.shared(All((others,)))
    four = among(np.arange(20, 24))
    assert narrowed.shared(four) is four
