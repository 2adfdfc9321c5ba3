"""Rows of the catalog become items and items rows; filters become conditions.

Knows nothing about connections and transactions; `catalog` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import Row, text
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.elements import TextClause

from latent import exact_json
from latent.catalog.checksums import checksum
from latent.catalog.database import written
from latent.catalog.tables import items
from latent.errors import InputError
from latent.filters.language import Filter
from latent.filters.postgresql import PostgresqlWriter
from latent.filters.sql import FilterWriter
from latent.filters.sqlite import SqliteWriter
from latent.items import Item, Modality, Passage, Source, Vector
from latent.space import Space

Condition: TypeAlias = ColumnElement[bool] | TextClause
"""What a query asks of a row."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A collection as the catalog knows it. `uid` is never used again, `id` may be.

    `quantisation` names the codes it is to be searched by (`latent.index.bases`); `pruned` is the
    number up to which it is no longer known which items were dropped.
    """

    id: int
    uid: str
    name: str
    space: Space
    sequence: int
    quantisation: str = "sq8"
    pruned: int = 0


def conditions(
    entry: Entry, where: Filter | None, modality: Modality | None, *, dialect: str
) -> list[Condition]:
    """What a row of `items` must meet.

    Raises:
        FilterError: more of a filter than a database takes at once.
    """
    found: list[Condition] = [items.c.collection_id == entry.id]
    if modality is not None:
        found.append(items.c.modality == modality.value)
    if where is not None:
        words = writer(dialect)
        sql = words.write(where)
        found.append(text(sql).bindparams(**words.parameters))
    return found


def writer(dialect: str) -> FilterWriter:
    """Filters in the words of this database."""
    return PostgresqlWriter() if dialect == "postgresql" else SqliteWriter()


COLUMNS = tuple(column.name for column in items.c)
"""Of `items`: the key first, then the collection, then what an item says."""


def to_plain_row(
    item: Item, entry: Entry, number: int, *, key: int, vector: bytes
) -> tuple[Any, ...]:
    """The row of `COLUMNS` that holds an item, as the driver takes it; its vector is elsewhere.

    Raises:
        InputError: metadata that JSON cannot hold.
    """
    try:
        passage = written(asdict(item.passage)) if item.passage else None
        told = item.metadata
        metadata = written(told if isinstance(told, dict) else dict(told))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"metadata that JSON cannot hold: {error}") from error
    said = (item.uri, item.text, passage, metadata, item.source, item.content_hash)
    row = (key, entry.id, item.id, item.modality.value, *said, number, item.picture_hash)
    return (*row, checksum(row, vector))


def to_item(row: Sequence[Any], vector: Vector) -> Item:
    """The item that a plain row of `items` holds, with its vector."""
    item_id, modality, uri, said, passage, metadata, source, content_hash, _, looks, *_ = row[2:]
    return Item(
        item_id,
        _MODALITIES[modality],
        vector,
        uri,
        said,
        Passage(**_read(passage)) if passage else None,
        _read(metadata),
        source,
        content_hash,
        looks,
    )


_MODALITIES = {str(modality): modality for modality in Modality}


def _read(cell: Any) -> Any:
    """JSON as SQLite has it, a text; PostgreSQL has read it already."""
    return exact_json.read(cell) if isinstance(cell, str) else cell


def to_source(row: Row[Any]) -> Source:
    """The source a row holds."""
    why = (row.failure, row.code, row.uri, row.failed_at)
    return Source(row.path, row.size, row.mtime_ns, row.content_hash, *why)


@cache  # few differ, and all are read again whenever somebody has written
def _space_in(cell: str) -> Space:
    return to_space(exact_json.read(cell))


def to_space(stored: dict[str, Any]) -> Space:
    """The space as it was stored with its collection."""
    modalities = frozenset(Modality(name) for name in stored["modalities"])
    return Space(stored["model"], stored["dim"], stored["fingerprint"], modalities)


def to_entry(row: Sequence[Any]) -> Entry:
    """The collection that a plain row of `collections` holds, in the order of its columns."""
    key, uid, name, said, sequence, pruned, quantisation = row
    space = _space_in(said) if isinstance(said, str) else to_space(said)
    return Entry(key, uid, name, space, sequence, quantisation, pruned=pruned)
