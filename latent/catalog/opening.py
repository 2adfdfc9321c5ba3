"""How a catalog is opened: its tables are made where there are none, and brought forward.

Knows nothing about what is kept in them; `catalog` does.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Engine, insert, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from latent.catalog import migrations
from latent.catalog.database import connect, is_full, reason_of, sqlite_code
from latent.catalog.tables import SCHEMA, metadata, numbers, version
from latent.catalog.word_tables import POSTGRESQL_WORDS
from latent.errors import NewerCatalogError, StorageFullError, StoreError

log = logging.getLogger(__name__)

UPGRADE_PATIENCE_MS = 3_600_000  # while another process brings a large catalog forward
_TURN = 6_327_833  # what PostgreSQL calls the lock under which tables are made


def open_engine(url: str) -> Engine:
    """Open the database; make its tables if they are not there, bring older ones forward.

    Raises:
        InputError: the URL cannot be understood.
        StorageFullError: there is no room to open it.
        NewerCatalogError: a newer version of Nearfield wrote it.
        StoreError: it cannot be opened.
    """
    engine = connect(url)
    try:
        _prepare(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        reason, name = reason_of(error), _named(engine.url)
        if is_full(error):
            raise StorageFullError(f"no room left to open the catalog {name}") from error
        if sqlite_code(error).startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            reason += "; its folder must be writable, even to search"
        if "no such module: fts5" in reason:
            reason += "; this Python needs an SQLite with full-text search (FTS5)"
        raise StoreError(f"the catalog {name} cannot be opened: {reason}") from error
    except ValueError as error:
        engine.dispose()
        name = _named(engine.url)
        raise StoreError(f"the catalog {name} holds a row that cannot be read: {error}") from error
    except StoreError:
        engine.dispose()
        raise
    return engine


def _prepare(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin():
        schema = _schema(connection)
        is_foreign = schema is None and bool(inspect(connection).get_table_names())
    if is_foreign:
        raise StoreError(
            f"{_named(engine.url)} is a database of something else; choose another folder"
        )
    if schema is None or schema < SCHEMA:
        schema = _bring_forward(engine)
    if schema > SCHEMA:
        raise NewerCatalogError(
            f"{_named(engine.url)} was written by a newer version of Nearfield (schema {schema}, "
            f"this version reads {SCHEMA}); use that version, or index into another folder"
        )
    if schema < SCHEMA:
        raise StoreError(
            f"{_named(engine.url)} does not say which version of Nearfield wrote it; restore a "
            "backup, or index into another folder"
        )


def _schema(connection: Connection) -> int | None:
    """The number of the layout that is there; None where there is none, 0 for a broken one."""
    there = inspect(connection)
    if not there.has_table(numbers.name):
        return None
    if there.has_table(version.name):
        number = connection.execute(select(version.c.version_num)).scalar_one_or_none()
    else:  # which came with schema 4
        query = select(numbers.c.value).where(numbers.c.name == "schema")
        number = connection.execute(query).scalar_one_or_none()
    return int(number or 0)


def _bring_forward(engine: Engine) -> int:
    """Make or change the tables in one transaction, unless another process has by now."""
    options = {"writes": True, "patience_ms": UPGRADE_PATIENCE_MS}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
        schema = _schema(connection)
        if schema is None:
            _make(connection)
        elif 0 < schema < SCHEMA:
            log.info("bringing the catalog %s forward to schema %d", _named(engine.url), SCHEMA)
            migrations.upgrade(connection, since=schema)
        return _schema(connection) or 0


def _make(connection: Connection) -> None:
    metadata.create_all(connection)
    if connection.dialect.name == "postgresql":
        for statement in POSTGRESQL_WORDS:
            connection.exec_driver_sql(statement)
    connection.execute(insert(version).values(version_num=str(SCHEMA)))
    first = [{"name": "schema", "value": SCHEMA}, {"name": "key", "value": 0}]
    connection.execute(insert(numbers), first)


def _named(url: URL) -> str:
    return url.database or url.render_as_string(hide_password=True)
