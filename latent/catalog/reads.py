"""How items are read with their vectors, within a transaction of `database`.

Knows nothing about how the transaction is held; `catalog` does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, String, cast, func, select, text
from sqlalchemy.sql import ColumnElement

from latent.catalog import vector_table
from latent.catalog.changes import Origin
from latent.catalog.database import (
    CHUNK,
    STREAM,
    among,
    chunks,
    fetched,
    fetched_at_once,
    listed,
    translated,
)
from latent.catalog.rows import COLUMNS, Condition, Entry, to_item
from latent.catalog.tables import items
from latent.errors import StoreError, UnknownCollectionError
from latent.index.vectors import Keys
from latent.items import Item, Modality

_HEADS = text("SELECT sequence, pruned FROM collections WHERE uid = :uid")
_CHANGED = text("SELECT key, modality FROM items WHERE collection_id = :its AND sequence > :number")


def sequence(connection: Connection, entry: Entry) -> int:
    """The number of the last write.

    Raises:
        UnknownCollectionError: the collection was deleted meanwhile.
    """
    return heads(connection, entry)[0]


def heads(connection: Connection, entry: Entry) -> tuple[int, int]:
    """The number of the last write, and the number up to which no tombstones are kept.

    Raises:
        UnknownCollectionError: the collection was deleted meanwhile.
    """
    rows = fetched(connection, _HEADS, {"uid": entry.uid})
    if not rows:
        raise UnknownCollectionError(entry.name)
    ((number, pruned),) = rows
    return int(number), int(pruned)


def changed_since(
    connection: Connection, entry: Entry, number: int
) -> tuple[Keys, NDArray[np.bool_]]:
    """The keys that were written after a number of the sequence, ascending, and which are images.

    Not those of a whole collection: it has too many.
    """
    rows = fetched(connection, _CHANGED, {"its": entry.id, "number": number})
    keys = np.array([key for key, _ in rows], np.int64)
    are_images = np.array([modality == Modality.IMAGE.value for _, modality in rows], np.bool_)
    order = np.argsort(keys)  # here: told to do it, SQLite might go through all by key
    return keys[order], are_images[order]


def by_key(connection: Connection, entry: Entry, keys: Iterable[int]) -> dict[int, Item]:
    """Those of the items that exist, by key, in order of keys."""
    found: dict[int, Item] = {}
    query = text(_by_key(connection.dialect.name))
    for chunk in chunks(keys, STREAM):
        found |= _joined(fetched(connection, query, {"keys": json.dumps(chunk)}), entry)
    return found


def by_key_at_once(engine: Engine, entry: Entry, keys: Iterable[int]) -> dict[int, Item]:
    """As `by_key`, for one who holds no transaction; up to `STREAM` at one moment.

    Raises:
        StoreError: the catalog cannot be read.
    """
    found: dict[int, Item] = {}
    query = _by_key(engine.dialect.name)
    with translated():
        for chunk in chunks(keys, STREAM):
            found |= _joined(fetched_at_once(engine, query, {"keys": json.dumps(chunk)}), entry)
    return found


def having(
    connection: Connection,
    entry: Entry,
    column: ColumnElement[Any],
    values: Iterable[Any],
    *met: ColumnElement[bool],
) -> dict[int, Item]:
    """The items of a collection that have one of the values in a column, by key."""
    found: dict[int, Item] = {}
    for chunk in chunks(values, CHUNK):
        query = select(items).where(items.c.collection_id == entry.id, column.in_(chunk), *met)
        found |= with_vectors(connection, entry, fetched(connection, query))
    return found


def origins(connection: Connection, entry: Entry, ids: Sequence[str]) -> dict[str, Origin]:
    """Source and URI of those of the items that exist, by id."""
    found: dict[str, Origin] = {}
    its = f"collection_id = :its AND id IN ({among(connection.dialect.name, 'ids', 'text')})"
    query = text(f"SELECT id, source, uri FROM items WHERE {its}")
    for chunk in chunks(ids, STREAM):
        rows = fetched(connection, query, {"its": entry.id, "ids": listed(chunk)})
        found |= {item_id: Origin(source, uri) for item_id, source, uri in rows}
    return found


def keys_where(connection: Connection, met: Sequence[Condition]) -> Keys:
    """The keys of all items that meet the conditions, ascending."""
    key = cast(items.c.key, String)
    # One long text is read many times faster than a row for each key.
    join = func.string_agg if connection.dialect.name == "postgresql" else func.group_concat
    keys = connection.execute(select(join(key, ",")).where(*met)).scalar_one()
    return np.sort(np.fromstring(keys or "", np.int64, sep=","))


def with_vectors(connection: Connection, entry: Entry, rows: Sequence[Any]) -> dict[int, Item]:
    """The items that plain rows of `items` hold, by key, in the order of the rows."""
    keys = np.array(sorted(row[0] for row in rows), np.int64)
    vectors = vector_table.read(connection, keys, entry.space.dim)
    place = dict(zip(keys.tolist(), vectors, strict=True))
    return {row[0]: to_item(row, place[row[0]]) for row in rows}


@cache
def _by_key(dialect: str) -> str:
    # A key is one of all collections; told the collection too, SQLite reads all of its rows.
    columns = ", ".join(f"items.{name}" for name in COLUMNS)
    return (
        f"SELECT {columns}, vectors.vector FROM items LEFT JOIN vectors ON vectors.key = items.key"
        f" WHERE items.key IN ({among(dialect, 'keys', 'bigint')}) ORDER BY items.key"
    )


def _joined(rows: Sequence[Any], entry: Entry) -> dict[int, Item]:
    """The items of rows that end with their vector, of those that are of the collection."""
    its = [row for row in rows if row[1] == entry.id]
    for row in its:
        if row[-1] is None:
            raise StoreError(f"the catalog holds no vector for the item with key {row[0]}")
    vectors = vector_table.to_vectors([row[-1] for row in its], entry.space.dim)
    return {row[0]: to_item(row, vector) for row, vector in zip(its, vectors, strict=True)}
