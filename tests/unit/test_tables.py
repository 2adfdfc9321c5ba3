"""How the database is opened, and what is made of its refusals."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from latent.catalog.database import is_full
from latent.catalog.opening import open_engine
from latent.errors import InputError, StorageFullError, StoreError
from latent.settings import Settings
from latent.wiring import CATALOG, open_store


def refusal(code: str) -> OperationalError:
    """What SQLAlchemy makes of an error of SQLite."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = code
    return OperationalError("COMMIT", None, error)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_catalog_in_memory_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="must be a file"):
        open_engine(url)


def test_a_catalog_that_cannot_be_written_refuses_and_still_answers(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main")
    url = f"sqlite:///file:{settings.data / CATALOG}?mode=ro&uri=true"
    with open_store(settings.model_copy(update={"catalog_url": url})) as store:
        with pytest.raises(StoreError, match="readonly database"):
            store.ensure("other")
        assert list(store.spaces()) == ["main"]


def test_a_folder_in_the_place_of_the_catalog_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be opened: .*; its folder must be writable"):
        open_engine(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    ("code", "full"),
    [("SQLITE_FULL", True), ("SQLITE_IOERR_SHMSIZE", True), ("SQLITE_IOERR_READ", False)],
)
def test_a_full_disk_is_known_by_the_code_of_the_error(code: str, full: bool) -> None:
    assert is_full(refusal(code)) is full


def test_a_catalog_without_room_to_grow_is_full_and_keeps_what_it_has(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main")
    pages = sqlite3.connect(settings.data / CATALOG)
    (count,) = pages.execute("PRAGMA page_count").fetchone()
    pages.close()
    with open_store(settings) as store, pytest.raises(StorageFullError):
        engine = store._catalog._engine  # the file system of a test has room enough

        @event.listens_for(engine, "checkout")
        def no_room(connection: sqlite3.Connection, *_: object) -> None:
            connection.execute(f"PRAGMA max_page_count={count}")

        for number in range(100):
            store.ensure(f"another-{number}")
    with open_store(settings) as store:
        assert "main" in store.spaces()
