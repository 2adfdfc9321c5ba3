"""Items that were read are kept until somebody writes to their collection."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import Engine, event

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
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert [one.text for one in catalog.by_key(entry, [second, first]).values()] == ["one", "two"]
    assert statements == []
    other.write(entry, Change(put=[item("a", "three")], drop=["b"]))
    found = catalog.by_key(entry, [first, second])
    assert {key: one.text for key, one in found.items()} == {first: "three"}
    other.remove(entry)
    with pytest.raises(UnknownCollectionError):
        catalog.by_key(entry, [first])
    for one in (catalog, other):
        one.close()
