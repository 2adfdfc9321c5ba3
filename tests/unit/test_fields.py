"""Fields of metadata: a misspelt one is told, and a live collection is not surprised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latent.catalog import fields
from latent.collection import Collection
from latent.errors import FilterError
from latent.items import JSON, Item, Modality
from latent.models.colours import DIM
from latent.store import Store

VECTOR = np.eye(1, DIM, dtype=np.float32)[0]


def item(item_id: str, metadata: dict[str, JSON]) -> Item:
    return Item(item_id, Modality.TEXT, VECTOR, metadata=metadata)


@pytest.fixture
def collection(store: Store) -> Collection:
    made = store.ensure("main")
    made.put([item("a", {"camera": {"make": "X"}, "year": 2024}), item("b", {"a.b": 1})])
    return made


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"yaer": 2024}, r"no item has a field 'yaer'; did you mean 'year'\?"),
        (
            {"album": "x"},
            r"no item has a field 'album'; there are a\.b, camera, camera\.make, year",
        ),
        ({"camera.model": "x"}, "did you mean 'camera.make'"),
        ({"$or": [{"year": 2024}, {"$not": {"$not": {"yera": 1}}}]}, "'yera'"),
    ],
)
def test_a_field_that_no_item_has_is_named(
    collection: Collection, where: dict[str, Any], said: str
) -> None:
    for ask in (
        lambda: collection.nearest(VECTOR, 1, where=where),
        lambda: collection.count(where=where),
        lambda: collection.scroll(1, where=where),
        lambda: collection.matching_words("x", 1, where=where),
    ):
        with pytest.raises(FilterError, match=said):
            ask()


@pytest.mark.parametrize(
    "where",
    [
        {"album": {"$exists": False}},
        {"album": {"$ne": "x"}},
        {"album": None},
        {"album": {"$exists": True, "$eq": "x"}},
        {"$not": {"album": "x"}},
    ],
)
def test_who_asks_whether_a_field_is_there_may_ask_for_any(
    collection: Collection, where: dict[str, Any]
) -> None:
    assert collection.count(where=where) in (0, 2)


def test_an_empty_collection_refuses_no_field(store: Store) -> None:
    assert store.ensure("empty").count(where={"album": "x"}) == 0


def test_a_field_stays_known_when_its_last_item_goes(collection: Collection) -> None:
    collection.drop(["a"])
    assert collection.count(where={"year": 2024}) == 0


def test_collections_know_their_own_fields(store: Store, collection: Collection) -> None:
    other = store.ensure("other")
    other.put([item("x", {"album": 1})])
    assert other.count(where={"album": 1}) == 1
    with pytest.raises(FilterError):
        collection.count(where={"album": 1})


def test_beyond_so_many_fields_none_is_refused(collection: Collection) -> None:
    for turn in range(3):
        many: dict[str, JSON] = {f"f{turn}-{n}": 1 for n in range(fields.MOST_FIELDS // 2)}
        collection.put([item(f"c{turn}", many)])
    assert collection.count(where={"album": 1}) == 0
    assert collection.count(where={"f2-1": 1}) == 1


def test_names_are_those_that_a_filter_says() -> None:
    deep: dict[str, JSON] = {"x": 1}
    for _ in range(100):
        deep = {"d": deep}
    names = list(fields.names_in({"a": {"b": {"c": 1}}, "l": [{"m": 1}], "n" * 300: 1, **deep}))
    assert names[:4] == ["a", "a.b", "a.b.c", "l"]
    assert max(map(len, names)) <= fields.LONGEST_NAME
    assert len(names) == 4 + fields.MOST_DEPTH
