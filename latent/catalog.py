"""The catalog: the truth about every collection, in one SQL database.

Each item is stored with its vector; one transaction writes both, and its commit is the
acknowledgement. Every write takes the next number of its collection's sequence, deletes leave a
tombstone with that number, so anyone can ask what changed since. Only `catalog`, `rows` and
`tables` name sqlalchemy. Knows nothing about indexes and models.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import Engine, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.sql import ColumnElement

from latent import tables
from latent.changes import Change, Changes, Counts, Written
from latent.errors import (
    InputError,
    StorageFullError,
    StoreError,
    UnknownCollectionError,
)
from latent.items import Item, Modality, Source
from latent.rows import Entry, Where, conditions, to_item, to_row, to_source, to_space, to_vectors
from latent.space import Space
from latent.tables import collections, items, numbers, sources, tombstones
from latent.vectors import Keys

# SQLite takes at most 32,766 parameters in a statement; far fewer are as fast.
CHUNK = 500
STREAM = 2_000

T = TypeVar("T")


class Catalog:
    """Items, sources and collections. One transaction a call; safe from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    # --- collections --------------------------------------------------------------------------

    def create(self, name: str, space: Space) -> Entry:
        """Make a collection.

        Raises:
            InputError: there is one of that name.
        """
        described = asdict(space) | {"modalities": sorted(space.modalities)}
        row = {"uid": secrets.token_hex(8), "name": name, "space": described, "sequence": 0}
        with self._writing() as connection:
            try:
                connection.execute(insert(collections).values(row))
            except IntegrityError as error:
                raise InputError(f"there is a collection {name!r} already") from error
        return self.entry(name)

    def entry(self, name: str) -> Entry:
        """The collection of that name.

        Raises:
            UnknownCollectionError: there is none; names those there are.
        """
        entries = self.entries()
        for entry in entries:
            if entry.name == name:
                return entry
        raise UnknownCollectionError(name, [entry.name for entry in entries])

    def entries(self) -> list[Entry]:
        """Every collection, by name."""
        with self._reading() as connection:
            rows = connection.execute(select(collections).order_by(collections.c.name)).all()
        return [Entry(row.id, row.uid, row.name, to_space(row.space), row.sequence) for row in rows]

    def remove(self, entry: Entry) -> None:
        """Delete a collection and all that is in it."""
        with self._writing() as connection:
            for table in (items, sources, tombstones):
                connection.execute(delete(table).where(table.c.collection_id == entry.id))
            connection.execute(delete(collections).where(collections.c.id == entry.id))

    def sequence(self, entry: Entry) -> int:
        """The number of the last write.

        Raises:
            UnknownCollectionError: the collection was deleted meanwhile.
        """
        query = select(collections.c.sequence).where(collections.c.uid == entry.uid)
        with self._reading() as connection:
            number = connection.execute(query).scalar_one_or_none()
        if number is None:
            raise UnknownCollectionError(entry.name)
        return int(number)

    def counts(self, entry: Entry) -> Counts:
        """How many items of each modality, and how many sources failed."""
        by_modality = (
            select(items.c.modality, func.count())
            .where(items.c.collection_id == entry.id)
            .group_by(items.c.modality)
        )
        failed = select(func.count()).where(
            sources.c.collection_id == entry.id, sources.c.failure.is_not(None)
        )
        with self._reading() as connection:
            found = {row[0]: row[1] for row in connection.execute(by_modality)}
            broken = connection.execute(failed).scalar_one()
        return Counts(found.get(Modality.IMAGE, 0), found.get(Modality.TEXT, 0), broken)

    # --- writing ------------------------------------------------------------------------------

    def write(self, entry: Entry, change: Change) -> Written:
        """Apply a change in one transaction; when this returns it is durable.

        Raises:
            StorageFullError: there is no room; nothing of the change was kept.
            UnknownCollectionError: the collection was deleted meanwhile.
        """
        with self._writing() as connection:
            number = connection.execute(
                update(collections)
                .where(collections.c.uid == entry.uid)
                .values(sequence=collections.c.sequence + 1)
                .returning(collections.c.sequence)
            ).scalar_one_or_none()
            if number is None:
                raise UnknownCollectionError(entry.name)
            put = {item.id: item for item in change.put}
            going = self._keys_of(connection, entry, items.c.id, change.drop)
            paths = {*change.replace, *change.forget}
            going |= self._keys_of(connection, entry, items.c.source, paths)
            going = {item_id: key for item_id, key in going.items() if item_id not in put}
            self._bury(connection, entry, number, sorted(going.values()))
            keys = self._put(connection, entry, number, put)
            self._remember(connection, entry, change)
        dropped = np.array(sorted(going.values()), np.int64)
        return Written(number, np.array([keys[i.id] for i in change.put], np.int64), dropped)

    def _keys_of(
        self, connection: Any, entry: Entry, column: ColumnElement[str], values: Iterable[str]
    ) -> dict[str, int]:
        found: dict[str, int] = {}
        for chunk in _chunks(values, CHUNK):
            query = select(items.c.id, items.c.key).where(
                items.c.collection_id == entry.id, column.in_(chunk)
            )
            found |= {row.id: row.key for row in connection.execute(query)}
        return found

    def _bury(self, connection: Any, entry: Entry, number: int, keys: Sequence[int]) -> None:
        for chunk in _chunks(keys, CHUNK):
            connection.execute(delete(items).where(items.c.key.in_(chunk)))
            connection.execute(
                insert(tombstones),
                [{"key": key, "collection_id": entry.id, "sequence": number} for key in chunk],
            )

    def _put(
        self, connection: Any, entry: Entry, number: int, put: Mapping[str, Item]
    ) -> dict[str, int]:
        keys = self._keys_of(connection, entry, items.c.id, put)
        new = [item_id for item_id in put if item_id not in keys]
        if put.keys() & keys.keys():
            connection.execute(
                update(items).where(items.c.key == tables.OLD_KEY),
                [
                    to_row(item, entry, number) | {tables.OLD_KEY.key: keys[item_id]}
                    for item_id, item in put.items()
                    if item_id in keys
                ],
            )
        if new:
            last = connection.execute(
                update(numbers)
                .where(numbers.c.name == "key")
                .values(value=numbers.c.value + len(new))
                .returning(numbers.c.value)
            ).scalar_one()
            keys |= dict(zip(new, range(last - len(new) + 1, last + 1), strict=True))
            connection.execute(
                insert(items), [to_row(put[i], entry, number) | {"key": keys[i]} for i in new]
            )
        return keys

    def _remember(self, connection: Any, entry: Entry, change: Change) -> None:
        paths = [*change.forget, *(source.path for source in change.sources)]
        for chunk in _chunks(paths, CHUNK):
            connection.execute(
                delete(sources).where(
                    sources.c.collection_id == entry.id, sources.c.path.in_(chunk)
                )
            )
        known = {source.path: source for source in change.sources}
        if known:
            connection.execute(
                insert(sources),
                [asdict(source) | {"collection_id": entry.id} for source in known.values()],
            )

    # --- reading ------------------------------------------------------------------------------

    def find(self, entry: Entry, ids: Sequence[str]) -> dict[str, Item]:
        """Those of the items that exist, by id."""
        return {item.id: item for _, item in self._select(entry, items.c.id, ids)}

    def by_key(self, entry: Entry, keys: Iterable[int]) -> dict[int, Item]:
        """Those of the items that exist, by key."""
        return dict(self._select(entry, items.c.key, keys))

    def keys(self, entry: Entry, ids: Sequence[str]) -> dict[str, int]:
        """The keys of those of the items that exist."""
        with self._reading() as connection:
            return self._keys_of(connection, entry, items.c.id, ids)

    def with_content(self, entry: Entry, hashes: Sequence[str]) -> dict[str, list[Item]]:
        """Items by content hash, of one source each, in passage order."""
        found: dict[str, list[Item]] = {}
        for _, item in sorted(self._select(entry, items.c.content_hash, hashes)):
            if item.content_hash is None:
                continue
            alike = found.setdefault(item.content_hash, [])
            if not alike or alike[0].source == item.source:
                alike.append(item)
        for alike in found.values():
            alike.sort(key=lambda item: item.passage.number if item.passage else 0)
        return found

    def hashes_of(self, entry: Entry, source: str) -> dict[str, str | None]:
        """Content hash of every item of one source, by id."""
        query = select(items.c.id, items.c.content_hash).where(
            items.c.collection_id == entry.id, items.c.source == source
        )
        with self._reading() as connection:
            return {row.id: row.content_hash for row in connection.execute(query)}

    def scroll(
        self,
        entry: Entry,
        limit: int,
        *,
        after: str | None = None,
        where: Where | None = None,
        modality: Modality | None = None,
    ) -> list[Item]:
        """Up to `limit` items in order of arrival, those behind the item `after`."""
        query = select(items).where(*conditions(entry, where, modality))
        if after is not None:
            found = self.keys(entry, [after])
            if after not in found:
                raise InputError(f"the item {after!r} this page starts behind is gone; start again")
            query = query.where(items.c.key > found[after])
        with self._reading() as connection:
            rows = connection.execute(query.order_by(items.c.key).limit(limit)).all()
            return [to_item(row) for row in rows]

    def count(
        self, entry: Entry, *, where: Where | None = None, modality: Modality | None = None
    ) -> int:
        """How many items match."""
        query = select(func.count()).select_from(items)
        with self._reading() as connection:
            found = connection.execute(query.where(*conditions(entry, where, modality)))
            return int(found.scalar_one())

    def matching(
        self, entry: Entry, *, where: Where | None = None, modality: Modality | None = None
    ) -> Keys:
        """The keys of all items that match, ascending."""
        query = select(items.c.key).where(*conditions(entry, where, modality))
        with self._reading() as connection:
            found = connection.execute(query.order_by(items.c.key)).scalars().all()
        return np.array(found, np.int64)

    def sources(self, entry: Entry, under: str | None = None) -> dict[str, Source]:
        """Sources by path: `under` itself and what lies below it, or all."""
        query = select(sources).where(sources.c.collection_id == entry.id)
        if under is not None:
            below = under.rstrip("/") + "/"
            is_below = func.substr(sources.c.path, 1, len(below)) == below
            query = query.where(or_(sources.c.path == under, is_below))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(sources.c.path)).all()
        return {row.path: to_source(row) for row in rows}

    # --- for the index ------------------------------------------------------------------------

    def changes_since(self, entry: Entry, sequence: int) -> Changes:
        """All that changed after `sequence`, seen at one moment; from 0, everything there is."""
        rows = (
            select(items.c.key, items.c.vector)
            .where(items.c.collection_id == entry.id, items.c.sequence > sequence)
            .order_by(items.c.key)
        )
        gone = select(tombstones.c.key).where(
            tombstones.c.collection_id == entry.id, tombstones.c.sequence > sequence
        )
        now = select(collections.c.sequence).where(collections.c.uid == entry.uid)
        keys: list[int] = []
        stored: list[bytes] = []
        with self._reading() as connection:
            number = connection.execute(now).scalar_one_or_none()
            if number is None:
                raise UnknownCollectionError(entry.name)
            for row in connection.execution_options(yield_per=STREAM).execute(rows):
                keys.append(row.key)
                stored.append(row.vector)
            dropped = connection.execute(gone).scalars().all() if sequence else []
            vectors = to_vectors(stored, entry.space.dim)
        return Changes(number, np.array(keys, np.int64), vectors, np.array(dropped, np.int64))

    def flaws(self) -> list[str]:
        """What the database finds wrong with its own file, one line each."""
        if self._engine.dialect.name != "sqlite":
            return []
        with self._reading() as connection:
            lines = connection.exec_driver_sql("PRAGMA quick_check(20)").scalars().all()
        return [f"catalog: {line}" for line in lines if line != "ok"]

    # --- inside -------------------------------------------------------------------------------

    def _select(
        self, entry: Entry, column: ColumnElement[Any], values: Iterable[Any]
    ) -> list[tuple[int, Item]]:
        found: list[tuple[int, Item]] = []
        with self._reading() as connection:
            for chunk in _chunks(values, CHUNK):
                query = select(items).where(items.c.collection_id == entry.id, column.in_(chunk))
                found += [(row.key, to_item(row)) for row in connection.execute(query)]
        return found

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        with translated(), self._engine.connect() as connection:
            if self._engine.dialect.name != "sqlite":
                # What SQLite gives by itself: all of a transaction is seen at one moment.
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        with translated(), self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database raises into a StoreError, or what it cannot take into an InputError.

    Once, here.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        raise InputError("a text holds half a character (a lone surrogate)") from error
    except ValueError as error:  # a row that somebody or something has damaged
        raise StoreError(f"the catalog holds a row that cannot be read: {error}") from error
    except SQLAlchemyError as error:
        reason = tables.reason_of(error)
        cause = error.orig if isinstance(error, StatementError) else None
        if isinstance(cause, TypeError | ValueError | RecursionError):  # raised before it was sent
            raise InputError(f"metadata that JSON cannot hold: {reason}") from error
        if tables.is_full(error):
            raise StorageFullError(f"no room left to write the catalog: {reason}") from error
        raise StoreError(f"the catalog failed: {reason}") from error


def _chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
