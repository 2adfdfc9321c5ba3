"""Schema 2: the words of items, and which fields their metadata have had."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text, column, select, table
from sqlalchemy.types import JSON

from latent.catalog import fields
from latent.catalog.rows import Entry, to_space
from latent.catalog.word_tables import POSTGRESQL_WORDS, words_of

revision = "2"
down_revision = "1"

COLLECTIONS = table(
    "collections",
    *(column(name) for name in ("id", "uid", "name", "sequence")),
    column("space", JSON),
)
KEY = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    connection = op.get_bind()
    op.create_table(
        "fields",
        Column("collection_id", KEY, ForeignKey("collections.id"), primary_key=True),
        Column("name", Text, primary_key=True),
    )
    if connection.dialect.name == "postgresql":
        op.execute("ALTER TABLE items ALTER COLUMN metadata TYPE jsonb USING metadata::jsonb")
        for statement in POSTGRESQL_WORDS:
            op.execute(statement)
    words = words_of(connection.dialect.name)
    for row in connection.execute(select(COLLECTIONS)).all():
        entry = Entry(row.id, row.uid, row.name, to_space(row.space), row.sequence)
        words.make(connection, entry.uid)
        words.fill(connection, entry)
        fields.learn_all(connection, entry)
