"""The filter language: what it says, and what it refuses by name."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import numpy as np
import pages
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.errors import FilterError
from latent.filters.language import (
    BUILT_IN,
    GROUPS,
    MOST_CLAUSES,
    MOST_DEPTH,
    MOST_VALUES,
    OPERATORS,
    Compare,
    Either,
    Exists,
    Not,
    OneOf,
    Op,
    expected_fields,
    parse,
)
from latent.filters.match import matches
from latent.filters.patterns import TO_LOWER, is_like, pattern_of
from latent.items import JSON, Item, Modality


def item(metadata: dict[str, JSON], **known: Any) -> Item:
    vector = np.ones(1, np.float32)
    return Item("id/1", Modality.IMAGE, vector, "beach/a.jpg", metadata=metadata, **known)


def meets(where: dict[str, Any], metadata: dict[str, JSON], **known: Any) -> bool:
    tree = parse(where)
    assert tree is not None
    return matches(tree, item(metadata, **known))


@pytest.mark.parametrize(
    ("where", "metadata", "expected"),
    [
        ({"n": 1}, {"n": 1.0}, True),
        ({"n": 1}, {"n": "1"}, False),
        ({"n": 1}, {"n": True}, False),
        ({"n": True}, {"n": 1}, False),
        ({"n": {"$gt": 1}}, {"n": "2"}, False),
        ({"n": {"$gt": 1, "$lte": 3}}, {"n": 3}, True),
        ({"n": {"$gt": 1, "$lte": 3}}, {"n": 3.5}, False),
        ({"at": {"$gte": "2024-06-01"}}, {"at": "2024-06-01T10:00:00"}, True),
        ({"at": {"$lt": "2024-06"}}, {"at": "2024-06-01"}, False),
        ({"at": {"$lt": "2024-06"}}, {}, False),
        ({"at": {"$ne": "x"}}, {}, True),
        ({"at": {"$nin": ["x"]}}, {}, True),
        ({"at": {"$exists": False}}, {}, True),
        ({"at": {"$exists": False}}, {"at": None}, False),
        ({"at": None}, {}, True),
        ({"at": None}, {"at": None}, True),
        ({"at": {"$ne": None}}, {"at": 0}, True),
        ({"tags": "beach"}, {"tags": ["sea", "beach"]}, True),
        ({"tags": {"$in": ["beach", "sun"]}}, {"tags": ["sea"]}, False),
        ({"tags": {"$ne": "beach"}}, {"tags": ["sea", "beach"]}, False),
        ({"tags": {"$nin": ["x"]}}, {"tags": ["sea", "beach"]}, True),
        ({"tags": {"$in": []}}, {"tags": []}, False),
        ({"n": {"$gt": 1, "$lt": 2}}, {"n": [0, 5]}, True),
        ({"n": 1}, {"n": [[1]]}, False),
        ({"camera.make": "X"}, {"camera": {"make": "X"}}, True),
        ({"camera.make": "X"}, {"camera.make": "X"}, True),
        ({"camera.make": "X"}, {"camera.make": "Y", "camera": {"make": "X"}}, False),
        ({"camera.make": "X"}, {"camera": [{"make": "X"}]}, False),
        ({"camera": "X"}, {"camera": {"make": "X"}}, False),
        ({"n": {"$not": {"$gt": 1}}}, {}, True),
        ({"$not": {"n": 1}}, {"n": 2}, True),
        ({"$or": [{"n": 1}, {"m": 1}]}, {"m": 1}, True),
        ({"$and": [{"n": 1}, {"m": 1}]}, {"m": 1}, False),
        ({"n": 1, "m": 1}, {"m": 1}, False),
        ({"$or": [{}]}, {}, True),
        ({"name": {"$like": "%.JPG"}}, {"name": "a.jpg"}, True),
        ({"name": {"$like": "_.jpg"}}, {"name": ["ab.jpg", "c.jpg"]}, True),
        ({"name": {"$like": "1"}}, {"name": 1}, False),
    ],
)
def test_a_filter_means_what_the_page_says(
    where: dict[str, Any], metadata: dict[str, JSON], expected: bool
) -> None:
    assert meets(where, metadata) is expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"$id": "id/1"}, True),
        ({"$uri": {"$like": "beach/%"}}, True),
        ({"$modality": "image"}, True),
        ({"$modality": {"$ne": "image"}}, False),
        ({"$text": None}, True),
        ({"$text": {"$exists": True}}, False),
        ({"$text": {"$like": "%"}}, False),
    ],
)
def test_every_item_has_fields_of_its_own(where: dict[str, Any], expected: bool) -> None:
    assert meets(where, {}) is expected


PARIS, BERLIN = [48.857, 2.352], [52.52, 13.405]  # 878 km apart


@pytest.mark.parametrize(
    ("shape", "place", "expected"),
    [
        ({"$center": PARIS, "$radius_m": 870_000}, BERLIN, False),
        ({"$center": PARIS, "$radius_m": 886_000}, BERLIN, True),
        ({"$center": [0, 179.9], "$radius_m": 30_000}, [0, -179.9], True),
        ({"$center": [90, 0], "$radius_m": 200_000}, [89, 170], True),
        ({"$box": [[40, 0], [50, 10]]}, PARIS, True),
        ({"$box": [[40, 0], [50, 10]]}, BERLIN, False),
        ({"$box": [[-20, 170], [0, -170]]}, [-10, 175], True),
        ({"$box": [[-20, 170], [0, -170]]}, [-10, -175], True),
        ({"$box": [[-20, 170], [0, -170]]}, [-10, 0], False),
        ({"$polygon": [[40, 0], [40, 10], [60, 5]]}, [50, 1], False),
        ({"$polygon": [[40, 0], [40, 10], [60, 5]]}, [45, 4], True),
        ({"$polygon": [[-20, 170], [-20, -170], [0, 180]]}, [-15, 179], True),
        ({"$polygon": [[-20, 170], [-20, -170], [0, 180]]}, [-15, -179], True),
        ({"$polygon": [[-20, 170], [-20, -170], [0, 180]]}, [-15, 0], False),
        ({"$polygon": [[-20, -170], [-20, 170], [0, 180]]}, [-15, 179], True),
    ],
)
def test_places_lie_in_shapes_also_over_the_antimeridian(
    shape: JSON, place: list[float], expected: bool
) -> None:
    lat, lon = place
    assert meets({"at": {"$geo_within": shape}}, {"at": [lat, lon]}) is expected
    assert meets({"at": {"$geo_within": shape}}, {"at": {"lat": lat, "lon": lon}}) is expected
    camera: dict[str, JSON] = {"latitude": lat, "longitude": lon}
    assert meets({"$place": {"$geo_within": shape}}, camera) is expected


@pytest.mark.parametrize(
    "value", [[500, 0], [0, 0, 0], ["0", 0], {"lat": 1}, {}, "0,0", None, [True, 0]]
)
def test_what_is_no_place_lies_nowhere(value: JSON) -> None:
    everywhere = {"$box": [[-90, -180], [90, 180]]}
    assert not meets({"at": {"$geo_within": everywhere}}, {"at": value})
    assert not meets({"$place": {"$exists": True}}, {"at": value})


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            {"n": {"$above": 1}},
            r"unknown operator '\$above'; there are \$eq, .*\$geo_within, \$not",
        ),
        ({"$nor": []}, r"'\$nor' is neither one of \$and, \$or, \$not nor .*\$uri"),
        ({"$path": 1}, r"\$id, \$uri, \$text, \$modality, \$place"),
        ({"$or": []}, "at least one filter"),
        ({"$or": {"a": 1}}, "takes a list"),
        ({"$and": [1]}, "an object, not 1"),
        ({"$not": [{"a": 1}]}, "an object, not a list"),
        ({"n": {}}, "empty object"),
        ({"camera": {"make": "X"}}, "'camera.make'"),
        ({"n": [1]}, r"a list; .*\$in"),
        ({"n": {"$in": 1}}, "take a list"),
        ({"n": {"$in": [[1]]}}, "not a list"),
        ({"n": {"$gt": None}}, "a string or a number, not None"),
        ({"n": {"$gt": True}}, "a string or a number, not True"),
        ({"n": {"$exists": 1}}, "true or false"),
        ({"n": {"$like": 1}}, "takes a string"),
        ({"n": {"$like": "a" * 1001}}, "up to 1000"),
        ({"n": {"$like": "a\\"}}, "escapes nothing"),
        ({"n": 1 << 63}, "64 bits"),
        ({"n": float("nan")}, "no JSON number"),
        ({"n": "a\0"}, "NUL"),
        ({"n": "\ud800"}, "half a character"),
        ({'a"b': 1}, "cannot be named"),
        ({"a\x1fb": 1}, "cannot be named"),
        ({"$id": 7}, r"\$id is a string"),
        ({"$id": {"$geo_within": {}}}, r"the place of an item is \$place"),
        ({"$place": {"$gt": 1}}, r"\$geo_within and \$exists"),
        ({"p": {"$geo_within": {}}}, r"\$geo_within takes"),
        ({"p": {"$geo_within": {"$center": [0, 0]}}}, r"\$geo_within takes"),
        ({"p": {"$geo_within": {"$center": [0, 0], "$radius_m": 0}}}, "metres"),
        ({"p": {"$geo_within": {"$center": [2.3, 480], "$radius_m": 9}}}, "latitude, longitude"),
        ({"p": {"$geo_within": {"$box": [[9, 0], [0, 9]]}}}, "south is north"),
        ({"p": {"$geo_within": {"$polygon": [[0, 0], [1, 1]]}}}, "three corners"),
        ({"p": {"$geo_within": {"$polygon": [[0, 0]] * 1001}}}, "at most 1000 corners"),
        ({"n": {"$not": 1}}, "an object of operators"),
        ("x", "an object"),
    ],
)
def test_what_cannot_be_understood_is_named(where: Any, said: str) -> None:
    with pytest.raises(FilterError, match=said):
        parse(where)


@pytest.mark.parametrize("word", ["$not", "$or", "of a field"])
def test_a_filter_as_deep_as_a_well_is_refused_and_no_stack_overflows(word: str) -> None:
    where: Any = {"$gt": 1} if word == "of a field" else {"n": 1}
    for _ in range(500):
        where = {"$or": [where]} if word == "$or" else {"$not": where}
    with pytest.raises(FilterError, match="levels deep"):
        parse({"n": where} if word == "of a field" else where)


def test_ten_thousand_clauses_are_refused() -> None:
    with pytest.raises(FilterError, match="at most 1000 conditions"):
        parse({f"n{n}": n for n in range(10_000)})
    with pytest.raises(FilterError, match="at most 1000 conditions"):
        parse({"$or": [{}] * 10_000})


def test_nothing_asked_is_no_filter_and_a_tree_stays_as_it_is() -> None:
    assert parse(None) is None
    assert parse({}) is None
    tree = parse({"n": {"$ne": 1}})
    assert tree == Not(OneOf("n", (1,)))
    assert parse(tree) is tree


def test_equalities_of_one_field_become_one_list() -> None:
    where: Any = {"$or": [{"n": 1}, {"n": {"$in": [2, None]}}, {"n": {"$gt": 9}}, {"m": 1}]}
    assert parse(where) == Either(
        (OneOf("n", (1, 2, None)), OneOf("m", (1,)), Compare("n", Op.GT, 9))
    )
    assert parse({"$or": [{"n": n} for n in range(3)]}) == OneOf("n", (0, 1, 2))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"a": 1, "$or": [{"b.c": {"$gt": 1}}, {"$id": "x"}]}, {"a", "b.c"}),
        ({"a": {"$ne": 1}, "b": {"$nin": [1]}, "c": None, "d": {"$exists": True}}, set()),
        ({"$not": {"a": 1, "$not": {"b": 1}}}, {"b"}),
        ({"a": {"$exists": True, "$eq": 1}}, set()),
        ({"$not": {"a": {"$ne": 1}}}, {"a"}),
    ],
)
def test_fields_that_must_be_there_are_told(where: dict[str, Any], expected: set[str]) -> None:
    tree = parse(where)
    assert tree is not None
    assert expected_fields(tree) == expected


def test_existence_is_asked_of_both_ways() -> None:
    assert parse({"a": {"$exists": True}}) == Exists("a")
    assert parse({"a": {"$exists": False}}) == Not(Exists("a"))


@pytest.mark.parametrize(
    ("value", "pattern", "expected"),
    [
        ("", "", True),
        ("", "%", True),
        ("", "_", False),
        ("abc", "a%c", True),
        ("abcbc", "a%bc", True),
        ("ABC", "abc", True),
        ("Ä", "ä", False),
        ("a\nb", "a_b", True),
        ("50%", "50\\%", True),
        ("50x", "50\\%", False),
        ("a_b", "a\\_b", True),
        ("\\", "\\\\", True),
        ("😀", "_", True),
    ],
)
def test_patterns_are_those_of_sql(value: str, pattern: str, expected: bool) -> None:
    assert is_like(value, pattern) is expected


@pytest.mark.parametrize("sign", ["a", "_", "a_"])
def test_a_hostile_pattern_takes_no_time(sign: str) -> None:
    assert not is_like("a" * 20_000, f"%{sign}" * 200 + "b")


LIKE = st.text("abAB\u00e9%_.*", max_size=8).map(lambda text: text.replace(".", "\\%"))


@given(LIKE, st.lists(st.text("abAB\u00e9%.*\n", max_size=8), max_size=6))
def test_patterns_say_of_many_texts_what_sqlite_says_of_each(
    pattern: str, texts: list[str]
) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        query = "SELECT ? LIKE ? ESCAPE '\\'"
        expected = [bool(database.execute(query, (one, pattern)).fetchone()[0]) for one in texts]
    assert [is_like(one, pattern) for one in texts] == expected
    lowered = np.array([one.translate(TO_LOWER).encode() for one in texts], np.bytes_)
    assert pattern_of(pattern).among(lowered).tolist() == expected


def test_a_pattern_with_a_nul_is_in_no_text_without_one() -> None:
    assert not pattern_of("%a\0").among(np.array([b"a", b"ba"])).any()
    assert is_like("ba\0", "%a\0")


def test_the_page_has_every_word_and_its_examples_are_understood() -> None:
    text = pages.read("docs/reference/filters.md")
    rows = pages.rows_in(text)
    operators = {name for name in OPERATORS if name in rows}
    assert operators == set(OPERATORS)
    assert set(BUILT_IN) <= set(rows)
    assert all(f"`{word}`" in text for word in GROUPS)
    examples = [block.text for block in pages.blocks(text) if block.language == "json"]
    assert len(examples) > 5
    for example in examples:
        assert parse(json.loads(example)) is not None
    for number in (MOST_CLAUSES, MOST_VALUES, MOST_DEPTH):
        assert f"{number:,}" in text
