"""The tables of the catalog, and how its database is opened.

Knows nothing about what the rows mean; `catalog` does.
"""

from __future__ import annotations

import json
import sqlite3
import time
from functools import partial
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    BindParameter,
    Column,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    create_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from latent.errors import InputError, StorageFullError, StoreError
from latent.items import LONGEST_ID

SCHEMA = 1
"""The number of this layout; a catalog of another number is refused, not guessed at."""

metadata = MetaData()
# SQLite gives 64-bit row numbers only to columns declared INTEGER.
_Key = BigInteger().with_variant(Integer, "sqlite")

numbers = Table(
    "numbers",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

collections = Table(
    "collections",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("uid", String(32), nullable=False, unique=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("space", JSON, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("collection_id", ForeignKey("collections.id"), nullable=False),
    Column("id", String(LONGEST_ID + 16), nullable=False),  # passages of a row add their number
    Column("modality", String(8), nullable=False),
    Column("uri", Text, nullable=False),
    Column("text", Text),
    Column("passage", JSON(none_as_null=True)),
    Column("metadata", JSON, nullable=False),
    Column("source", Text),
    Column("content_hash", String(128)),
    Column("sequence", BigInteger, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    UniqueConstraint("collection_id", "id"),
    Index("items_by_sequence", "collection_id", "sequence"),
    Index("items_by_source", "collection_id", "source"),
    Index("items_by_modality", "collection_id", "modality", "key"),
    Index("items_by_content", "collection_id", "content_hash"),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("collection_id", ForeignKey("collections.id"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index("tombstones_by_sequence", "collection_id", "sequence"),
)

sources = Table(
    "sources",
    metadata,
    Column("collection_id", ForeignKey("collections.id"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("content_hash", String(128)),
    Column("failure", Text),
    Column("code", String(64)),
)

# Unescaped, because SQLite before 3.45 compares names as they are written; NaN is no JSON.
_to_json = partial(json.dumps, ensure_ascii=False, allow_nan=False)

OLD_KEY: BindParameter[int] = bindparam("old_key")
"""The key of a row that is updated, where many are updated at once."""


def open_engine(url: str) -> Engine:
    """Open the database and make its tables if they are not there.

    Raises:
        InputError: the URL cannot be understood.
        StorageFullError: there is no room to open it.
        StoreError: it cannot be opened, or another version of Nearfield wrote it.
    """
    try:
        parsed = make_url(url)
        engine = create_engine(parsed, json_serializer=_to_json)
    except (SQLAlchemyError, ImportError) as error:
        raise InputError(f"the catalog URL cannot be used: {error}") from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise InputError("the catalog must be a file: each thread would see another memory")
        _teach_sqlite(engine)
    try:
        _prepare(engine, parsed)
    except SQLAlchemyError as error:
        engine.dispose()
        reason = reason_of(error)
        if is_full(error):
            raise StorageFullError(f"no room left to open the catalog {_named(parsed)}") from error
        if _sqlite_code(error).startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            reason += "; its folder must be writable, even to search"
        raise StoreError(f"the catalog {_named(parsed)} cannot be opened: {reason}") from error
    except StoreError:
        engine.dispose()
        raise
    return engine


def reason_of(error: SQLAlchemyError) -> str:
    """What the database says, in one line."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def is_full(error: SQLAlchemyError) -> bool:
    """Whether the database says that there is no room left."""
    # SQLite calls it an I/O error when it is the memory its processes share that cannot grow.
    code = _sqlite_code(error)
    return code in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE") or "No space left" in reason_of(error)


def _sqlite_code(error: SQLAlchemyError) -> str:
    return str(getattr(getattr(error, "orig", None), "sqlite_errorname", ""))


def _prepare(engine: Engine, url: URL) -> None:
    with engine.connect() as connection:
        is_new = not inspect(connection).has_table(numbers.name)
        is_foreign = is_new and bool(inspect(connection).get_table_names())
    if is_foreign:
        raise StoreError(f"{_named(url)} is a database of something else; choose another folder")
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if not inspect(connection).has_table(numbers.name):
            metadata.create_all(connection)
            first = [{"name": "schema", "value": SCHEMA}, {"name": "key", "value": 0}]
            connection.execute(insert(numbers), first)
        schema = connection.execute(
            select(numbers.c.value).where(numbers.c.name == "schema")
        ).scalar_one_or_none()
    if schema != SCHEMA:
        raise StoreError(
            f"{_named(url)} was written by another version of Nearfield (schema {schema}, this "
            f"version reads {SCHEMA}); use that version, or index into another folder"
        )


def _named(url: URL) -> str:
    return url.database or url.render_as_string(hide_password=True)


def _teach_sqlite(engine: Engine) -> None:
    """WAL so that readers never wait, FULL so that a commit is durable, explicit BEGIN."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin late and only for writes.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=10000")
        _turn_to_wal(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes", False)
        # Taking the write lock at once is what lets two writers take turns without deadlock.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _turn_to_wal(cursor: Any) -> None:
    """Have the file in WAL mode, which it keeps; another process may be turning it this moment."""
    deadline = time.monotonic() + 10
    while True:
        # Turning does not wait for a lock as everything else does, whatever busy_timeout says.
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
