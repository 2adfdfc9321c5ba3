"""Makes of a catalog what an older schema was, row for row."""

from __future__ import annotations

import sqlite3
from pathlib import Path

BACK: dict[int, tuple[str, ...]] = {
    6: (
        "ALTER TABLE sources DROP COLUMN uri",
        "ALTER TABLE sources DROP COLUMN failed_at",
        "UPDATE alembic_version SET version_num = '6'",
    ),
    5: (
        "ALTER TABLE items DROP COLUMN checksum",
        "UPDATE alembic_version SET version_num = '5'",
    ),
    4: (
        "ALTER TABLE collections DROP COLUMN quantisation",
        "UPDATE alembic_version SET version_num = '4'",
        "UPDATE numbers SET value = 4 WHERE name = 'schema'",
    ),
    3: (
        "ALTER TABLE items ADD COLUMN vector BLOB NOT NULL DEFAULT ''",
        "UPDATE items SET vector = (SELECT vector FROM vectors WHERE vectors.key = items.key)",
        "DROP TABLE vectors",
        "DROP INDEX items_by_content",
        "CREATE INDEX items_by_content ON items (collection_id, content_hash)",
        "ALTER TABLE collections DROP COLUMN pruned",
        "DROP TABLE alembic_version",
        "UPDATE numbers SET value = 3 WHERE name = 'schema'",
    ),
    2: (
        "ALTER TABLE items DROP COLUMN picture_hash",
        "UPDATE numbers SET value = 2 WHERE name = 'schema'",
    ),
    1: (
        "DROP TABLE fields",
        "UPDATE numbers SET value = 1 WHERE name = 'schema'",
    ),
}


def set_back(path: Path, schema: int) -> None:
    """Make of a catalog of SQLite what it was in an older schema."""
    raw = sqlite3.connect(path)
    for number in range(max(BACK), schema - 1, -1):
        for statement in BACK[number]:
            raw.execute(statement)
    if schema == 1:
        names = raw.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'")
        for (name,) in names.fetchall():
            raw.execute(f"DROP TABLE {name}")
    raw.commit()
    raw.close()
