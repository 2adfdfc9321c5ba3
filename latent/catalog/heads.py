"""What the catalog says of its collections, read again only when somebody has written since.

Every question asks for them several times; asking the database each time costs more than searching.
Knows nothing about items.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from latent.catalog.database import fetched_at_once, translated
from latent.catalog.rows import Entry, to_entry
from latent.catalog.tables import collections

_ALL = f"SELECT {', '.join(column.name for column in collections.c)} FROM collections ORDER BY name"


@dataclass(frozen=True, slots=True)
class _Kept:
    version: tuple[int, int] | None
    entries: Mapping[str, Entry]


class Heads:
    """Every collection and the number of its last write. Safe in many threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watch = _Watch(engine)
        self._kept = _Kept(None, {})
        self._moments = _Moments()

    def close(self) -> None:
        """Let go of the connection that watches."""
        self._watch.close()

    def entries(self) -> Mapping[str, Entry]:
        """The collections by uid, as they are after everything committed so far.

        Within `at_one_moment` they stay as they were when it first asked.

        Raises:
            StoreError: the catalog cannot be read.
        """
        moments = self._moments
        if moments.depth and moments.entries is not None:
            return moments.entries
        entries = moments.entries = self._now()
        return entries

    def at_one_moment(self) -> AbstractContextManager[None]:
        """Have this thread ask once, and go by the answer for as long as the block lasts."""
        return self._moments

    def look_again(self) -> None:
        """Have this thread ask once more: what it reads elsewhere is newer."""
        self._moments.entries = None

    def _now(self) -> Mapping[str, Entry]:
        # Asked before the rows are read: what is written meanwhile is then found out next time.
        version = self._watch.version()
        kept = self._kept
        if version is None or version != kept.version:
            self._kept = kept = _Kept(version, self._read())
        return kept.entries

    def _read(self) -> dict[str, Entry]:
        with translated():
            entries = map(to_entry, fetched_at_once(self._engine, _ALL, {}))
            return {entry.uid: entry for entry in entries}


class _Moments(threading.local, AbstractContextManager[None]):
    """What one thread goes by, while it is in a block of this and keeps to one moment."""

    depth = 0
    entries: Mapping[str, Entry] | None = None

    def __enter__(self) -> None:
        self.depth += 1
        if self.depth == 1:
            self.entries = None

    def __exit__(self, *_: object) -> None:
        self.depth -= 1


class _Watch:
    """A connection that writes nothing and so notices every commit, of any thread or process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asking = threading.Lock()
        self._connection: Any = None
        self._opened = 0

    def version(self) -> tuple[int, int] | None:
        """Another number whenever something was committed; None where a database cannot tell."""
        if self._engine.dialect.name != "sqlite":
            return None
        with self._asking, translated():
            if self._connection is None:
                self._connection = self._engine.raw_connection()
                self._connection.detach()
                self._opened += 1
            try:
                # https://www.sqlite.org/pragma.html#pragma_data_version
                asked = self._connection.dbapi_connection.execute("PRAGMA data_version")
                # Two connections count for themselves; the numbers of one mean nothing to another.
                return self._opened, int(asked.fetchone()[0])
            except sqlite3.Error:  # what is wrong is told to those who read
                self._let_go()
                return None

    def close(self) -> None:
        with self._asking:
            self._let_go()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
