"""What lies along a direction, over HTTP and at a prompt, on the model that knows colours."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from starlette.testclient import TestClient

from latent.models.colours import COLOURS
from latent.settings import Settings
from latent.wiring import open_store
from nearfield import main
from service.app import search_app
from service.explore.projecting import Method
from service.explore.surveys import Surveys

ROUTE = "/v1/collections/main"
REDS, BLUES = (["red/1", "red/2", "red/3"], ["blue/1", "blue/2", "blue/3"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of three texts of each colour, with its map and the concept `redness`."""
    folder = tmp_path_factory.mktemp("axis")
    settings = Settings(data=folder, model="colours", threads=2)
    with TestClient(search_app(settings)) as opened:
        opened.put(ROUTE, json={}).raise_for_status()
        items = [
            {"id": f"{colour}/{n}", "text": f"{colour} {n}", "metadata": {"n": n}}
            for colour in COLOURS
            for n in (1, 2, 3)
        ]
        opened.put(f"{ROUTE}/items", json={"items": items}).raise_for_status()
        marks = {"yes": REDS[:2], "no": BLUES[:2]}
        opened.put(f"{ROUTE}/concepts/redness", json=marks).raise_for_status()
    with open_store(settings) as store:
        Surveys(store).build(store.collection("main"), Method.PCA)
    return folder


@pytest.fixture(scope="module")
def client(data: Path) -> Iterator[TestClient]:
    with TestClient(search_app(Settings(data=data, model="colours", threads=2))) as opened:
        yield opened


def ends(client: TestClient, between: list[Any], **body: Any) -> tuple[list[str], list[str]]:
    """The ids at both ends."""
    answer = client.post(f"{ROUTE}/axis", json={"between": between, "k": 3, **body})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return [one["id"] for one in found["start"]], [one["id"] for one in found["end"]]


def typed(data: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["axis", *words, "--data", str(data)])


def test_both_ends_are_what_lies_furthest_there(client: TestClient) -> None:
    start, end = ends(client, ["red", {"id": "blue/1"}])
    assert (sorted(start), sorted(end)) == (REDS, BLUES)


def test_a_concept_is_an_end(client: TestClient) -> None:
    _, end = ends(client, ["green", {"concept": "redness"}])
    assert sorted(end) == REDS
    refused = client.post(f"{ROUTE}/axis", json={"between": ["green", {"concept": "none"}]})
    assert refused.json()["code"] == "unknown_concept"


def test_an_axis_keeps_to_filter_concepts_and_area(client: TestClient) -> None:
    start, end = ends(client, ["red", "blue"], filter={"n": 2})
    assert (start[0], end[0]) == ("red/2", "blue/2")
    start, end = ends(client, ["blue", "red"], concepts={"redness": 0.7})
    assert not set(BLUES) & {*start, *end}
    assert sorted(end) == REDS
    points = client.get(f"{ROUTE}/map").json()["points"]
    x, y = (np.frombuffer(base64.b64decode(points[name]), "<f4") for name in ("x", "y"))
    place = points["ids"].index("green/2")
    left, up = float(x[place]), float(y[place])
    box = [[left - 0.01, up - 0.01], [left + 0.01, up - 0.01], [left, up + 0.01]]
    start, end = ends(client, ["red", "blue"], area=box)
    assert "green/2" in start
    assert not {*REDS, *BLUES} & {*start, *end}
    nothing = client.post(f"{ROUTE}/axis", json={"between": ["red", "blue"], "area": [[0, 0]]})
    assert nothing.json()["code"] == "invalid_input"


def test_an_axis_is_asked_at_the_prompt(data: Path, client: TestClient) -> None:
    result = typed(data, "red", "id:blue/1", "-k", "3", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert sorted(hit["id"] for hit in found["start"]) == REDS
    assert sorted(hit["id"] for hit in found["end"]) == BLUES
    assert {"word", "weight"} == set(found["start_words"][0])
    options = ("-k", "1", "--filter", '{"n": 3}', "--has", "redness=0.7", "--modality", "text")
    found = json.loads(typed(data, "blue", "concept:redness", *options, "--json").stdout)
    assert [hit["id"] for hit in found["end"]] == ["red/3"]
    table = typed(data, "red", "blue", "-k", "1")
    assert table.exit_code == 0, table.output
    assert "towards 'red':" in table.stdout
    assert "towards 'blue':" in table.stdout
    assert table.stdout.index("red/") < table.stdout.index("towards 'blue'")


def test_an_axis_between_equals_is_refused(data: Path, client: TestClient) -> None:
    result = typed(data, "red", "red")
    assert result.exit_code == 1
    assert "both ends are the same" in result.stderr


def test_what_names_no_item_and_no_concept_is_refused_by_name(data: Path) -> None:
    for wrong, said in (("id:nobody", "nobody"), ("concept:nothing", "nothing")):
        result = typed(data, "red", wrong)
        assert result.exit_code == 1
        assert said in result.stderr


def test_an_explanation_begins_with_how_near_the_item_is_among_its_kind(
    client: TestClient, data: Path
) -> None:
    told = CliRunner().invoke(main, ["explain", "red", "red/1", "--data", str(data)])
    assert told.exit_code == 0, told.output
    score, nearer = told.stdout.splitlines()[:2]
    assert score.startswith("score ")
    asked = CliRunner().invoke(main, ["explain", "red", "red/1", "--json", "--data", str(data)])
    share = json.loads(asked.stdout)["nearer_than"]
    assert share >= 0.9
    assert nearer == f"nearer to it than {min(99, int(100 * share))} of 100 texts in the collection"
    body = {"query": "red", "id": "red/1"}
    answer = client.post(f"{ROUTE}/explain", json=body).json()
    assert answer["nearer_than"] == share
    far = client.post(f"{ROUTE}/explain", json={**body, "id": "blue/1"}).json()
    assert far["nearer_than"] < share


def test_what_explains_a_concept_and_an_item_is_found_as_by_a_search(client: TestClient) -> None:
    query = [{"concept": "redness"}, {"id": "blue/1", "weight": -0.5}]
    answer = client.post(f"{ROUTE}/explain", json={"query": query, "id": "red/1"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    redness, blue = found["parts"]
    assert redness > 0
    assert redness + blue == pytest.approx(found["score"], abs=1e-6)
    unknown = client.post(f"{ROUTE}/explain", json={"query": {"concept": "none"}, "id": "red/1"})
    assert unknown.status_code == 404
