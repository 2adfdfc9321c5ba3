"""Filters and explanations by HTTP and at the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

import nearfield
from latent.settings import Settings
from service.app import search_app

COLOURS = ("red", "green", "blue", "white")
MAIN = "/v1/collections/main"


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(search_app(settings)) as opened:
        opened.put(MAIN, json={"model": "colours"})
        items = [
            {
                "id": f"{'dark' if n % 2 else 'light'}/{name}",
                "text": f"a {name} thing",
                "metadata": {"n": n, "tags": [name, "all"], "at": {"lat": 10 * n, "lon": 20}},
            }
            for n, name in enumerate(COLOURS)
        ]
        opened.put(f"{MAIN}/items", json={"items": items})
        yield opened


def asked(client: TestClient, where: Any, **more: Any) -> Any:
    return client.post(f"{MAIN}/query", json={"query": "green", "filter": where, **more})


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"n": {"$gte": 1, "$lt": 3}}, {"dark/green", "light/blue"}),
        ({"tags": {"$in": ["red", "blue"]}}, {"light/red", "light/blue"}),
        ({"$or": [{"n": 0}, {"$id": {"$like": "%white"}}]}, {"light/red", "dark/white"}),
        ({"at": {"$geo_within": {"$box": [[15, 0], [90, 90]]}}}, {"light/blue", "dark/white"}),
        ({"$not": {"tags": "all"}}, set()),
    ],
)
def test_a_filter_chooses_wherever_one_may_be_given(
    client: TestClient, where: Any, expected: set[str]
) -> None:
    assert {hit["id"] for hit in asked(client, where).json()["hits"]} == expected
    scrolled = client.post(f"{MAIN}/items/scroll", json={"filter": where}).json()
    assert {item["id"] for item in scrolled["items"]} == expected
    assert client.post(f"{MAIN}/items/count", json={"filter": where}).json() == {
        "count": len(expected)
    }
    question = {"q": "green", "filter": json.dumps(where)}
    bar = client.get(f"{MAIN}/search", params=question).json()
    assert {hit["id"] for hit in bar["hits"]} == expected


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"n": {"$above": 1}}, "$geo_within"),
        ({"m": 1}, "there are at, at.lat, at.lon, n, tags"),
        ({"$or": [{"n": n} for n in range(1_001)]}, "at most 1000 conditions"),
        ({"n": {"$in": list(range(10_001))}}, "at most 10000 values"),
        ({"$or": []}, "at least one"),
    ],
)
def test_a_filter_that_cannot_be_understood_is_a_problem_everywhere(
    client: TestClient, where: Any, said: str
) -> None:
    for path, body in (
        ("query", {"query": "green"}),
        ("check", {"query": "green"}),
        ("items/scroll", {}),
        ("items/count", {}),
    ):
        answer = client.post(f"{MAIN}/{path}", json={**body, "filter": where})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_filter")
        assert said in answer.json()["detail"]


@pytest.mark.parametrize("depth", [17, 400, 5_000])
def test_a_filter_as_deep_as_a_well_is_a_problem_of_the_caller(
    client: TestClient, depth: int
) -> None:
    body = '{"query": "green", "filter": ' + '{"$not": ' * depth + "{}" + "}" * depth + "}"
    headers = {"content-type": "application/json"}
    for path in ("query", "items/scroll"):
        sent = body.replace('"query": "green", ', "") if path == "items/scroll" else body
        answer = client.post(f"{MAIN}/{path}", content=sent, headers=headers)
        assert 400 <= answer.status_code < 500


def test_an_answer_is_explained_if_that_is_asked(client: TestClient) -> None:
    assert "explain" not in asked(client, {"n": 1}).json()
    explain = asked(client, {"n": {"$gt": 0}}, explain=True).json()["explain"]
    times = explain.pop("ms")
    assert set(times) == {"match", "search", "fetch"}
    assert all(time >= 0 for time in times.values())
    assert explain.pop("relevance")["text"]["items"] == 3
    assert explain == {
        "plan": "exact", "items": 4, "matched": 3, "candidates": 3, "effort": None,
        "fell_back": False,
    }  # fmt: skip
    explain = asked(client, None, explain=True).json()["explain"]
    assert (explain["matched"], explain["candidates"]) == (None, 4)
    question = {"q": "green", "explain": "true", "filter": '{"n": 99}'}
    explain = client.get(f"{MAIN}/search", params=question).json()["explain"]
    assert (explain["plan"], explain["matched"]) == ("nothing", 0)


def test_a_page_goes_on_under_a_filter_while_items_come_and_go(client: TestClient) -> None:
    where = {"n": {"$ne": 3}}
    first = asked(client, where, k=2).json()
    client.delete(f"{MAIN}/items/{first['hits'][0]['id']}")
    rest = asked(client, where, k=2, cursor=first["cursor"]).json()
    seen = [hit["id"] for hit in first["hits"] + rest["hits"]]
    assert sorted(seen) == ["dark/green", "light/blue", "light/red"]


def test_the_command_line_explains_on_the_side(photos: Path, settings: Settings) -> None:
    def typed(*words: str) -> Any:
        given = [*words, "--data", str(settings.data)]
        return CliRunner(env={"NEARFIELD_MODEL": "colours"}).invoke(nearfield.main, given)

    assert typed("index", str(photos)).exit_code == 0
    where = '{"name": {"$like": "%E%.PNG"}, "width": {"$gt": 20}}'
    ended = typed("search", "green", "--filter", where, "--explain", "--json")
    assert json.loads(ended.stdout)["explain"]["matched"] == len(
        [path for path in photos.iterdir() if "e" in path.stem]
    )
    ended = typed("search", "green", "--filter", where, "--explain")
    assert "green.png" in ended.stdout
    assert "candidates" not in ended.stdout
    assert "candidates" in ended.stderr
    ended = typed("search", "green", "--filter", '{"nmae": "x"}')
    assert ended.exit_code == 1
    assert "did you mean 'name'?" in ended.stderr
