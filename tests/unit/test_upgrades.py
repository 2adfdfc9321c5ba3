"""Catalogs of older schemas are brought forward, those of newer ones left alone."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from old_catalogs import set_back
from sqlalchemy import create_engine

from latent.catalog import migrations
from latent.catalog.database import connect, writing
from latent.catalog.tables import SCHEMA, metadata
from latent.collection import Collection
from latent.errors import NewerCatalogError, StoreError
from latent.items import Item, Modality
from latent.settings import Settings
from latent.store import Store
from latent.wiring import CATALOG, open_store

KEPT = Path(__file__).parent.parent / "kept"
"""Catalogs as versions of Nearfield wrote them once; never made anew."""


def keep(settings: Settings, name: str) -> None:
    """Put a kept catalog into the data folder."""
    settings.data.mkdir()
    content = gzip.decompress((KEPT / name).read_bytes())
    (settings.data / CATALOG).write_bytes(content)


def require_all_there(store: Store) -> Collection:
    """What the kept catalogs held when they were written."""
    collection = store.collection("main")
    found = {item.id: item for item in collection.scroll(9)}
    assert list(found) == ["snow", "beach"]
    assert found["snow"].text == "two dogs in the snow"
    assert found["snow"].passage is not None
    assert found["snow"].passage.document == "snow.md"
    assert found["snow"].metadata == {"camera": {"make": "X"}, "year": 2019}
    assert found["beach"].source == "/photos/beach.jpg"
    assert found["beach"].picture_hash is None
    assert {path: source.failure for path, source in collection.sources().items()} == {
        "/photos/bad.jpg": "broken",
        "/photos/beach.jpg": None,
    }
    for item in found.values():
        assert float(np.linalg.norm(item.vector)) == pytest.approx(1)
        assert collection.nearest(item.vector, 1)[0].item.id == item.id
    assert collection.count(where={"camera.make": "X"}) == 1
    assert [item.id for item, _ in collection.matching_words("cafe", 5)] == ["beach"]
    assert list(collection.with_content(["ab" * 32])) == ["ab" * 32]
    assert collection.sequence == 3
    assert [item.id for item in store.collection("other").scroll(9)] == ["snow"]
    assert collection.verify() == store.collection("other").verify() == []
    return collection


@pytest.mark.parametrize("schema", [1, 3])
def test_a_catalog_that_an_older_version_wrote_is_all_there(
    settings: Settings, schema: int
) -> None:
    keep(settings, f"catalog-schema-{schema}.sqlite3.gz")
    for _ in range(2):
        with open_store(settings) as store:
            require_all_there(store)
    with open_store(settings) as store:
        collection = require_all_there(store)
        collection.put([Item("new", Modality.TEXT, collection.get(["snow"])[0].vector)])
        assert collection.drop(["snow"]) == 1
        assert [item.id for item in collection.scroll(9)] == ["beach", "new"]
        assert collection.verify() == []


def test_a_catalog_of_schema_2_gets_hashes_that_are_not_known(settings: Settings) -> None:
    item = Item("a", Modality.IMAGE, np.eye(16, dtype=np.float32)[0], picture_hash="ab" * 32)
    with open_store(settings) as store:
        store.ensure("main").put([item])
        assert store.collection("main").get(["a"])[0].picture_hash == "ab" * 32
    set_back(settings.data / CATALOG, 2)
    for _ in range(2):
        with open_store(settings) as store:
            collection = store.collection("main")
            assert collection.get(["a"])[0].picture_hash is None
            assert collection.looking_like("ab" * 32, 0.1, 9) == []
            assert collection.verify() == []
    with open_store(settings) as store:
        store.collection("main").put([item])
        assert store.collection("main").looking_like("ab" * 32, 0.1, 9) == ["a"]


def test_tables_brought_forward_from_the_first_are_those_that_are_made(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'catalog'}")
    with writing(engine) as connection:
        migrations.upgrade(connection, since=0)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT key FROM items WHERE collection_id = 1"
            " AND content_hash IN ('a', 'b') AND length(content_hash) != 32"
        ).all()
    assert "items_by_content" in str(plan)
    engine.dispose()


def test_the_last_migration_is_that_of_the_schema(tmp_path: Path) -> None:
    numbers = [int(path.stem.removeprefix("schema_")) for path in migrations.files()]
    assert sorted(numbers) == list(range(1, SCHEMA + 1))


def test_a_catalog_of_a_newer_schema_is_refused_and_left_alone(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main")
    raw = sqlite3.connect(settings.data / CATALOG)
    raw.execute(f"UPDATE alembic_version SET version_num = '{SCHEMA + 1}'")
    raw.commit()
    with pytest.raises(NewerCatalogError, match=f"schema {SCHEMA + 1}"), open_store(settings):
        pass
    assert raw.execute("SELECT name FROM collections").fetchall() == [("main",)]
    raw.close()


def test_versions_before_schema_4_are_told_to_keep_off(settings: Settings) -> None:
    """They read the number in `numbers` and refuse any but their own."""
    keep(settings, "catalog-schema-3.sqlite3.gz")
    with open_store(settings):
        pass
    raw = sqlite3.connect(settings.data / CATALOG)
    (number,) = raw.execute("SELECT value FROM numbers WHERE name = 'schema'").fetchone()
    raw.close()
    assert number == 4


def test_a_catalog_that_lost_its_number_is_not_guessed_at(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main")
    raw = sqlite3.connect(settings.data / CATALOG)
    raw.execute("DELETE FROM alembic_version")
    raw.commit()
    raw.close()
    with pytest.raises(StoreError, match="does not say which version"), open_store(settings):
        pass


def test_an_upgrade_that_cannot_be_finished_changes_nothing(settings: Settings) -> None:
    keep(settings, "catalog-schema-3.sqlite3.gz")
    raw = sqlite3.connect(settings.data / CATALOG)
    raw.execute("CREATE TABLE items_4 (a)")  # in the way of the copy
    raw.commit()
    tables = raw.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    with pytest.raises(StoreError, match="items_4"), open_store(settings):
        pass
    assert raw.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall() == tables
    raw.execute("DROP TABLE items_4")
    raw.commit()
    raw.close()
    with open_store(settings) as store:
        require_all_there(store)


def test_the_tables_of_another_program_are_not_taken_for_ours(settings: Settings) -> None:
    settings.data.mkdir()
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('3f2a9c')")
    engine.dispose()
    with pytest.raises(StoreError, match="database of something else"), open_store(settings):
        pass
