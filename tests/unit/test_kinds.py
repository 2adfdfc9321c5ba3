"""Filters that compare a field with a kind of value it never holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latent.errors import FilterError
from latent.items import Item, Modality
from latent.store import Store
from service.engine.parts import parse
from service.query import Answer, QueryEngine, Question

FACTS: list[dict[str, Any]] = [
    {"year": 2024, "name": "a", "is_raw": True, "code": 7, "tags": ["x"]},
    {"year": 2023, "name": "b", "is_raw": False, "code": "7"},
    {"year": 2022, "name": "c"},
]


@pytest.fixture
def engine(store: Store) -> QueryEngine:
    row = np.eye(1, 16, dtype=np.float32)[0]
    store.ensure("main", "colours").put(
        [Item(f"i{n}", Modality.TEXT, row, text="red", metadata=one) for n, one in enumerate(FACTS)]
    )
    return QueryEngine(store)


def ask(engine: QueryEngine, where: dict[str, Any]) -> Answer:
    return engine.search("main", Question(parse("red"), where=where, min_relevance=0))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"year": "2024"}, "'year' holds numbers here and is compared with strings"),
        ({"year": {"$gte": "2023"}}, "'year' holds numbers"),
        ({"year": {"$like": "20%"}}, "'year' holds numbers"),
        ({"name": {"$gt": 3}}, "'name' holds strings here and is compared with numbers"),
        ({"is_raw": 1}, "'is_raw' holds true and false here and is compared with numbers"),
        ({"$or": [{"tags": 3}, {"year": {"$in": ["2024", "2023"]}}]}, "'tags' holds strings"),
    ],
)
def test_another_kind_than_a_field_holds_is_refused(
    engine: QueryEngine, where: dict[str, Any], said: str
) -> None:
    with pytest.raises(FilterError, match=said):
        ask(engine, where)


@pytest.mark.parametrize(
    "where",
    [
        {"year": 1999},
        {"code": "8"},
        {"code": 8},
        {"$and": [{"year": 1999}, {"name": {"$ne": 3}}]},
        {"$or": [{"year": 1999}, {"year": "1999"}]},
        {"$and": [{"year": 1999}, {"is_raw": {"$in": [None, 1]}}]},
    ],
)
def test_what_could_match_and_does_not_is_an_empty_answer(
    engine: QueryEngine, where: dict[str, Any]
) -> None:
    assert ask(engine, where).hits == []


def test_what_matches_is_found_whatever_else_is_compared(engine: QueryEngine) -> None:
    assert len(ask(engine, {"$or": [{"year": "2024"}, {"name": "a"}]}).hits) == 1
