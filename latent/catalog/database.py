"""How the database of the catalog is opened, and how transactions are held in it.

What the database raises becomes an error of ours here, once. Knows nothing about what the tables
hold.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, Engine, Executable, TextClause, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError, StatementError

from latent.errors import InputError, StorageFullError, StoreError
from latent.filters import geo
from latent.filters.sqlite import WITHIN

# SQLite takes at most 32,766 parameters in a statement; far fewer are as fast.
CHUNK = 500
STREAM = 2_000
TOGETHER = 2_048  # rows that one statement inserts; SQLite takes 32,766 parameters or more
PAGE = 8_192  # bytes: vectors of 384 and 512 numbers leave little of it empty
LOG = 4_000  # pages of the log, 32 MB, before they are copied: pages change often in a load
UNWRITTEN = 4_000  # pages that a transaction may have changed before it writes any of them
PATIENCE_MS = 10_000  # how long a writer waits for its turn

# Unescaped, because SQLite before 3.45 compares names as they are written; NaN is no JSON.
to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

_AMONG = {
    "sqlite": "SELECT value FROM json_each(:{})",
    "postgresql": "SELECT CAST(jsonb_array_elements_text(CAST(:{} AS jsonb)) AS {})",
}
_AS_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

T = TypeVar("T")


def connect(url: str) -> Engine:
    """An engine for the database; opens nothing yet.

    Raises:
        InputError: the URL cannot be understood, or leads to a database of another make.
    """
    try:
        parsed = make_url(url)
        make = parsed.get_backend_name()
        if make not in ("sqlite", "postgresql"):
            raise InputError(f"the catalog may lie in SQLite or PostgreSQL, not in {make}")
        # By name, because conditions use a parameter many times and SQLite counts the places.
        style = {"paramstyle": "named"} if make == "sqlite" else {}
        engine = create_engine(parsed, json_serializer=to_json, **style)
    except (SQLAlchemyError, ImportError) as error:
        raise InputError(f"the catalog URL cannot be used: {error}") from error
    if make == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise InputError("the catalog must be a file: each thread would see another memory")
        _teach_sqlite(engine)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees everything at one moment. Raises as `translated`."""
    with translated(), engine.connect() as connection:
        if engine.dialect.name != "sqlite":  # which gives it by itself
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine, *, patience_ms: int | None = None) -> Iterator[Connection]:
    """A transaction that writes, after waiting for its turn. Raises as `translated`."""
    with translated(), engine.connect() as connection:
        connection = connection.execution_options(writes=True, patience_ms=patience_ms)
        with connection.begin():
            yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database raises into a StoreError, or what it cannot take into an InputError.

    Once, here.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        raise InputError("a text holds half a character (a lone surrogate)") from error
    except ValueError as error:  # a row that somebody or something has damaged
        raise StoreError(f"the catalog holds a row that cannot be read: {error}") from error
    except SQLAlchemyError as error:
        reason = reason_of(error)
        cause = error.orig if isinstance(error, StatementError) else None
        if isinstance(cause, TypeError | ValueError | RecursionError):  # raised before it was sent
            raise InputError(f"metadata that JSON cannot hold: {reason}") from error
        if is_full(error):
            raise StorageFullError(f"no room left to write the catalog: {reason}") from error
        raise StoreError(f"the catalog failed: {reason}") from error
    except sqlite3.Error as error:  # of rows that were fetched without SQLAlchemy
        raise StoreError(f"the catalog failed: {error}") from error


def insert_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    others: str = "",
) -> None:
    """Insert rows as the driver takes them: several times faster where there are thousands.

    `others` says what becomes of those that are there already.
    """
    sign = "%s" if connection.dialect.name == "postgresql" else "?"
    row = f"({', '.join([sign] * len(columns))})"
    into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
    # Between two statements the driver waits for its turn among the threads of Python: one for
    # each row would have it wait for whoever is making the next rows ready.
    whole = len(rows) - len(rows) % TOGETHER
    many = f"{into} {', '.join([row] * TOGETHER)} {others}"
    for start in range(0, whole, TOGETHER):
        some = tuple(chain.from_iterable(rows[start : start + TOGETHER]))
        connection.exec_driver_sql(many, some)
    if whole < len(rows):
        connection.exec_driver_sql(f"{into} {row} {others}", list(rows[whole:]))


