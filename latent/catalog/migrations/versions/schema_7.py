"""Schema 7: what people call a file that could not be read, and when it was tried last."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "7"
down_revision = "6"


def upgrade() -> None:
    op.add_column("sources", Column("uri", Text))
    op.add_column("sources", Column("failed_at", BigInteger))
