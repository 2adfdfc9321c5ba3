"""What the catalog says of its collections is read anew once somebody has written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, event

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Change
from latent.catalog.opening import open_engine
from latent.errors import UnknownCollectionError
from latent.items import Item, Modality
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings

SPACE = VectorsOnly(3).space
A_WRITE = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute("UPDATE collections SET sequence = 70")
"""


@pytest.fixture
def path(settings: Settings) -> Path:
    settings.data.mkdir()
    return settings.data / "catalog.sqlite3"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{path}")
    yield opened
    opened.dispose()


@pytest.fixture
def catalog(engine: Engine) -> Iterator[Catalog]:
    opened = Catalog(engine)
    yield opened
    opened.close()


def a_change(name: str) -> Change:
    return Change(put=[Item(name, Modality.TEXT, np.eye(3, dtype=np.float32)[0])])


def test_while_nobody_writes_the_tables_are_read_once(engine: Engine, catalog: Catalog) -> None:
    entry = catalog.create("mine", SPACE)
    catalog.sequence(entry)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for _ in range(5):
        assert catalog.sequence(entry) == 0
        assert catalog.entry("mine") == entry
    assert statements == []


def test_a_write_of_ones_own_is_seen_at_once(catalog: Catalog) -> None:
    entry = catalog.create("mine", SPACE)
    for number in range(1, 5):
        catalog.write(entry, a_change(str(number)))
        assert catalog.sequence(entry) == number
        assert catalog.entry("mine").sequence == number


def test_a_write_of_another_process_is_seen_at_once(catalog: Catalog, path: Path) -> None:
    entry = catalog.create("mine", SPACE)
    assert catalog.sequence(entry) == 0
    subprocess.run([sys.executable, "-c", A_WRITE, str(path)], check=True)
    assert catalog.sequence(entry) == 70


def test_a_collection_that_another_has_deleted_is_gone(engine: Engine, catalog: Catalog) -> None:
    entry = catalog.create("mine", SPACE)
    assert catalog.sequence(entry) == 0
    other = Catalog(engine)
    other.remove(entry)
    with pytest.raises(UnknownCollectionError):
        catalog.sequence(entry)
    assert catalog.entries() == []
    again = catalog.create("mine", SPACE)
    assert (again.uid == entry.uid, catalog.sequence(again)) == (False, 0)


def test_the_catalog_can_be_asked_after_its_watch_was_lost(catalog: Catalog) -> None:
    entry = catalog.create("mine", SPACE)
    assert catalog.sequence(entry) == 0
    catalog.close()
    catalog.write(entry, a_change("one"))
    assert catalog.sequence(entry) == 1


def test_at_one_moment_all_is_as_it_was_when_it_was_asked_first(
    catalog: Catalog, path: Path
) -> None:
    entry = catalog.create("mine", SPACE)
    with catalog.at_one_moment():
        with catalog.at_one_moment():  # within another, it is the same moment
            assert catalog.sequence(entry) == 0
        subprocess.run([sys.executable, "-c", A_WRITE, str(path)], check=True)
        assert catalog.sequence(entry) == 0
        catalog.look_again()
        assert catalog.sequence(entry) == 70
    with catalog.at_one_moment():
        catalog.write(entry, a_change("one"))
        assert catalog.sequence(entry) == 71


def test_one_thread_keeps_to_a_moment_and_no_other_does(catalog: Catalog) -> None:
    entry = catalog.create("mine", SPACE)
    with catalog.at_one_moment(), ThreadPoolExecutor(1) as other:
        assert catalog.sequence(entry) == 0
        catalog.write(entry, a_change("one"))
        assert other.submit(catalog.sequence, entry).result() == 1
        assert catalog.sequence(entry) == 0
    assert catalog.sequence(entry) == 1
