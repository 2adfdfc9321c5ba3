"""Rows of the catalog become items and items rows; filters become conditions.

Knows nothing about connections and transactions; `catalog` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy import Row, String, and_, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.functions import FunctionElement

from latent.errors import FilterError, StoreError
from latent.items import JSON, Item, Modality, Passage, Source, Vectors
from latent.space import Space
from latent.tables import items

# What JSON escapes in a name; SQLite before 3.45 looks for the escape instead of the character.
_UNNAMEABLE = re.compile(r'["\\\x00-\x1f]')

Where = Mapping[str, JSON]
"""Equality on metadata: every named key must have exactly this value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A collection as the catalog knows it. `uid` is never used again, `id` may be."""

    id: int
    uid: str
    name: str
    space: Space
    sequence: int


def conditions(
    entry: Entry, where: Where | None, modality: Modality | None
) -> list[ColumnElement[bool]]:
    """What a row of `items` must meet.

    Raises:
        FilterError: a name or a value of `where` cannot be compared.
    """
    found: list[ColumnElement[bool]] = [items.c.collection_id == entry.id]
    if modality is not None:
        found.append(items.c.modality == modality.value)
    return found + [_equals(name, value) for name, value in (where or {}).items()]


def _equals(name: str, value: JSON) -> ColumnElement[bool]:
    if name.startswith("$") or _UNNAMEABLE.search(name):
        raise FilterError(f"{name!r} is no name of metadata; only equality is understood")
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise FilterError(f"{name!r} is compared with a number of more than 64 bits")
    field: Any = items.c.metadata[name]
    # The kind is compared as well, because SQLite takes 1, "1" and true for the same.
    kind = _JsonKind(items.c.metadata, literal(name))
    if isinstance(value, bool):
        condition = and_(field.as_boolean() == value, kind.in_(["true", "false", "boolean"]))
    elif isinstance(value, str):
        condition = and_(field.as_string() == value, kind.in_(["text", "string"]))
    elif isinstance(value, int | float):
        condition = and_(field.as_float() == value, kind.in_(["integer", "real", "number"]))
    elif value is None:
        condition = field.as_string().is_(None)
    else:
        raise FilterError(
            f"{name!r} can only be compared with a string, number, true, false or null"
        )
    return condition


class _JsonKind(FunctionElement[str]):
    """What kind of JSON value a column holds under a name, in the database's own words."""

    type = String()
    inherit_cache = True


@compiles(_JsonKind)
def _sqlite_kind(element: _JsonKind, compiler: Any, **how: Any) -> str:
    column, name = (compiler.process(clause, **how) for clause in element.clauses)
    return f"json_type({column}, '$.\"' || {name} || '\"')"


@compiles(_JsonKind, "postgresql")
def _postgresql_kind(element: _JsonKind, compiler: Any, **how: Any) -> str:
    column, name = (compiler.process(clause, **how) for clause in element.clauses)
    return f"json_typeof({column} -> {name})"


def to_row(item: Item, entry: Entry, number: int) -> dict[str, Any]:
    """The row that holds an item, written under this number of the sequence."""
    return {
        "collection_id": entry.id,
        "id": item.id,
        "modality": item.modality.value,
        "uri": item.uri,
        "text": item.text,
        "passage": asdict(item.passage) if item.passage else None,
        "metadata": dict(item.metadata),
        "source": item.source,
        "content_hash": item.content_hash,
        "sequence": number,
        "vector": np.asarray(item.vector, "<f4").tobytes(),
    }


def to_item(row: Row[Any]) -> Item:
    """The item a row holds."""
    return Item(
        id=row.id,
        modality=Modality(row.modality),
        vector=np.frombuffer(row.vector, "<f4").astype(np.float32),
        uri=row.uri,
        text=row.text,
        passage=Passage(**row.passage) if row.passage else None,
        metadata=row.metadata,
        source=row.source,
        content_hash=row.content_hash,
    )


def to_source(row: Row[Any]) -> Source:
    """The source a row holds."""
    return Source(row.path, row.size, row.mtime_ns, row.content_hash, row.failure, row.code)


def to_vectors(stored: Sequence[bytes], dim: int) -> Vectors:
    """The stored vectors as rows, `(n, dim)` float32.

    Raises:
        StoreError: one has another length.
    """
    for one in stored:
        if len(one) != 4 * dim:
            raise StoreError(
                f"the catalog holds a vector of {len(one) / 4:g} numbers where {dim} belong"
            )
    return np.frombuffer(b"".join(stored), "<f4").reshape(len(stored), dim).astype(np.float32)


def to_space(stored: dict[str, Any]) -> Space:
    """The space as it was stored with its collection."""
    modalities = frozenset(Modality(name) for name in stored["modalities"])
    return Space(stored["model"], stored["dim"], stored["fingerprint"], modalities)