def among(dialect: str, name: str, kind: str) -> str:
    """A subquery for all values of the JSON array that the parameter `name` is.

    One parameter for all values: one each would take longer to write than to answer. `kind` is what
    PostgreSQL calls them.
    """
    return _AMONG[dialect].format(name, kind)


def listed(values: Iterable[int | str]) -> str:
    """Values for `among`. A text with a NUL is in no row, and JSON in SQLite would end there."""
    return to_json([one for one in values if not isinstance(one, str) or "\0" not in one])


def written(value: object) -> str:
    """JSON as the catalog keeps it.

    Raises:
        TypeError, ValueError, RecursionError: JSON cannot hold it.
    """
    try:
        plain = orjson.dumps(value, option=_AS_PLAIN)
    except TypeError:  # a number beyond 64 bits, say, which JSON can hold
        return to_json(value)
    # What is no number is written as null, where it should be refused.
    return to_json(value) if b"null" in plain else plain.decode()


def fetched(
    connection: Connection, query: Executable, given: Mapping[str, Any] | None = None
) -> Sequence[Any]:
    """All rows of a query as `plain_rows` gives them."""
    result = connection.execute(query, given)
    rows: Sequence[Any] = () if result.cursor is None else result.cursor.fetchall()
    result.close()
    return rows


def fetched_at_once(engine: Engine, query: str, given: Mapping[str, Any]) -> Sequence[Any]:
    """All rows of one statement as `plain_rows` gives them; it sees everything at one moment.

    A transaction around it would cost several times as much as finding a few rows. Errors are to be
    `translated`.
    """
    if engine.dialect.name != "sqlite":
        with reading(engine) as connection:
            return fetched(connection, text(query), given)
    with closing(engine.raw_connection()) as raw:
        rows: Sequence[Any] = raw.execute(query, given).fetchall()
        return rows


def plain_rows(
    connection: Connection, query: TextClause, given: Mapping[str, Any], size: int
) -> Iterator[Sequence[Any]]:
    """The rows of a query, so many at a time, as the driver has them: several times faster."""
    result = connection.execute(query, given)
    while result.cursor is not None and (rows := result.cursor.fetchmany(size)):
        yield rows
    result.close()


def reason_of(error: SQLAlchemyError) -> str:
    """What the database says, in one line."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def is_full(error: SQLAlchemyError) -> bool:
    """Whether the database says that there is no room left."""
    # SQLite calls it an I/O error when it is the memory its processes share that cannot grow.
    code = sqlite_code(error)
    return code in ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE") or "No space left" in reason_of(error)


def sqlite_code(error: SQLAlchemyError) -> str:
    return str(getattr(getattr(error, "orig", None), "sqlite_errorname", ""))


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """The values, so many at a time."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _teach_sqlite(engine: Engine) -> None:
    """WAL so that readers never wait, FULL so that a commit is durable, explicit BEGIN."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin late and only for writes.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
        cursor.execute(f"PRAGMA page_size={PAGE}")  # of a file that is made by this
        _turn_to_wal(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA wal_autocheckpoint={LOG}")
        cursor.execute(f"PRAGMA cache_spill={UNWRITTEN}")
        cursor.close()
        connection.create_function(WITHIN, 3, geo.is_within, deterministic=True)

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        options = connection.get_execution_options()
        raw = connection.connection.driver_connection
        raw.execute(f"PRAGMA busy_timeout={options.get('patience_ms') or PATIENCE_MS}")
        # Taking the write lock at once is what lets two writers take turns without deadlock.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")


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
