"""Saying what one means, over HTTP and at a prompt, on the model that knows colours."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from starlette.testclient import TestClient

from latent.models.colours import COLOURS
from latent.settings import Settings
from nearfield import main
from service.app import search_app

ROUTE = "/v1/collections/main"
WORDS = ["red", "green", "blue", "yellow", "red grey", "green grey", "red blue"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("meaning")


@pytest.fixture(scope="module")
def client(data: Path) -> Iterator[TestClient]:
    """The search app; `main` holds texts of colours with a day and an album each, and a photo."""
    with TestClient(search_app(Settings(data=data, model="colours", threads=2))) as opened:
        opened.put(ROUTE, json={}).raise_for_status()
        items = [
            {"id": word, "text": word, "metadata": {"day": (7 * n) % 5, "album": word.split()[0]}}
            for n, word in enumerate(WORDS)
        ]
        items.append({"id": "photos/red.png", "image": drawn("red")})
        put = opened.put(f"{ROUTE}/items", json={"items": items}).json()
        assert {item["status"] for item in put["items"]} == {"indexed"}
        yield opened


def drawn(colour: str) -> str:
    """A picture of one colour, in base64."""
    content = BytesIO()
    Image.new("RGB", (24, 16), COLOURS[colour]).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def asked(client: TestClient, **body: Any) -> list[dict[str, Any]]:
    """The hits of a query, however far away."""
    least = {} if body.get("mode") == "keyword" else {"min_relevance": 0}
    answer = client.post(f"{ROUTE}/query", json={**least, **body})
    assert answer.status_code == 200, answer.text
    hits: list[dict[str, Any]] = answer.json()["hits"]
    return hits


def ids(hits: list[dict[str, Any]]) -> list[str]:
    return [hit["id"] for hit in hits]


def typed(data: Path, *words: str) -> Result:
    environment = {"NEARFIELD_MODEL": "colours", "NEARFIELD_DATA": str(data), "COLUMNS": "120"}
    return CliRunner().invoke(main, list(words), env=environment)


def found(data: Path, *words: str) -> list[dict[str, Any]]:
    """The hits of a search at a prompt, however far away."""
    result = typed(data, "search", *words, "--min-relevance", "0", "--json")
    assert result.exit_code == 0, result.output
    hits: list[dict[str, Any]] = json.loads(result.stdout)["hits"]
    return hits


# --- the short form -----------------------------------------------------------------------------


def test_the_address_bar_and_the_prompt_take_the_short_form(client: TestClient, data: Path) -> None:
    parts = [{"text": "red blue"}, {"text": "red", "weight": -0.5}]
    expected = ids(asked(client, query=parts, k=3))
    params: dict[str, str | int] = {"q": "red blue - 0.5:red", "k": 3, "min_relevance": 0}
    answer = client.get(f"{ROUTE}/search", params=params)
    assert ids(answer.json()["hits"]) == expected
    assert ids(found(data, "red blue - 0.5:red", "-k", "3")) == expected
    assert expected[0] == "blue"


def test_a_text_in_a_body_is_a_text_whatever_is_in_it(client: TestClient) -> None:
    assert asked(client, query="green - green", k=1)[0]["score"] > 0.9
    answer = client.get(f"{ROUTE}/search", params={"q": "green - green"})
    assert answer.status_code == 400
    assert "cancel" in answer.json()["detail"]


@pytest.mark.parametrize("line", ["green -", "- green", "0:green", "green - green"])
def test_a_line_that_says_nothing_is_refused_by_name(
    client: TestClient, data: Path, line: str
) -> None:
    answer = client.get(f"{ROUTE}/search", params={"q": line})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    result = typed(data, "search", "--", line)
    assert result.exit_code == 1
    assert answer.json()["detail"] in " ".join(result.stderr.split())


# --- analogies and walks ------------------------------------------------------------------------


def test_an_analogy_is_asked_over_http_and_at_the_prompt(client: TestClient, data: Path) -> None:
    things = ["red", {"id": "red grey"}, {"text": "green"}]
    (hit,) = asked(client, query={"analogy": things}, k=1)
    assert hit["id"] == "green grey"
    (hit,) = found(data, "--analogy", "red", "id:red grey", "green", "-k", "1")
    assert hit["id"] == "green grey"


@pytest.mark.parametrize(
    "things",
    [["red", "green"], ["red"] * 4, ["red", "green", {"text": "blue", "weight": 2}], "red"],
)
def test_an_analogy_of_another_form_is_refused(client: TestClient, things: object) -> None:
    answer = client.post(f"{ROUTE}/query", json={"query": {"analogy": things}})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


def test_an_analogy_is_a_question_of_its_own(data: Path, client: TestClient) -> None:
    result = typed(data, "search", "green", "--analogy", "red", "blue", "green")
    assert result.exit_code == 2
    assert "of its own" in result.stderr


def test_a_walk_is_asked_over_http_and_at_the_prompt(client: TestClient, data: Path) -> None:
    body = {"between": [{"id": "red"}, {"text": "blue"}], "steps": 3, "modality": "text"}
    answer = client.post(f"{ROUTE}/walk", json=body)
    assert answer.status_code == 200, answer.text
    walk = answer.json()
    assert [(step["id"], step["at"]) for step in walk["steps"]] == [
        ("red", 0.0),
        ("red blue", 0.5),
        ("blue", 1.0),
    ]
    assert walk["angle"] == pytest.approx(90, abs=0.5)
    assert "vector" not in walk["steps"][0]
    words = ("walk", "id:red", "blue", "--steps", "3", "--modality", "text")
    result = typed(data, *words, "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert ids(printed["steps"]) == ["red", "red blue", "blue"]
    assert printed["steps"][1]["at"] == 0.5
    table = typed(data, *words)
    assert [line.split()[0] for line in table.stdout.splitlines()] == ["at", "0.00", "0.50", "1.00"]


def test_a_walk_starts_at_a_file(client: TestClient, data: Path, photos: Path) -> None:
    result = typed(data, "walk", str(photos / "green.png"), "blue", "--steps", "2", "--json")
    assert ids(json.loads(result.stdout)["steps"]) == ["green", "blue"]


def test_a_walk_can_carry_vectors_and_keeps_to_a_filter(client: TestClient) -> None:
    body = {"between": ["red", "blue"], "filter": {"album": "green"}, "with_vector": True}
    steps = client.post(f"{ROUTE}/walk", json=body).json()["steps"]
    assert {step["metadata"]["album"] for step in steps} == {"green"}
    assert all(len(step["vector"]) == 16 for step in steps)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"between": ["red", "red"]}, "the same"),
        ({"between": ["red", {"id": "red"}]}, "the same"),
        ({"between": ["red"]}, "between"),
        ({"between": ["red", {"text": "blue", "weight": 2}]}, "weight"),
        ({"between": ["red", "blue"], "steps": 1}, "between 2 and 50"),
        ({"between": ["red", "blue"], "k": 3}, "k"),
        ({"between": ["red", "blue"], "filter": {"day": {"$above": 1}}}, r"$above"),
    ],
)
def test_a_walk_that_cannot_be_is_refused(
    client: TestClient, body: dict[str, Any], said: str
) -> None:
    answer = client.post(f"{ROUTE}/walk", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


# --- arranging ----------------------------------------------------------------------------------


def test_hits_are_sorted_grouped_and_diverse_wherever_one_asks(
    client: TestClient, data: Path
) -> None:
    for asking, options in (
        ({"sort_by": "day:desc"}, ["--sort-by", "day:desc"]),
        ({"group_by": "album"}, ["--group-by", "album"]),
        ({"diversity": 0.5}, ["--diversity", "0.5"]),
        ({"sort_by": "day", "pool": 3}, ["--sort-by", "day", "--pool", "3"]),
        ({"mode": "hybrid"}, ["--mode", "hybrid"]),
    ):
        body: dict[str, Any] = {"k": 3, **asking}
        expected = asked(client, query="red", **body)
        params = {"q": "red", "min_relevance": 0, **body}
        assert client.get(f"{ROUTE}/search", params=params).json()["hits"] == expected
        shown = found(data, "red", "-k", "3", *options)
        assert ids(shown) == ids(expected)
        assert ids(expected) != ids(asked(client, query="red", k=3)) or "mode" in asking
        for name in ("group", "found_by"):
            assert [hit.get(name) for hit in shown] == [hit.get(name) for hit in expected]


def test_a_picture_that_is_sent_has_its_hits_arranged_too(client: TestClient, photos: Path) -> None:
    files = {"image": ("red.png", (photos / "red.png").read_bytes())}
    fields = {"group_by": "album", "k": "2", "modality": "text", "min_relevance": "0"}
    answer = client.post(f"{ROUTE}/query/upload", files=files, data=fields)
    assert answer.status_code == 200, answer.text
    assert answer.json()["hits"][0]["group"] == {"value": "red", "others": 2}


def test_keyword_hits_have_no_score_and_say_who_found_them(client: TestClient, data: Path) -> None:
    hits = asked(client, query="grey", mode="keyword")
    assert sorted(ids(hits)) == ["green grey", "red grey"]
    assert {(hit["score"], *hit["found_by"]) for hit in hits} == {(None, "keyword")}
    table = typed(data, "search", "grey", "--mode", "keyword")
    assert "keyword" in table.stdout
    assert "–" in table.stdout


def test_the_table_counts_the_others_of_a_group(client: TestClient, data: Path) -> None:
    words = ("search", "red", "--group-by", "album", "-k", "1", "--min-relevance", "0")
    table = typed(data, *words, "--modality", "text")
    head, row = table.stdout.splitlines()
    at = head.index("others")
    assert row[at : at + len("others")].split() == ["2"]


def test_pages_of_an_arranged_answer_go_on(client: TestClient) -> None:
    body = {"query": "red", "k": 3, "sort_by": "day", "min_relevance": 0}
    seen: list[str] = []
    cursor = None
    while True:
        page = client.post(f"{ROUTE}/query", json={**body, "cursor": cursor}).json()
        seen += ids(page["hits"])
        cursor = page["cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted([*WORDS, "photos/red.png"])
    assert seen == ids(asked(client, query="red", k=8, sort_by="day"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"mode": "words"}, "mode"),
        ({"diversity": 2}, "diversity"),
        ({"diversity": 0.5, "sort_by": "day"}, "one of them"),
        ({"sort_by": "dya"}, "did you mean 'day'"),
        ({"group_by": "$files"}, "$document"),
        ({"pool": 20}, "none are"),
        ({"query": {"id": "red"}, "mode": "hybrid"}, "needs a text"),
        ({"query": [{"text": "red", "weight": -1}]}, "leads away"),
        ({"query": ["red", {"text": "red", "weight": -1}]}, "cancel"),
        ({"query": {"analogy": ["red", "red", "blue"]}}, "A and B"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    client: TestClient, body: dict[str, Any], said: str
) -> None:
    answer = client.post(f"{ROUTE}/query", json={"query": "red", **body})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert said in answer.json()["detail"]
