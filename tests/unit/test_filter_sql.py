"""SQL and Python agree on which items match, whatever the metadata and the filter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import filter_forms
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latent.collection import Collection
from latent.errors import FilterError
from latent.items import Item, Modality
from latent.models.colours import DIM
from latent.settings import Settings
from latent.wiring import open_store

VECTOR = np.eye(1, DIM, dtype=np.float32)[0]
ROUTINE = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def collection(settings: Settings) -> Iterator[Collection]:
    with open_store(settings) as store:
        made = store.ensure("main")
        filter_forms.fill(made, [])
        yield made


@ROUTINE
@given(
    metadatas=st.lists(filter_forms.metadata, min_size=1, max_size=8),
    filters=st.lists(filter_forms.wheres, min_size=1, max_size=6),
)
def test_sql_and_python_agree(
    collection: Collection, metadatas: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> None:
    filter_forms.fill(collection, metadatas)
    for where in filters:
        filter_forms.require_agreement(collection, where)


@pytest.mark.parametrize("count", [1_000])
@pytest.mark.parametrize("name", ["a", "a.b"])
def test_as_many_conditions_as_are_allowed_are_understood(
    collection: Collection, count: int, name: str
) -> None:
    for word in ("$or", "$and"):
        where = {word: [{name: {"$ne": n}} for n in range(count - 1)]}
        assert collection.count(where=where) == (1 if word == "$or" else 0)  # type: ignore[arg-type]
    with pytest.raises(FilterError, match="at most 1000 conditions"):
        collection.count(where={"$or": [{name: n} for n in range(count)]})


def test_a_filter_that_makes_too_much_sql_is_refused_by_name(collection: Collection) -> None:
    shape = {"$polygon": [[0, 0], [1, 0], [1, 1]]}
    where: Any = {"$or": [{"a.b": {"$geo_within": shape}}] * 900}
    assert collection.count(where=where) == 0  # which asks no database
    with pytest.raises(FilterError, match="too long"):
        collection.scroll(9, where=where)


def test_ten_thousand_values_fit_in_a_list(collection: Collection) -> None:
    many: list[Any] = [f"n{n}" for n in range(10_000)]
    assert collection.count(where={"a": {"$in": [*many[1:], 1]}}) == 1
    assert collection.count(where={"a": {"$nin": many}}) == 1
    with pytest.raises(FilterError, match="at most 10000 values"):
        collection.count(where={"a": {"$in": [*many, 1]}})


def test_a_number_is_found_by_all_its_digits(collection: Collection) -> None:
    """SQLite reads the last digit of some numbers otherwise than Python does."""
    numbers = np.random.default_rng(0).standard_normal(200).tolist()
    collection.put(
        [Item(f"n{n}", Modality.TEXT, VECTOR, metadata={"a": x}) for n, x in enumerate(numbers)]
    )
    for n, number in enumerate(numbers):
        (found,) = collection.scroll(9, where={"a": number})
        assert found.id == f"n{n}"
        (same,) = collection.scroll(9, where={"a": {"$gte": number, "$lte": number}})
        assert same.id == f"n{n}"
