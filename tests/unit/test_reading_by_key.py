"""Hits are read by their keys alone, however many items the collection has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, event, text

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Change
from latent.catalog.opening import open_engine
from latent.items import Item, Modality
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    settings.data.mkdir()
    opened = open_engine(f"sqlite:///{settings.data}/catalog.sqlite3")
    yield opened
    opened.dispose()


def some(prefix: str) -> list[Item]:
    rows = np.eye(4, dtype=np.float32)
    return [Item(f"{prefix}{n}", Modality.TEXT, row) for n, row in enumerate(rows)]


def test_items_are_found_by_their_keys_without_reading_others(engine: Engine) -> None:
    catalog = Catalog(engine)
    entry = catalog.create("mine", VectorsOnly(4).space)
    keys = catalog.write(entry, Change(put=some("a"))).keys.tolist()
    asked: list[str] = []

    def traced(raw: Any, *_: object) -> None:
        raw.set_trace_callback(asked.append)

    event.listen(engine, "checkout", traced)
    found = catalog.by_key(entry, keys)
    event.remove(engine, "checkout", traced)
    assert [found[key].id for key in keys] == ["a0", "a1", "a2", "a3"]
    (statement,) = [one for one in asked if "FROM items" in one]
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
        steps = [row[3] for row in plan]
    assert [step for step in steps if "items" in step] == [
        "SEARCH items USING INTEGER PRIMARY KEY (rowid=?)"
    ]


def test_a_key_of_another_collection_is_not_found(engine: Engine) -> None:
    catalog = Catalog(engine)
    mine = catalog.create("mine", VectorsOnly(4).space)
    other = catalog.create("other", VectorsOnly(4).space)
    keys = catalog.write(other, Change(put=some("b"))).keys.tolist()
    assert len(catalog.by_key(other, keys)) == 4
    assert catalog.by_key(mine, keys) == {}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM items")).scalar_one() == 4
