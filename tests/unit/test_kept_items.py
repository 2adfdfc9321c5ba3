"""Items that were read are kept until somebody writes them, or may have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Change
from latent.catalog.kept import KeptItems
from latent.catalog.opening import open_engine
from latent.errors import UnknownCollectionError
from latent.items import Item, Modality
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings

SPACE = VectorsOnly(3).space


def item(name: str, text: str = "") -> Item:
    return Item(name, Modality.TEXT, np.eye(3, dtype=np.float32)[0], text=text)


def items(*keys: int, text: str = "") -> dict[int, Item]:
    return {key: item(str(key), text) for key in keys}


def test_what_is_kept_is_known_at_its_number_and_in_its_collection_alone() -> None:
    kept = KeptItems()
    kept.keep("mine", 7, items(1, 2))
    assert list(kept.known("mine", 7, [1, 2, 3])) == [1, 2]
    assert kept.known("mine", 8, [1]) == {}
    assert kept.known("mine", 6, [1]) == {}
    assert kept.known("other", 7, [1]) == {}


def test_a_late_reader_does_not_bring_back_what_was_replaced() -> None:
    kept = KeptItems()
    kept.keep("mine", 8, items(1, text="new"))
    kept.keep("mine", 7, items(1, text="old"))
    assert kept.known("mine", 8, [1])[1].text == "new"


def keys(*some: int) -> NDArray[np.int64]:
    return np.array(some, np.int64)


def test_what_nobody_changed_stays_known_as_long_as_all_changes_are_told() -> None:
    kept = KeptItems()
    kept.keep("mine", 7, items(1, 2, 3))
    kept.follow("mine", 7, 8, keys(2))
    assert list(kept.known("mine", 8, [1, 2, 3])) == [1, 3]
    kept.follow("mine", 8, 10, keys(3, 9))
    assert list(kept.known("mine", 10, [1, 2, 3])) == [1]
    assert kept.known("mine", 11, [1]) == {}
    assert kept.known("other", 10, [1]) == {}


def test_what_was_kept_before_a_change_that_nobody_told_is_not_known() -> None:
    kept = KeptItems()
    kept.keep("mine", 7, items(1))
    kept.follow("mine", 8, 9, keys(2))  # the eighth write may have been about the first item
    assert kept.known("mine", 9, [1]) == {}
    kept.follow("mine", 6, 8, keys(2))
    assert list(kept.known("mine", 9, [1])) == [1]


def test_stretches_that_do_not_meet_are_not_taken_for_one() -> None:
    kept = KeptItems()
    kept.follow("mine", 7, 9, keys())
    kept.follow("mine", 2, 5, keys())
    kept.keep("mine", 9, items(1))
    kept.follow("mine", 9, 10, keys())
    assert list(kept.known("mine", 10, [1])) == [1]
    kept = KeptItems()
    kept.keep("mine", 4, items(1))
    kept.follow("mine", 2, 5, keys())
    kept.follow("mine", 7, 9, keys())
    assert kept.known("mine", 9, [1]) == {}


def test_what_was_read_before_a_change_was_told_is_not_kept_after_it() -> None:
    kept = KeptItems()
    kept.follow("mine", 7, 8, keys(1))
    kept.keep("mine", 7, items(1, text="old"))
    assert kept.known("mine", 8, [1]) == {}
    kept.keep("mine", 8, items(1, text="new"))
    kept.follow("mine", 7, 8, keys(1))  # another who follows tells it as well
    assert kept.known("mine", 8, [1])[1].text == "new"


def test_what_went_gives_its_room_back() -> None:
    kept = KeptItems(most_bytes=50_000)
    kept.keep("mine", 7, items(1, text="x" * 40_000))
    kept.follow("mine", 7, 8, keys(1))
    kept.keep("mine", 8, items(2, text="x" * 40_000))
    assert list(kept.known("mine", 8, [2])) == [2]


def test_the_one_that_was_asked_for_the_longest_ago_goes_first() -> None:
    kept = KeptItems(most=2)
    kept.keep("mine", 7, items(1, 2))
    kept.known("mine", 7, [1])
    kept.keep("mine", 7, items(3))
    assert sorted(kept.known("mine", 7, [1, 2, 3])) == [1, 3]


def test_large_ones_are_fewer() -> None:
    kept = KeptItems(most_bytes=50_000)
    kept.keep("mine", 7, items(*range(10), text="x" * 20_000))
    assert len(kept) == 2
    kept.keep("mine", 7, items(10, text="x" * 90_000))
    assert len(kept) == 0
    kept.keep("mine", 7, items(11))
    assert len(kept) == 1


def test_what_is_kept_cannot_be_changed() -> None:
    kept = KeptItems()
    kept.keep("mine", 7, items(1))
    with pytest.raises(ValueError, match="read-only"):
        kept.known("mine", 7, [1])[1].vector[0] = 5


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    settings.data.mkdir()
    opened = open_engine(f"sqlite:///{settings.data}/catalog.sqlite3")
    yield opened
    opened.dispose()


def test_the_catalog_reads_an_item_once_until_it_is_written(engine: Engine) -> None:
    catalog, other = Catalog(engine), Catalog(engine)
    entry = catalog.create("mine", SPACE)
    written = catalog.write(entry, Change(put=[item("a", "one"), item("b", "two")]))
    first, second = written.keys.tolist()
    assert catalog.by_key(entry, [second, first])[second].text == "two"
    statements: list[str] = []
    with closing(engine.raw_connection()) as raw:  # the only one: it comes back from the pool
        connection: Any = raw.driver_connection
        connection.set_trace_callback(statements.append)
    assert [one.text for one in catalog.by_key(entry, [second, first]).values()] == ["one", "two"]
    assert statements == []
    other.write(entry, Change(put=[item("c")]))
    catalog.changes_since(entry, 1)
    statements.clear()
    assert len(catalog.by_key(entry, [first, second])) == 2
    catalog.write(entry, Change(put=[item("d")]))
    assert catalog.sequence(entry) == 3
    statements.clear()
    assert len(catalog.by_key(entry, [first, second])) == 2
    assert statements == []
    other.write(entry, Change(put=[item("a", "three")], drop=["b"]))
    statements.clear()
    found = catalog.by_key(entry, [first, second])
    assert any("FROM items" in one for one in statements)
    assert {key: one.text for key, one in found.items()} == {first: "three"}
    other.remove(entry)
    with pytest.raises(UnknownCollectionError):
        catalog.by_key(entry, [first])
    for one in (catalog, other):
        one.close()
