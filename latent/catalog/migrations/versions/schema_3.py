"""Schema 3: hashes of what pictures look like; those of older items are not known."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, String, inspect

revision = "3"
down_revision = "2"


def upgrade() -> None:
    columns = {column["name"] for column in inspect(op.get_bind()).get_columns("items")}
    if "picture_hash" not in columns:  # which a version between the two had made
        op.add_column("items", Column("picture_hash", String(64)))
