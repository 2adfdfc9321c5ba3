"""Areas of the map: what a line goes around, and how lines that enclose nothing are refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent.errors import InputError
from latent.items import Item, Modality
from latent.store import Store
from service.engine.parts import parse
from service.explore import areas
from service.explore.areas import MOST_CORNERS, corners_of, inside
from service.explore.projecting import Method
from service.explore.surveys import Surveys
from service.query import QueryEngine, Question

SQUARE = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]


def points(*places: tuple[float, float]) -> Any:
    return np.array(places, np.float32).reshape(-1, 2)


def test_what_lies_within_a_square_is_inside_whichever_way_it_is_drawn() -> None:
    some = points((0, 0), (0.4, -0.4), (0.6, 0), (0, -0.6), (2, 2))
    expected = [True, True, False, False, False]
    assert inside(some, corners_of(SQUARE)).tolist() == expected
    assert inside(some, corners_of(SQUARE[::-1])).tolist() == expected


def test_a_line_that_crosses_itself_encloses_whatever_it_goes_around() -> None:
    bow = corners_of([[-1, -1], [1, 1], [1, -1], [-1, 1]])
    assert inside(points((-0.5, 0), (0.5, 0), (0, 0.5)), bow).tolist() == [True, True, False]
    twice = corners_of([*SQUARE, *SQUARE])  # goes around the middle twice
    assert inside(points((0, 0)), twice).tolist() == [True]


def turned(x: float, y: float, corners: Any) -> int:
    """How often a line goes around a point, by the angles under which it is seen."""
    seen = np.arctan2(corners[:, 1] - y, corners[:, 0] - x)
    steps = (np.roll(seen, -1) - seen + math.pi) % (2 * math.pi) - math.pi
    return round(float(steps.sum()) / (2 * math.pi))


numbers = st.integers(-8, 8).map(float)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=9))
def test_inside_is_what_the_line_turns_around(line: list[tuple[float, float]]) -> None:
    try:
        corners = corners_of(line)
    except InputError:
        return
    steps = np.arange(-8, 8) + 0.4321  # on no line between whole numbers of this size, nearly
    some = np.array([(x, y * 1.01237) for x in steps for y in steps], np.float32)
    is_near = np.zeros(len(some), np.bool_)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = end - start
        length = max(float(along @ along), 1e-12)
        at = np.clip((some - start) @ along / length, 0, 1)[:, None]
        is_near |= np.linalg.norm(some - start - at * along, axis=1) < 1e-3
    found = inside(some, corners)
    for (x, y), is_inside, unsure in zip(some, found, is_near, strict=True):
        assert unsure or is_inside == (turned(float(x), float(y), corners) != 0)


@pytest.mark.parametrize(
    "area",
    [
        [],
        [[0, 0], [1, 1]],
        [[0, 0], [1, 1], [math.nan, 0]],
        [[0, 0], [1, 1], [math.inf, 0]],
        [[0, 0], [1, 1], [1e300, 0]],
        [[0, 0], [1, 0], [2, 0]],
        [[0, 0], [1, 1], [1]],
        [[0, 0], [1, 1], ["a", "b"]],
        [[0, 0, 0], [1, 1, 1], [2, 0, 1]],
        [0, 1, 2],
        [[0.0, 0.0], [1.0, 1.0]] * 500_000,
    ],
    ids=lambda area: repr(area)[:40],
)
def test_what_encloses_nothing_is_refused(area: Any) -> None:
    with pytest.raises(InputError):
        corners_of(area)


def test_the_most_corners_are_taken() -> None:
    turn = np.linspace(0, 2 * math.pi, MOST_CORNERS, endpoint=False)
    ring = np.column_stack([np.cos(turn), np.sin(turn)]).tolist()
    assert inside(points((0, 0), (0.99, 0.99)), corners_of(ring)).tolist() == [True, False]


def mapped(store: Store) -> Surveys:
    """Forty items in two heaps, and their map."""
    rows = np.random.default_rng(0).normal(0, 0.05, (40, 16)).astype(np.float32)
    rows[:20, 0] += 1
    rows[20:, 1] += 1
    items = [Item(str(n), Modality.IMAGE, row) for n, row in enumerate(rows)]
    store.ensure("main").put(items)
    surveys = Surveys(store)
    surveys.build(store.collection("main"), Method.PCA)
    return surveys


def test_a_question_finds_only_what_lies_in_the_area(store: Store) -> None:
    surveys = mapped(store)
    engine = QueryEngine(store, surveys)
    survey = surveys.of(store.collection("main"))
    assert survey is not None
    x, y = survey.landscape.points[3]
    box = [[x - 0.1, y - 0.1], [x + 0.1, y - 0.1], [x + 0.1, y + 0.1], [x - 0.1, y + 0.1]]
    is_there = areas.inside(survey.landscape.points, corners_of(box))
    expected = {survey.ids[n] for n in np.flatnonzero(is_there)}
    assert 0 < len(expected) < 40
    asked = Question(parse({"id": "30"}), k=40, area=box)
    assert {hit.item.id for hit in engine.search("main", asked).hits} == expected - {"30"}
    both = Question(parse({"id": "30"}), k=40, area=box, where={"$id": {"$in": ["3", "25"]}})
    assert [hit.item.id for hit in engine.search("main", both).hits] == ["3"]
    nowhere = Question(parse({"id": "30"}), area=[[5, 5], [6, 5], [6, 6]])
    assert engine.search("main", nowhere).hits == []


def test_an_item_that_came_since_the_map_was_seen_is_in_no_area_yet(store: Store) -> None:
    surveys = mapped(store)
    collection, engine = store.collection("main"), QueryEngine(store, surveys)
    collection.put([Item("new", Modality.IMAGE, np.eye(16, dtype=np.float32)[0])])
    asked = Question(parse({"id": "3"}), k=50, area=[[-2, -2], [2, -2], [2, 2], [-2, 2]])
    assert "new" not in {hit.item.id for hit in engine.search("main", asked).hits}
    surveys.of(collection)
    assert "new" in {hit.item.id for hit in engine.search("main", asked).hits}


def test_an_area_is_one_of_the_map_that_another_process_built(store: Store) -> None:
    mapped(store)
    elsewhere, engine = Surveys(store), QueryEngine(store)
    everything = Question(parse({"id": "3"}), k=50, area=[[-2, -2], [2, -2], [2, 2], [-2, 2]])
    assert len(engine.search("main", everything).hits) == 39
    collection = store.collection("main")
    collection.put([Item("new", Modality.IMAGE, np.eye(16, dtype=np.float32)[0])])
    elsewhere.build(collection, Method.PCA)
    assert len(engine.search("main", everything).hits) == 40


def test_an_area_without_a_map_is_refused(store: Store) -> None:
    store.ensure("main").put([Item("a", Modality.IMAGE, np.eye(16, dtype=np.float32)[0])])
    with pytest.raises(InputError, match="no map yet"):
        QueryEngine(store).search("main", Question(parse({"id": "a"}), area=SQUARE))
