"""A catalog in SQLite is copied while others write, and a copy is checked.

Knows nothing about where copies are kept; `latent.backups` does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from latent.errors import StorageFullError, StoreError

PAGES = 2_000  # copied between two reports of progress

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""


def copy(source: Path, target: Path, progress: Progress) -> None:
    """Write the catalog as it is at this moment into a new file; others go on writing.

    Raises:
        StorageFullError: there is no room.
        StoreError: it cannot be read or written.
    """
    with _translated(source), closing(_opened(source)) as one, closing(_opened(target)) as other:
        # A transaction that only reads holds the moment: a copy made in steps would otherwise
        # begin anew with every commit of another.
        one.execute("BEGIN")
        one.execute("SELECT count(*) FROM sqlite_master").fetchone()
        one.backup(
            other, pages=PAGES, progress=lambda _, left, total: progress(total - left, total)
        )
        one.execute("ROLLBACK")
        other.execute("PRAGMA journal_mode=DELETE")  # so that one file is all there is of it


def held(catalog: Path) -> tuple[int, dict[str, int]]:
    """The schema of a copy, and how many items each of its collections has.

    Raises:
        StoreError: it is damaged, or no catalog.
    """
    with _translated(catalog), closing(_opened(catalog)) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            raise StoreError(f"{catalog.name} is damaged: {found[0]}")
        (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        counts = connection.execute(
            "SELECT name, (SELECT count(*) FROM items WHERE collection_id = collections.id)"
            " FROM collections ORDER BY name"
        )
        return int(schema), dict(counts.fetchall())


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            raise StorageFullError(f"no room left to copy {path.name}") from error
        raise StoreError(f"{path.name} cannot be copied: {error}") from error
