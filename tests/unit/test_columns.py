"""Columns in memory say of every filter what the catalog says, while items come and go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import filter_forms
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as routine
from hypothesis import strategies as st
from sqlalchemy import event

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Change
from latent.catalog.opening import open_engine
from latent.catalog.rows import Entry
from latent.columns.cells import Cells, TooVariedError
from latent.columns.columns import Columns
from latent.columns.lexicon import MOST_NEW, Lexicon
from latent.errors import FilterError
from latent.filters.language import Exists, Like, OneOf, Op, parse
from latent.filters.match import matches
from latent.items import JSON, Item, Modality
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings
from latent.wiring import open_store

VECTOR = np.eye(1, 4, dtype=np.float32)[0]


@pytest.fixture
def catalog(settings: Settings) -> Iterator[Catalog]:
    settings.data.mkdir()
    opened = Catalog(open_engine(f"sqlite:///{settings.data}/catalog.sqlite3"))
    yield opened
    opened.close()


@pytest.fixture
def entry(catalog: Catalog) -> Entry:
    return catalog.create("main", VectorsOnly(4).space)


def item(name: str, **metadata: JSON) -> Item:
    return Item(name, Modality.TEXT, VECTOR, metadata=metadata)


def ids(catalog: Catalog, entry: Entry, columns: Columns, where: dict[str, Any]) -> list[str]:
    match = columns.matching(parse(where), None)
    assert match is not None
    assert match.sequence == catalog.sequence(entry)
    return [one.id for one in catalog.by_key(entry, match.keys.tolist()).values()]


def test_what_is_put_replaced_and_dropped_is_followed(catalog: Catalog, entry: Entry) -> None:
    columns = Columns(catalog, entry)
    catalog.write(entry, Change(put=[item("a", n=1), item("b", n=2), item("c")]))
    small = {"n": {"$lt": 2}}
    assert ids(catalog, entry, columns, small) == ["a"]
    catalog.write(entry, Change(put=[item("b", n=0), item("d", n=-1)]))
    assert ids(catalog, entry, columns, small) == ["a", "b", "d"]
    catalog.write(entry, Change(drop=["a"], put=[item("e", n=1.5), item("b", n="0")]))
    assert ids(catalog, entry, columns, small) == ["d", "e"]
    assert ids(catalog, entry, columns, {"n": {"$exists": False}}) == ["c"]
    assert ids(catalog, entry, columns, {"n": "0"}) == ["b"]
    catalog.write(entry, Change(drop=["b", "c", "d"]))  # most of all rows there were
    catalog.write(entry, Change(put=[item("a", n=7)]))
    assert ids(catalog, entry, columns, {"n": {"$gt": 1}}) == ["e", "a"]


@routine(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    writes=st.lists(
        st.dictionaries(st.sampled_from("pqrstu"), filter_forms.metadata | st.none(), max_size=4),
        min_size=1,
        max_size=5,
    ),
    wheres=st.lists(filter_forms.wheres, min_size=1, max_size=3),
)
def test_after_any_writes_they_say_what_python_says(
    catalog: Catalog, entry: Entry, writes: list[dict[str, Any]], wheres: list[dict[str, Any]]
) -> None:
    columns = Columns(catalog, entry)
    everything: dict[str, Any] = dict.fromkeys(filter_forms.NAMES, 1)
    catalog.write(entry, Change(drop=list("pqrstu"), put=[item("all", **everything)]))
    for write in writes:
        put = [item(name, **one) for name, one in write.items() if one is not None]
        catalog.write(entry, Change(put=put, drop=[n for n, one in write.items() if one is None]))
        for where in wheres:
            tree = parse(where)
            assert tree is not None
            match = columns.matching(tree, Modality.TEXT)
            if match is not None:
                there = catalog.scroll(entry, 99)
                expected = [one.id for one in there if matches(tree, one)]
                found = catalog.by_key(entry, match.keys.tolist()).values()
                assert [one.id for one in found] == expected


def test_only_what_changed_is_read_again(
    catalog: Catalog, entry: Entry, settings: Settings
) -> None:
    engine = open_engine(f"sqlite:///{settings.data}/catalog.sqlite3")
    mine = Catalog(engine)
    columns = Columns(mine, entry)
    catalog.write(entry, Change(put=[item(f"i{n}", n=n) for n in range(50)]))
    asked: list[Any] = []

    def remember(_c: object, _cursor: object, sql: str, given: Any, *rest: object) -> None:
        if "items.sequence >" in sql:
            asked.append(given["n"])

    event.listen(engine, "before_cursor_execute", remember)
    for _ in range(3):
        assert len(ids(mine, entry, columns, {"n": {"$gte": 10}})) == 40
    assert asked == [0]
    catalog.write(entry, Change(put=[item("i0", n=99)]))  # as another process would
    assert len(ids(mine, entry, columns, {"n": {"$gte": 10}})) == 41
    assert asked == [0, 1]
    mine.close()


def test_an_unknown_field_is_named_and_not_forgotten(catalog: Catalog, entry: Entry) -> None:
    columns = Columns(catalog, entry)
    tree = parse({"yaer": 1})
    assert columns.matching(tree, None) is not None  # in an empty collection nothing is unknown
    catalog.write(entry, Change(put=[item("a", year=1)]))
    for _ in range(2):
        with pytest.raises(FilterError, match="did you mean 'year'"):
            columns.matching(tree, None)


@pytest.mark.parametrize(
    "where", [{"$id": "a"}, {"$uri": {"$like": "a%"}}, {"n": 1, "$text": None}]
)
def test_texts_of_items_are_left_to_the_database(
    catalog: Catalog, entry: Entry, where: dict[str, Any]
) -> None:
    catalog.write(entry, Change(put=[item("a", n=1)]))
    assert Columns(catalog, entry).matching(parse(where), None) is None


def test_a_field_that_cannot_be_held_is_left_to_the_database_alone(
    catalog: Catalog, entry: Entry
) -> None:
    long = [item(f"i{n}", story=f"{n}" * 80, n=n) for n in range(20_001)]
    for start in range(0, len(long), 5_000):
        catalog.write(entry, Change(put=long[start : start + 5_000]))
    columns = Columns(catalog, entry)
    for _ in range(2):
        assert columns.matching(parse({"story": {"$like": "7%"}}), None) is None
    assert ids(catalog, entry, columns, {"n": 7}) == ["i7"]


def test_fields_asked_least_make_room(catalog: Catalog, entry: Entry) -> None:
    catalog.write(entry, Change(put=[item(f"i{n}", a=n, b=n, c=n) for n in range(500)]))
    columns = Columns(catalog, entry, most_bytes=150_000)  # of one field, not of two
    for _ in range(2):
        for name in "abc":
            assert ids(catalog, entry, columns, {name: 7}) == ["i7"]
            assert 90_000 < columns.bytes < 150_000
    assert ids(catalog, entry, columns, {"a": 7, "b": 7, "c": 7}) == ["i7"]


# --- the parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["f8", "S1"])
def test_a_lexicon_finds_what_was_put_into_it(kind: str) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.permutation(3 * MOST_NEW).tolist()
    values: list[Any] = [float(n) if kind == "f8" else b"%d" % n for n in numbers]
    lexicon: Lexicon[Any] = Lexicon(kind)
    codes: dict[Any, int] = {}
    for start in range(0, len(values), 700):
        some = values[start : start + 700]
        codes |= dict(zip(some, lexicon.codes(some, len(codes)), strict=True))
    assert sorted(codes.values()) == list(range(len(values)))
    assert lexicon.codes(values[:5], 10**6) == [codes[value] for value in values[:5]]
    if kind == "S1":
        parts = [(part.tolist(), at.tolist()) for part, at in lexicon.lowered()]
        assert {value: code for part in parts for value, code in zip(*part, strict=True)} == codes
    absent: Any = -5.0 if kind == "f8" else b"x" * 40
    assert set(lexicon.has([values[3], absent]).tolist()) == {codes[values[3]]}
    for than in [values[0], values[-1], absent]:
        expected = {
            Op.LT: {code for value, code in codes.items() if value < than},
            Op.LTE: {code for value, code in codes.items() if value <= than},
            Op.GT: {code for value, code in codes.items() if value > than},
            Op.GTE: {code for value, code in codes.items() if value >= than},
        }
        for op, found in expected.items():
            assert set(lexicon.where(op, than).tolist()) == found


def test_equal_numbers_are_one_however_they_are_written() -> None:
    cells = Cells()
    cells.set(np.arange(5), ["1", "1.0", "1e0", '"1"', "true"], 5)
    assert cells.meet(OneOf("n", (1,)), 5).tolist() == [True, True, True, False, False]


def test_a_pattern_of_unknown_signs_over_too_many_strings_is_left_to_the_database() -> None:
    cells = Cells()
    cells.set(np.arange(50_001), [f'"{n}"' for n in range(50_001)], 50_001)
    assert cells.meet(Exists("n"), 50_001).all()
    with pytest.raises(TooVariedError):
        cells.meet(Like("n", "1_"), 50_001)
    found = np.flatnonzero(cells.meet(Like("n", "%50000"), 50_001))
    assert found.tolist() == [50_000]


def test_a_field_is_read_when_it_is_asked_for_again(settings: Settings) -> None:
    asked: list[str] = []
    with open_store(settings) as store:
        collection = store.ensure("main", "vectors:4")
        collection.put([item(f"i{n}", a=n, b=n) for n in range(9)])
        engine = collection._catalog._engine

        def remember(_c: object, _cursor: object, sql: str, *rest: object) -> None:
            if "FROM items" in sql:
                asked.append("column" if "items.modality, " in sql else "filter")

        event.listen(engine, "before_cursor_execute", remember)
        for n, where in enumerate([{"a": 1}, {"a": 2}, {"a": 3}, {"b": 1}, {"a": 4, "b": 4}]):
            assert collection.count(where=where) == 1, n
        event.remove(engine, "before_cursor_execute", remember)
    # The last: what changed of the one (nothing), and all of the other.
    assert asked == ["filter", "column", "filter", "column", "column"]
