"""What one write does: items, tombstones, sources, words and fields, within one transaction.

Knows nothing about how the transaction is held; `catalog` does.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
from sqlalchemy import Column, Connection, delete, insert, text, update

from latent.catalog import fields, keywords, vector_table
from latent.catalog.changes import Change, Written
from latent.catalog.database import (
    CHUNK,
    STREAM,
    among,
    chunks,
    fetched,
    insert_rows,
    listed,
)
from latent.catalog.rows import COLUMNS, Entry, to_plain_row
from latent.catalog.tables import collections, items, numbers, sources, tombstones
from latent.catalog.word_tables import WordTable
from latent.errors import UnknownCollectionError
from latent.items import Item

_REPLACE = "ON CONFLICT (key) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in COLUMNS if name != "key"
)


def apply(connection: Connection, entry: Entry, change: Change, words: WordTable) -> Written:
    """Do all of a change.

    Raises:
        UnknownCollectionError: the collection was deleted meanwhile.
    """
    number = connection.execute(
        update(collections)
        .where(collections.c.uid == entry.uid)
        .values(sequence=collections.c.sequence + 1)
        .returning(collections.c.sequence)
    ).scalar_one_or_none()
    if number is None:
        raise UnknownCollectionError(entry.name)
    put = {item.id: item for item in change.put}
    going = keys_of(connection, entry, items.c.id, change.drop)
    paths = {*change.replace, *change.forget}
    going |= keys_of(connection, entry, items.c.source, paths)
    gone = sorted(key for item_id, key in going.items() if item_id not in put)
    keys = keys_of(connection, entry, items.c.id, put)
    words.drop(connection, entry, [*gone, *keys.values()])
    _bury(connection, entry, number, gone)
    keys |= _new_keys(connection, [item_id for item_id in put if item_id not in keys])
    _put(connection, entry, number, [(keys[item_id], item) for item_id, item in put.items()])
    words.put(connection, entry, {keys[i]: keywords.content_of(put[i]) for i in put})
    if put:
        fields.learn(connection, entry, (item.metadata for item in put.values()))
    _remember(connection, entry, change)
    put_keys = np.array([keys[item.id] for item in change.put], np.int64)
    return Written(number, put_keys, np.array(gone, np.int64))


def keys_of(
    connection: Connection, entry: Entry, column: Column[str], values: Iterable[str]
) -> dict[str, int]:
    """Keys by id of the items that have one of the values in this column."""
    found: dict[str, int] = {}
    listing = among(connection.dialect.name, "values", "text")
    its = f"collection_id = :its AND {column.name} IN ({listing})"
    query = text(f"SELECT id, key FROM items WHERE {its}")
    for chunk in chunks(values, STREAM):
        found.update(fetched(connection, query, {"its": entry.id, "values": listed(chunk)}))
    return found


def _bury(connection: Connection, entry: Entry, number: int, keys: Sequence[int]) -> None:
    vector_table.drop(connection, keys)
    for chunk in chunks(keys, CHUNK):
        connection.execute(delete(items).where(items.c.key.in_(chunk)))
        connection.execute(
            insert(tombstones),
            [{"key": key, "collection_id": entry.id, "sequence": number} for key in chunk],
        )


def _new_keys(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """Keys that no item has had, by id."""
    if not ids:
        return {}
    last = connection.execute(
        update(numbers)
        .where(numbers.c.name == "key")
        .values(value=numbers.c.value + len(ids))
        .returning(numbers.c.value)
    ).scalar_one()
    return dict(zip(ids, range(last - len(ids) + 1, last + 1), strict=True))


def _put(
    connection: Connection, entry: Entry, number: int, put: Sequence[tuple[int, Item]]
) -> None:
    """Keep items by key, in the place of those kept before."""
    vectors = [(key, vector_table.stored(item.vector)) for key, item in put]
    rows = [
        to_plain_row(item, entry, number, key=key, vector=vector)
        for (key, item), (_, vector) in zip(put, vectors, strict=True)
    ]
    insert_rows(connection, items.name, COLUMNS, rows, others=_REPLACE)
    vector_table.put(connection, vectors)


def _remember(connection: Connection, entry: Entry, change: Change) -> None:
    paths = [*change.forget, *(source.path for source in change.sources)]
    for chunk in chunks(paths, CHUNK):
        connection.execute(
            delete(sources).where(sources.c.collection_id == entry.id, sources.c.path.in_(chunk))
        )
    known = {source.path: source for source in change.sources}
    now = int(time.time())
    if known:
        connection.execute(
            insert(sources),
            [
                asdict(source)
                | {"collection_id": entry.id, "failed_at": now if source.failure else None}
                for source in known.values()
            ],
        )
