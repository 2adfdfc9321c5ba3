"""Schema 6: a checksum of each item; that of older ones is not known."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column

revision = "6"
down_revision = "5"


def upgrade() -> None:
    op.add_column("items", Column("checksum", BigInteger))
