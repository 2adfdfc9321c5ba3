"""Walks along the great circle, over a real store and the model that knows colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from latent.collection import Collection
from latent.errors import FilterError, InputError, UnknownItemError
from latent.items import Item, Modality, Vector
from latent.models.colours import DIM, ColourEmbedder
from latent.store import Store
from service.engine.parts import Part, place
from service.engine.walks import along
from service.query import QueryEngine, Walk

NUMBERS = st.lists(st.floats(-1, 1), min_size=4, max_size=4)


def unit(numbers: list[float]) -> Vector:
    row = np.array(numbers)
    scaled: Vector = (row / np.linalg.norm(row)).astype(np.float32)
    return scaled


@given(NUMBERS, NUMBERS, st.integers(2, 9))
def test_points_are_even_on_the_arc_from_one_end_to_the_other(
    one: list[float], other: list[float], steps: int
) -> None:
    assume(np.linalg.norm(one) > 0.1 and np.linalg.norm(other) > 0.1)
    start, end = unit(one), unit(other)
    cosine = float(start @ end)
    assume(abs(cosine) < 0.999)
    ways = np.linspace(0, 1, steps)
    points = along(start, end, ways)
    assert np.linalg.norm(points, axis=1) == pytest.approx(np.ones(steps), abs=1e-5)
    assert points[0] == pytest.approx(start, abs=1e-5)
    assert points[-1] == pytest.approx(end, abs=1e-5)
    walked = np.arccos(np.clip(points @ start, -1, 1))
    assert walked == pytest.approx(ways * np.arccos(cosine), abs=2e-3)


def test_there_is_no_way_between_things_that_are_the_same_or_opposite() -> None:
    row, ways = unit([1, 2, 3, 4]), np.linspace(0, 1, 3)
    with pytest.raises(InputError, match="the same"):
        along(row, row, ways)
    with pytest.raises(InputError, match="opposite"):
        along(row, -row, ways)


@pytest.fixture
def collection(store: Store) -> Collection:
    """Texts of more and more green and less and less red, and a blue one far off."""
    collection = store.ensure("main")
    words = ["red " * (8 - n) + "green " * n for n in range(9)]
    rows = ColourEmbedder().embed_texts([*words, "blue"])
    names = [*(f"{n}" for n in range(9)), "blue"]
    collection.put(
        [
            Item(name, Modality.TEXT, row, uri=name, metadata={"n": n})
            for n, (name, row) in enumerate(zip(names, rows, strict=True))
        ]
    )
    return collection


@pytest.fixture
def engine(store: Store, collection: Collection) -> QueryEngine:
    return QueryEngine(store)


def steps(engine: QueryEngine, start: object, end: object, **asked: object) -> list[str]:
    walk = Walk(place(start), place(end), **asked)  # type: ignore[arg-type]
    return [step.hit.item.id for step in engine.walk("main", walk).steps]


def test_a_walk_leads_by_neighbours_from_one_end_to_the_other(engine: QueryEngine) -> None:
    assert steps(engine, "red", "green", steps=3) == ["0", "4", "8"]
    assert steps(engine, {"id": "8"}, {"id": "0"}, steps=3) == ["8", "4", "0"]
    walked = steps(engine, "red", "green", steps=7)
    assert walked == sorted(walked)
    assert (walked[0], walked[-1], len(walked)) == ("0", "8", 7)


def test_a_walk_holds_nothing_twice_and_ends_at_its_end_however_long(engine: QueryEngine) -> None:
    walked = steps(engine, "red", "green", steps=50)
    assert sorted(walked) == sorted([*(f"{n}" for n in range(9)), "blue"])
    assert (walked[0], walked[-1]) == ("0", "8")


def test_a_step_knows_how_far_along_it_is_and_the_walk_its_angle(engine: QueryEngine) -> None:
    walked = engine.walk("main", Walk(place("red"), place("green"), 5))
    assert [step.at for step in walked.steps] == [0, 0.25, 0.5, 0.75, 1]
    assert walked.angle == pytest.approx(90, abs=0.1)
    assert walked.steps[0].hit.score == pytest.approx(1)
    assert walked.model == "colours"


def test_a_walk_keeps_to_what_matches(engine: QueryEngine) -> None:
    assert set(steps(engine, "red", "green", where={"n": {"$in": [2, 5]}})) == {"2", "5"}
    assert steps(engine, "red", "green", modality=Modality.IMAGE) == []


def test_a_walk_that_cannot_be_is_refused(engine: QueryEngine) -> None:
    with pytest.raises(InputError, match="the same"):
        steps(engine, "red", {"id": "0"})
    with pytest.raises(InputError, match="opposite"):
        row = ColourEmbedder().embed_texts(["red"])[0]
        steps(engine, {"vector": row.tolist()}, {"vector": (-row).tolist()})
    for number in (-1, 0, 1, 51):
        with pytest.raises(InputError, match="between 2 and 50 steps"):
            steps(engine, "red", "green", steps=number)
    with pytest.raises(FilterError):
        steps(engine, "red", "green", where={"n": {"$above": 1}})
    with pytest.raises(UnknownItemError, match="nothing"):
        steps(engine, "red", {"id": "nothing"})


def test_ends_that_are_vectors_need_no_model(store: Store) -> None:
    mine = store.ensure("mine", f"vectors:{DIM}")
    mine.put([Item(str(n), Modality.IMAGE, row) for n, row in enumerate(np.eye(DIM, dtype="f4"))])
    start, end = (place({"vector": row.tolist()}) for row in np.eye(DIM)[:2])
    walked = QueryEngine(store).walk("mine", Walk(start, end, 2))
    assert [step.hit.item.id for step in walked.steps] == ["0", "1"]
    assert isinstance(start, Part)
