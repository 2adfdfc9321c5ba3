"""Tombstones go when a second snapshot needs them no more; who stood still begins anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Change
from latent.catalog.gone import AT_ONCE
from latent.catalog.opening import open_engine
from latent.collection import Collection
from latent.items import Item, Modality
from latent.models.colours import DIM
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings
from latent.wiring import CATALOG, INDEX, open_store

ROWS = np.random.default_rng(0).standard_normal((200, DIM)).astype(np.float32)


def items(*numbers: int) -> list[Item]:
    return [
        Item(f"i{n}", Modality.TEXT, ROWS[n], text="t", metadata={"even": n % 2 == 0})
        for n in numbers
    ]


@pytest.fixture
def collection(settings: Settings) -> Iterator[Collection]:
    with open_store(settings) as store:
        made = store.ensure("main")
        made.put(items(*range(100)))
        yield made


def kept(settings: Settings) -> tuple[int, int]:
    """How many tombstones there are, and up to which number they are pruned."""
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM tombstones")).scalar_one()
        pruned = connection.execute(text("SELECT pruned FROM collections")).scalar_one()
    engine.dispose()
    return count, pruned


def found(collection: Collection) -> set[str]:
    return {hit.item.id for hit in collection.nearest(ROWS[0], 200)}


def test_tombstones_before_the_last_snapshot_but_one_are_pruned(
    collection: Collection, settings: Settings
) -> None:
    collection.drop(["i0", "i1"])
    assert collection.publish(force=True)
    assert kept(settings) == (2, 0)
    first = collection.sequence
    collection.drop(["i2"])
    assert collection.publish(force=True)
    assert kept(settings) == (1, first)
    collection.publish(force=True)
    assert kept(settings) == (0, first + 1)
    assert collection.sequence == first + 1  # to prune is no write
    assert found(collection) == {f"i{n}" for n in range(3, 100)}
    assert collection.verify() == []


@pytest.mark.parametrize("lost", ["nothing", "snapshots"])
def test_a_reader_that_stood_still_finds_nothing_that_was_dropped(
    collection: Collection, settings: Settings, lost: str
) -> None:
    with open_store(settings) as store:
        reader = store.collection("main")
        assert len(found(reader)) == 100
        assert reader.count(where={"even": True}) == 50
        collection.drop([f"i{n}" for n in range(10)])
        collection.put(items(150))
        for _ in range(2):
            collection.publish(force=True)
        assert kept(settings)[0] == 0
        if lost == "snapshots":
            for snapshot in (settings.data / INDEX).glob("*/[0-9]*"):
                shutil.rmtree(snapshot)
        collection.put(items(151))
        expected = {f"i{n}" for n in [*range(10, 100), 150, 151]}
        assert found(reader) == expected
        assert reader.count(where={"even": True}) == 46
        collection.drop(["i150"])
        assert found(reader) == expected - {"i150"}
        assert reader.count(where={"even": True}) == 45
        assert reader.verify() == []


def test_a_snapshot_of_another_history_prunes_nothing_that_is_to_come(
    collection: Collection, settings: Settings
) -> None:
    collection.drop(["i0"])
    (folder,) = (settings.data / INDEX).glob("*")
    (folder / "500").mkdir()
    assert collection.publish(force=True)
    assert kept(settings) == (1, 0)
    assert found(collection) == {f"i{n}" for n in range(1, 100)}


def test_many_are_pruned_in_several_transactions(settings: Settings) -> None:
    settings.data.mkdir()
    catalog = Catalog(open_engine(f"sqlite:///{settings.data / CATALOG}"))
    entry = catalog.create("main", VectorsOnly(1).space)
    row, count = np.ones(1, np.float32), AT_ONCE + 1
    names = [f"i{n}" for n in range(count)]
    catalog.write(entry, Change(put=[Item(name, Modality.TEXT, row) for name in names]))
    catalog.write(entry, Change(drop=names))
    assert catalog.changes_since(entry, 1).dropped.shape == (count,)
    catalog.prune(entry, 1)
    assert kept(settings) == (count, 0)  # they went later than that
    catalog.prune(entry, 2)
    assert kept(settings) == (0, 2)
    assert catalog.is_followed_from(entry, 2)
    assert not catalog.is_followed_from(entry, 1)
    assert catalog.changes_since(entry, 1).is_whole
    assert not catalog.changes_since(entry, 2).is_whole
    catalog.close()
