"""A checksum of each item as it is stored, its vector included.

A database notices when the structure of its file is harmed, and not when a letter of a text is.
Knows nothing about how a transaction is held; `catalog` does.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, text

from latent.catalog.database import plain_rows

Stored: TypeAlias = "int | str | bytes | None"

STREAM = 2_000  # rows that are read at once
_NOTHING = "\x00"
_BETWEEN = "\x1f"

# As bytes, because a text that is harmed may be no text any more.
_TEXTS = ("id", "modality", "uri", "text", "passage", "metadata", "source", "content_hash")
_QUERY = text(
    "SELECT items.key, collection_id, "
    + ", ".join(f"CAST({name} AS BLOB)" for name in _TEXTS)
    + ", sequence, CAST(picture_hash AS BLOB), vector, checksum"
    " FROM items JOIN vectors ON vectors.key = items.key"
    " WHERE collection_id = :collection AND checksum IS NOT NULL ORDER BY items.key"
)


def checksum(row: Sequence[Stored], vector: bytes) -> int:
    """CRC-32 of what a row of `items` is to hold, in the order of its columns, and of its vector.

    Raises:
        UnicodeEncodeError: a text holds half a character.
    """
    said = _BETWEEN.join([_NOTHING if one is None else str(one) for one in row])
    return zlib.crc32(vector, zlib.crc32(said.encode()))


def _checksum_of_bytes(row: Sequence[Stored], vector: bytes) -> int:
    """The same, of a row whose texts were read as bytes."""
    said = _BETWEEN.encode().join(map(_plain, row))
    return zlib.crc32(vector, zlib.crc32(said))


def _plain(value: Stored) -> bytes:
    if value is None:
        return _NOTHING.encode()
    return value if isinstance(value, bytes) else str(value).encode()


def harmed(connection: Connection, collection_id: int) -> Iterator[str]:
    """The ids of items that are not as they were written; older rows have no checksum.

    PostgreSQL has checksums of its own, and writes JSON in words of its own.
    """
    if connection.dialect.name != "sqlite":
        return
    for rows in plain_rows(connection, _QUERY, {"collection": collection_id}, STREAM):
        for *row, vector, written in rows:
            if _checksum_of_bytes(row, vector) != written:
                yield bytes(row[2] or b"").decode(errors="replace")
