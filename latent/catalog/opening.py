"""How a catalog is opened: its tables are made where there are none, and brought forward.

Knows nothing about what is kept in them; `catalog` does.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Engine, insert, inspect, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from latent.catalog import fields, tables
from latent.catalog.database import connect, is_full, reason_of, sqlite_code
from latent.catalog.rows import to_entry
from latent.catalog.tables import SCHEMA, collections, metadata, numbers
from latent.catalog.word_tables import POSTGRESQL_WORDS, words_of
from latent.errors import StorageFullError, StoreError

log = logging.getLogger(__name__)

UPGRADE_PATIENCE_MS = 3_600_000  # while another process brings a large catalog forward
_TURN = 6_327_833  # what PostgreSQL calls the lock under which tables are made


def open_engine(url: str) -> Engine:
    """Open the database; make its tables if they are not there, bring older ones forward.

    Raises:
        InputError: the URL cannot be understood.
        StorageFullError: there is no room to open it.
        StoreError: it cannot be opened, or a newer version of Nearfield wrote it.
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
    if schema != SCHEMA:
        raise StoreError(
            f"{_named(engine.url)} was written by another version of Nearfield (schema {schema}, "
            f"this version reads {SCHEMA}); use that version, or index into another folder"
        )


def _schema(connection: Connection) -> int | None:
    """The number of the layout that is there; None where there is none, 0 for a broken one."""
    if not inspect(connection).has_table(numbers.name):
        return None
    query = select(numbers.c.value).where(numbers.c.name == "schema")
    return int(connection.execute(query).scalar_one_or_none() or 0)


def _bring_forward(engine: Engine) -> int:
    """Make or change the tables in one transaction, unless another process has by now."""
    options = {"writes": True, "patience_ms": UPGRADE_PATIENCE_MS}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
        schema = _schema(connection)
        if schema is None:
            _make(connection)
            return SCHEMA
        if schema == 1:
            log.info("bringing the catalog %s forward to schema 2", _named(engine.url))
            _from_1_to_2(connection)
            schema = 2
        if schema == 2:
            log.info("bringing the catalog %s forward to schema 3", _named(engine.url))
            _from_2_to_3(connection)
            schema = 3
    return schema


def _make(connection: Connection) -> None:
    metadata.create_all(connection)
    if connection.dialect.name == "postgresql":
        _make_postgresql_words(connection)
    first = [{"name": "schema", "value": SCHEMA}, {"name": "key", "value": 0}]
    connection.execute(insert(numbers), first)


def _make_postgresql_words(connection: Connection) -> None:
    for statement in POSTGRESQL_WORDS:
        connection.exec_driver_sql(statement)


def _from_1_to_2(connection: Connection) -> None:
    """Schema 2 keeps the words of items, and which fields their metadata have had."""
    tables.fields.create(connection)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "ALTER TABLE items ALTER COLUMN metadata TYPE jsonb USING metadata::jsonb"
        )
        _make_postgresql_words(connection)
    words = words_of(connection.dialect.name)
    for row in connection.execute(select(collections)).all():
        entry = to_entry(row)
        words.make(connection, entry.uid)
        words.fill(connection, entry)
        fields.learn_all(connection, entry)
    connection.execute(update(numbers).where(numbers.c.name == "schema").values(value=2))


def _from_2_to_3(connection: Connection) -> None:
    """Schema 3 keeps hashes of what pictures look like; those of older items are not known."""
    columns = {column["name"] for column in inspect(connection).get_columns("items")}
    if "picture_hash" not in columns:
        connection.exec_driver_sql("ALTER TABLE items ADD COLUMN picture_hash VARCHAR(64)")
    connection.execute(update(numbers).where(numbers.c.name == "schema").values(value=3))


def _named(url: URL) -> str:
    return url.database or url.render_as_string(hide_password=True)
