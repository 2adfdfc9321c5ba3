"""Vectors kept beside the items, by key, in the same transactions.

Every function works on a connection of `database`, within its transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
from sqlalchemy import Connection, TextClause, delete, select, text

from latent.catalog.database import CHUNK, among, chunks, fetched, insert_rows
from latent.catalog.tables import items, vectors
from latent.errors import StoreError
from latent.index.vectors import Keys
from latent.items import Vector, Vectors

STREAM = 4_096  # vectors that are read at once

_REPLACE = "ON CONFLICT (key) DO UPDATE SET vector = excluded.vector"
_BETWEEN = text("SELECT key, vector FROM vectors WHERE key BETWEEN :first AND :last ORDER BY key")
_AMONG = "SELECT key, vector FROM vectors WHERE key IN ({}) ORDER BY key"


def put(connection: Connection, rows: Sequence[tuple[int, bytes]]) -> None:
    """Keep vectors as `stored` by key, in the place of those kept before."""
    insert_rows(connection, vectors.name, ("key", "vector"), rows, others=_REPLACE)


def stored(vector: Vector) -> bytes:
    """A vector as it is kept."""
    return np.asarray(vector, "<f4").tobytes()


def drop(connection: Connection, keys: Sequence[int]) -> None:
    """Forget keys."""
    for chunk in chunks(keys, CHUNK):
        connection.execute(delete(vectors).where(vectors.c.key.in_(chunk)))


def drop_all(connection: Connection, collection_id: int) -> None:
    """Forget the vectors of a whole collection, whose items are still there."""
    its = select(items.c.key).where(items.c.collection_id == collection_id)
    connection.execute(delete(vectors).where(vectors.c.key.in_(its)))


def read(connection: Connection, keys: Keys, dim: int) -> Vectors:
    """The vectors of keys that ascend, `(n, dim)` float32.

    Raises:
        StoreError: one is not there, or of another length.
    """
    found = np.empty((len(keys), dim), np.float32)
    for start, part in streamed(connection, keys, dim):
        found[start : start + len(part)] = part
    return found


def streamed(connection: Connection, keys: Keys, dim: int) -> Iterator[tuple[int, Vectors]]:
    """As `read`, a part after another, each with the place where it begins. Raises as `read`."""
    for start in range(0, len(keys), STREAM):
        some = keys[start : start + STREAM]
        rows = fetched(connection, *_query(connection, some))
        if len(rows) != len(some):
            missing = np.setdiff1d(some, [key for key, _ in rows])
            raise StoreError(f"the catalog holds no vector for the item with key {missing[0]}")
        yield start, to_vectors([one for _, one in rows], dim)


def strays(connection: Connection) -> list[int]:
    """Keys of vectors that belong to no item."""
    query = select(vectors.c.key).where(vectors.c.key.not_in(select(items.c.key)))
    return list(connection.execute(query).scalars())


def to_vectors(rows: Sequence[bytes], dim: int) -> Vectors:
    """The stored vectors as rows, `(n, dim)` float32.

    Raises:
        StoreError: one has another length.
    """
    for one in rows:
        if len(one) != 4 * dim:
            raise StoreError(
                f"the catalog holds a vector of {len(one) / 4:g} numbers where {dim} belong"
            )
    return np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), dim).astype(np.float32)


def _query(connection: Connection, keys: Keys) -> tuple[TextClause, dict[str, object]]:
    first, last = int(keys[0]), int(keys[-1])
    if last - first + 1 == len(keys):  # as they come from one load
        return _BETWEEN, {"first": first, "last": last}
    query = _AMONG.format(among(connection.dialect.name, "keys", "bigint"))
    return text(query), {"keys": json.dumps(keys.tolist())}
