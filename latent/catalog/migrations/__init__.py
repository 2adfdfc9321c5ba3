"""How older catalogs are brought forward, one file of `versions` for each schema.

Every file names its tables as they were then, never those of `tables`, which move on. Alembic runs
them and notes the number in `alembic_version`, within the transaction of whoever calls.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from latent.catalog.tables import version

FOLDER = Path(__file__).parent


def files() -> list[Path]:
    """The migrations there are."""
    return sorted((FOLDER / "versions").glob("*.py"))


def upgrade(connection: Connection, *, since: int, to: str = "head") -> None:
    """Bring the tables forward from the schema `since`; 0 makes them from nothing.

    Within the transaction of the connection: when it fails, the tables are as they were.
    """
    from alembic import command  # here, because it is slow to import and seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    if since in range(1, 4):  # which noted their number elsewhere
        version.create(connection, checkfirst=True)
        connection.execute(version.insert().values(version_num=str(since)))
    command.upgrade(config, to)
