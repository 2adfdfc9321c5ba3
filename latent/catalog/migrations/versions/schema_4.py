"""Schema 4: vectors in a table of their own; how far tombstones are pruned."""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy import UniqueConstraint as Unique

revision = "4"
down_revision = "3"

KEY = BigInteger().with_variant(Integer, "sqlite")
NAMES = (
    "key, collection_id, id, modality, uri, text, passage, metadata, source, content_hash,"
    " sequence, picture_hash"
)


def upgrade() -> None:
    op.create_table(
        "vectors",
        Column("key", KEY, primary_key=True, autoincrement=False),
        Column("vector", LargeBinary, nullable=False),
    )
    op.execute("INSERT INTO vectors (key, vector) SELECT key, vector FROM items ORDER BY key")
    if op.get_bind().dialect.name == "postgresql":
        op.drop_column("items", "vector")
        op.alter_column("items", "id", type_=String(1040))  # shorter in the first form of schema 1
        op.execute("DROP INDEX IF EXISTS items_by_modality")
        op.drop_index("items_by_content", "items")
    else:
        _copy_items()
        op.create_index("items_by_sequence", "items", ["collection_id", "sequence"])
        op.create_index("items_by_source", "items", ["collection_id", "source"])
    op.create_index("items_by_modality", "items", ["collection_id", "modality", "key"])
    op.execute(
        "CREATE INDEX items_by_content ON items (collection_id, content_hash)"
        " WHERE length(content_hash) <> 32"
    )
    op.add_column("collections", Column("pruned", BigInteger, nullable=False, server_default="0"))
    # What versions before this one look at, so that they keep off.
    op.execute("UPDATE numbers SET value = 4 WHERE name = 'schema'")


def _copy_items() -> None:
    """Copied and not altered: SQLite would leave the room of the vectors empty between rows."""
    op.create_table(
        "items_4",
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
        Column("picture_hash", String(64)),
        Unique("collection_id", "id"),
    )
    op.execute(f"INSERT INTO items_4 ({NAMES}) SELECT {NAMES} FROM items ORDER BY key")
    op.drop_table("items")
    op.rename_table("items_4", "items")
