"""The tables of the catalog; those of words are made by `word_tables`.

Knows nothing about what the rows mean; `catalog` does.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import JSONB

from latent.items import FINGERPRINT, LONGEST_ID

SCHEMA = 7
"""The number of this layout: that of the last of `migrations`, which bring older ones forward."""

metadata = MetaData()
# SQLite gives 64-bit row numbers only to columns declared INTEGER.
_Key = BigInteger().with_variant(Integer, "sqlite")
_Metadata = JSON().with_variant(JSONB(), "postgresql")

version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), primary_key=True),
)

numbers = Table(
    "numbers",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

collections = Table(
    "collections",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("uid", String(32), nullable=False, unique=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("space", JSON, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("pruned", BigInteger, nullable=False, server_default="0"),
    Column("quantisation", String(16), nullable=False, server_default="sq8"),
)

items = Table(
    "items",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("collection_id", ForeignKey("collections.id"), nullable=False),
    Column("id", String(LONGEST_ID + 16), nullable=False),  # passages of a row add their number
    Column("modality", String(8), nullable=False),
    Column("uri", Text, nullable=False),
    Column("text", Text),
    Column("passage", JSON(none_as_null=True)),
    Column("metadata", _Metadata, nullable=False),
    Column("source", Text),
    Column("content_hash", String(128)),
    Column("sequence", BigInteger, nullable=False),
    Column("picture_hash", String(64)),
    Column("checksum", BigInteger),
    UniqueConstraint("collection_id", "id"),
    Index("items_by_sequence", "collection_id", "sequence"),
    Index("items_by_source", "collection_id", "source"),
    Index("items_by_modality", "collection_id", "modality", "key"),
)

HAS_CONTENT = func.length(items.c.content_hash) != literal_column(str(FINGERPRINT))
"""Whether the hash of an item is that of a content; of manifest rows nobody asks by it."""

Index(
    "items_by_content",
    items.c.collection_id,
    items.c.content_hash,
    sqlite_where=HAS_CONTENT,
    postgresql_where=HAS_CONTENT,
)

# Of their own, so that whoever reads what items say does not turn the pages of their vectors.
vectors = Table(
    "vectors",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("vector", LargeBinary, nullable=False),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("collection_id", ForeignKey("collections.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index("tombstones_by_sequence", "collection_id", "sequence"),
)

fields = Table(
    "fields",
    metadata,
    Column("collection_id", ForeignKey("collections.id"), primary_key=True),
    Column("name", Text, primary_key=True),
)

sources = Table(
    "sources",
    metadata,
    Column("collection_id", ForeignKey("collections.id"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("content_hash", String(128)),
    Column("failure", Text),
    Column("code", String(64)),
    Column("uri", Text),
    Column("failed_at", BigInteger),
)
