"""Schema 5: by which codes a collection is searched."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, String

revision = "5"
down_revision = "4"


def upgrade() -> None:
    op.add_column(
        "collections", Column("quantisation", String(16), nullable=False, server_default="sq8")
    )
