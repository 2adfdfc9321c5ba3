"""Fields of items, orders by them, and groups."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.errors import InputError
from latent.items import JSON, Group, Hit, Item, Modality, Passage
from latent.models.cuts import UNFITTED
from latent.store import Store
from service.engine import sorting
from service.engine.grouping import grouped
from service.engine.sorting import LONGEST, Order
from service.engine.values import BUILT_IN, require_known, value_of

ROW = np.ones(1, dtype=np.float32)


def hit(item_id: str, value: JSON = None, score: float = 0.5, **fields: object) -> Hit:
    metadata = {} if value is None else {"field": value}
    given: dict[str, object] = {"uri": item_id, "metadata": metadata} | fields
    return Hit(Item(item_id, Modality.TEXT, ROW, **given), score)  # type: ignore[arg-type]


def order_of(values: list[JSON], *, descending: bool = False) -> list[JSON]:
    hits = [hit(str(n), value) for n, value in enumerate(values)]
    order = Order("field", descending)
    return [value_of(one.item, "field") for one in order.sorted(hits)]


# --- values -------------------------------------------------------------------------------------


def test_a_field_is_the_key_of_that_name_or_the_way_along_the_dots() -> None:
    item = Item("a", Modality.TEXT, ROW, metadata={"a.b": 1, "a": {"b": 2, "c": {"d": 3}}, "n": 4})
    assert [value_of(item, name) for name in ("a.b", "a.c.d", "n", "n.m", "a.x", "b")] == [
        *(1, 3, 4),
        *(None, None, None),
    ]


def test_every_item_has_fields_by_itself() -> None:
    item = Item(
        "a#2",
        Modality.TEXT,
        ROW,
        uri="trip/day/a.md",
        text="words",
        passage=Passage("trip/day/a.md", 2, 3, 0, 5),
        content_hash="abc",
    )
    assert {name: value_of(item, name) for name in BUILT_IN} == {
        "$id": "a#2",
        "$uri": "trip/day/a.md",
        "$text": "words",
        "$modality": "text",
        "$document": "trip/day/a.md",
        "$folder": "trip/day",
        "$content": "abc/2",
    }


def test_a_field_that_no_item_has_had_is_refused_with_those_there_are(store: Store) -> None:
    collection = store.ensure("main", "vectors:1")
    require_known(collection, "anything", what="sort_by")  # nothing is there to be misspelt
    collection.put([Item("a", Modality.TEXT, ROW, metadata={"taken_at": "2024"})])
    require_known(collection, "taken_at", what="sort_by")
    require_known(collection, "$folder", what="group_by")
    with pytest.raises(InputError, match=r"sort_by: .*'takn_at'.*'taken_at'"):
        require_known(collection, "takn_at", what="sort_by")
    with pytest.raises(InputError, match=r"group_by: .*'\$files'.*\$folder"):
        require_known(collection, "$files", what="group_by")


# --- orders -------------------------------------------------------------------------------------


def test_numbers_and_strings_go_up_or_down_and_what_is_missing_comes_last() -> None:
    assert order_of([3, None, 1.5, 2]) == [1.5, 2, 3, None]
    assert order_of([3, None, 1.5, 2], descending=True) == [3, 2, 1.5, None]
    assert order_of(["b", None, "a"], descending=True) == ["b", "a", None]
    assert order_of([["a list"], 1, {"an": "object"}])[0] == 1


def test_values_of_different_kinds_stand_apart() -> None:
    assert order_of(["10", 9, True, "9", 10, False]) == [False, True, 9, 10, "10", "9"]


def test_equal_values_stand_by_score_then_by_id_both_ways() -> None:
    hits = [hit("b", 1, 0.5), hit("a", 1, 0.5), hit("c", 1, 0.9), hit("d", 1, math.nan)]
    for order in (Order("field"), Order("field", True)):
        assert [one.item.id for one in order.sorted(hits)] == ["c", "a", "b", "d"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("taken_at", Order("taken_at")),
        ("taken_at:asc", Order("taken_at")),
        ("taken_at:desc", Order("taken_at", True)),
        ("$uri:desc", Order("$uri", True)),
        ("a:b", Order("a:b")),
        ("a:b:desc", Order("a:b", True)),
    ],
)
def test_an_order_is_a_field_and_a_way(text: str, expected: Order) -> None:
    assert sorting.parse(text) == expected


@pytest.mark.parametrize("text", ["", ":desc"])
def test_an_order_by_nothing_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="needs a field"):
        sorting.parse(text)


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
)


@given(st.lists(st.tuples(VALUES, st.floats(-1, 1)), max_size=20), st.booleans())
def test_a_place_survives_a_cursor_and_cuts_the_list_where_it_stands(
    values: list[tuple[JSON, float]], descending: bool
) -> None:
    order = Order("field", descending)
    hits = order.sorted([hit(str(n), value, score) for n, (value, score) in enumerate(values)])
    for at, one in enumerate(hits):
        place = sorting.read_place(json.loads(json.dumps([*order.place_of(one)])))
        behind = [other for other in hits if order.compare(place, order.place_of(other)) < 0]
        assert behind == hits[at + 1 :]


def test_of_a_long_string_only_the_beginning_counts() -> None:
    kind, value, *_ = Order("field").place_of(hit("a", "x" * 10_000))
    assert (kind, value) == (2, "x" * LONGEST)


@pytest.mark.parametrize(
    "given",
    [
        None,
        7,
        [],
        [1, 2, 3],
        [9, 1, 0.5, "a"],
        [1, "a", 0.5, "a"],
        [2, 1, 0.5, "a"],
        [1, 1, "b", "a"],
    ],
)
def test_a_place_that_is_none_is_refused(given: JSON) -> None:
    with pytest.raises(InputError, match="not one of ours"):
        sorting.read_place(given)


# --- groups -------------------------------------------------------------------------------------


def test_the_first_hit_of_each_group_stands_for_it_and_the_others_are_counted() -> None:
    hits = [hit("a", "x"), hit("b", "y"), hit("c", "x"), hit("d", "x")]
    found = grouped(hits, "field", UNFITTED).hits
    assert [(one.item.id, one.group) for one in found] == [
        ("a", Group("x", 2)),
        ("b", Group("y", 0)),
    ]


def test_hits_with_nothing_in_the_field_are_alone() -> None:
    found = grouped([hit("a"), hit("b")], "field", UNFITTED).hits
    assert [(one.item.id, one.group) for one in found] == [
        ("a", Group(None, 0)),
        ("b", Group(None, 0)),
    ]


@given(st.lists(VALUES | st.lists(st.integers(), max_size=2), min_size=2, max_size=6))
def test_values_that_differ_in_json_make_different_groups(values: list[JSON]) -> None:
    hits = [hit(str(n), value) for n, value in enumerate(values)]
    for one, value in zip(hits, values, strict=True):
        for other, other_value in zip(hits, values, strict=True):
            is_same = one is other or (
                value is not None and json.dumps(value) == json.dumps(other_value)
            )
            groups = grouped([one, other], "field", UNFITTED)
            assert (one is other) or (len(groups.hits) == 1) == is_same
