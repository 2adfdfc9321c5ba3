"""Any question at all: exactly min(k, matching) hits, nothing twice on its pages, nothing else.

Held against the filter's own matches, in collections that are empty, of one item, of one vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent.errors import InputError, NearfieldError
from latent.items import Item, Modality, Vectors
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from service.engine.parts import parse, place
from service.query import Answer, Mode, QueryEngine, Question, Walk

DIM = 16
CHANCE = np.random.default_rng(0)
ONE = CHANCE.standard_normal(DIM).astype(np.float32)
ROWS: dict[str, Vectors] = {
    "empty": np.empty((0, DIM), np.float32),
    "of-one": ONE[None],
    "of-opposites": np.stack([ONE, -ONE]),
    "of-one-vector": np.tile(ONE, (23, 1)),
    "of-many": CHANCE.standard_normal((60, DIM)).astype(np.float32),
}
NAMES = st.sampled_from(list(ROWS))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of those collections, each with photos and texts; no test changes them."""
    asked = Settings(data=tmp_path_factory.mktemp("any"), model="colours", min_relevance=0)
    with open_store(asked) as opened:
        for name, rows in ROWS.items():
            opened.ensure(name, "colours").put([item(*one) for one in enumerate(rows)])
        yield opened


def item(number: int, row: Vectors) -> Item:
    return Item(
        f"i{number}",
        Modality.TEXT if number % 3 == 0 else Modality.IMAGE,
        row,
        uri=f"folder{number % 3}/{number}",
        text="a red thing" if number % 2 else None,
        metadata={"n": number % 5, "deep": {"x": number / 2}, "odd": [number]},
        content_hash=f"{number // 2}",
    )


numbers = st.integers(-1, 6)
leaves = st.one_of(
    st.builds(
        lambda field, operator, value: {field: {operator: value}},
        st.sampled_from(["n", "deep.x"]),
        st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]),
        numbers,
    ),
    st.builds(
        lambda operator, ids: {"$id": {operator: ids}},
        st.sampled_from(["$in", "$nin"]),
        st.lists(st.sampled_from(["i0", "i1", "i7", "nobody"]), min_size=1, max_size=3),
    ),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda some: {"$and": some}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda some: {"$or": some}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {"$not": one}, inner),
    ),
    max_leaves=6,
)
things = st.one_of(
    st.builds(lambda text: {"text": text}, st.sampled_from(["red", "a blue thing", "nothing"])),
    st.builds(lambda number: {"id": f"i{number}"}, st.integers(0, 25)),
    st.builds(
        lambda vector: {"vector": vector},
        st.lists(st.floats(-3, 3, width=16), min_size=DIM, max_size=DIM),
    ),
)
parts = st.builds(lambda thing, weight: {**thing, "weight": weight}, things, st.floats(-1, 3))
orders = st.one_of(
    st.just({}),
    st.builds(lambda much: {"diversity": much}, st.floats(0, 1)),
    st.builds(lambda by: {"sort_by": by}, st.sampled_from(["n:desc", "deep.x", "odd", "$id"])),
)
options = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from([Mode.VECTOR, Mode.HYBRID]),
        "group_by": st.sampled_from(["n", "$folder", "$content", "$copies"]),
        "min_relevance": st.sampled_from([0.2, 0.5, 1.0]),
        "modality": st.sampled_from(list(Modality)),
    },
)


@settings(max_examples=150, deadline=None)
@given(
    name=NAMES,
    query=st.lists(parts, min_size=1, max_size=3),
    where=st.none() | filters,
    order=orders,
    asked=options,
    k=st.integers(1, 20),
)
def test_an_answer_holds_as_many_as_match_and_its_pages_nothing_twice(
    store: Store,
    *,
    name: str,
    query: list[dict[str, Any]],
    where: dict[str, Any] | None,
    order: dict[str, Any],
    asked: dict[str, Any],
    k: int,
) -> None:
    engine = QueryEngine(store)
    question = Question(parse(query), k, where, **asked, **order)
    try:
        first = engine.search(name, question)
    except NearfieldError:
        return  # it was refused by name
    matching = {
        one.id for one in store.collection(name).scroll(99, where=where, modality=question.modality)
    }
    matching -= {one["id"] for one in query if "id" in one}
    pages = [hit.item.id for hit in everything(engine, name, question, first)]
    assert len(pages) == len(set(pages))
    assert set(pages) <= matching
    assert all(0 <= (hit.relevance or 0) <= 1 for hit in first.hits)
    if question.min_relevance is None and question.group_by is None:
        assert len(first.hits) == min(k, len(matching))
        assert set(pages) == matching
    if first.cursor is not None:
        with pytest.raises(InputError, match="another question"):
            engine.search(name, replace(question, cursor=first.cursor, where={"n": {"$lt": 99}}))


def everything(engine: QueryEngine, name: str, question: Question, answer: Answer) -> Iterator[Any]:
    """The hits of an answer and of all pages behind it."""
    yield from answer.hits
    while answer.cursor is not None:
        answer = engine.search(name, replace(question, cursor=answer.cursor))
        assert answer.hits or answer.cursor is None
        yield from answer.hits


@settings(max_examples=60, deadline=None)
@given(
    name=NAMES, ends=st.tuples(things, things), steps=st.integers(2, 50), where=st.none() | filters
)
def test_a_walk_has_as_many_steps_as_items_match_and_none_twice(
    store: Store,
    *,
    name: str,
    ends: tuple[dict[str, Any], dict[str, Any]],
    steps: int,
    where: dict[str, Any] | None,
) -> None:
    start, end = ends
    try:
        walked = QueryEngine(store).walk(name, Walk(place(start), place(end), steps, where))
    except NearfieldError:
        return  # there is no way, or it starts at an item that is not there
    ids = [step.hit.item.id for step in walked.steps]
    assert len(ids) == len(set(ids))
    assert len(ids) == min(steps, store.collection(name).count(where=where))
