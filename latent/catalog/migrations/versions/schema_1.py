"""Schema 1: collections, items with their vectors, tombstones, sources."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy import UniqueConstraint as Unique

revision = "1"
down_revision = None

KEY = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "numbers",
        Column("name", String(32), primary_key=True),
        Column("value", BigInteger, nullable=False),
    )
    op.create_table(
        "collections",
        Column("id", KEY, primary_key=True, autoincrement=True),
        Column("uid", String(32), nullable=False, unique=True),
        Column("name", String(128), nullable=False, unique=True),
        Column("space", JSON, nullable=False),
        Column("sequence", BigInteger, nullable=False),
    )
    op.create_table(
        "items",
        Column("key", KEY, primary_key=True, autoincrement=False),
        Column("collection_id", KEY, ForeignKey("collections.id"), nullable=False),
        Column("id", String(1040), nullable=False),
        Column("modality", String(8), nullable=False),
        Column("uri", Text, nullable=False),
        Column("text", Text),
        Column("passage", JSON),
        Column("metadata", JSON, nullable=False),
        Column("source", Text),
        Column("content_hash", String(128)),
        Column("sequence", BigInteger, nullable=False),
        Column("vector", LargeBinary, nullable=False),
        Unique("collection_id", "id"),
    )
    op.create_index("items_by_sequence", "items", ["collection_id", "sequence"])
    op.create_index("items_by_source", "items", ["collection_id", "source"])
    op.create_index("items_by_modality", "items", ["collection_id", "modality", "key"])
    op.create_index("items_by_content", "items", ["collection_id", "content_hash"])
    op.create_table(
        "tombstones",
        Column("key", KEY, primary_key=True, autoincrement=False),
        Column("collection_id", KEY, ForeignKey("collections.id"), nullable=False),
        Column("sequence", BigInteger, nullable=False),
    )
    op.create_index("tombstones_by_sequence", "tombstones", ["collection_id", "sequence"])
    op.create_table(
        "sources",
        Column("collection_id", KEY, ForeignKey("collections.id"), primary_key=True),
        Column("path", Text, primary_key=True),
        Column("size", BigInteger, nullable=False),
        Column("mtime_ns", BigInteger, nullable=False),
        Column("content_hash", String(128)),
        Column("failure", Text),
        Column("code", String(64)),
    )
    op.execute("INSERT INTO numbers (name, value) VALUES ('schema', 1), ('key', 0)")
