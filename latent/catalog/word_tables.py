"""Words kept beside the items, in the same transactions: full-text search of SQLite or PostgreSQL.

Each dialect keeps, for every item, the content that `keywords` makes of it, and ranks by it. Every
method works on a connection of `database`, within its transaction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    column,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.sql import TableClause

from latent.catalog import keywords
from latent.catalog.database import CHUNK, STREAM, chunks, insert_rows, reason_of
from latent.catalog.keywords import Asked
from latent.catalog.rows import Condition, Entry
from latent.catalog.tables import items


class WordTable(ABC):
    """The words of all items of each collection."""

    @abstractmethod
    def make(self, connection: Connection, uid: str) -> None:
        """Begin the collection of this uid."""

    @abstractmethod
    def remove(self, connection: Connection, entry: Entry) -> None:
        """End a collection, if it was begun."""

    @abstractmethod
    def put(self, connection: Connection, entry: Entry, contents: Mapping[int, str]) -> None:
        """Keep contents by key, of keys that none are kept for."""

    @abstractmethod
    def drop(self, connection: Connection, entry: Entry, keys: Sequence[int]) -> None:
        """Forget keys."""

    @abstractmethod
    def ranking(
        self, entry: Entry, asked: Sequence[Asked], met: Sequence[Condition]
    ) -> Select[Any]:
        """A query for `key` and `score` of the items that have any of the words, best first.

        `met` are conditions on `items`, if there are any besides being of the collection.
        """

    @abstractmethod
    def kept(self, connection: Connection, entry: Entry) -> Iterator[tuple[int, str]]:
        """Keys, ascending, and their contents."""

    def damage(self, connection: Connection, entry: Entry) -> str | None:
        """What the database itself finds wrong."""
        return None

    def fill(self, connection: Connection, entry: Entry) -> None:
        """Keep the words of all items there are, in a collection that has none."""
        for chunk in chunks(items_with_contents(connection, entry), CHUNK):
            self.put(connection, entry, dict(chunk))


def words_of(dialect: str) -> WordTable:
    """The words as this database keeps them."""
    return PostgresqlWords() if dialect == "postgresql" else SqliteWords()


def items_with_contents(connection: Connection, entry: Entry) -> Iterator[tuple[int, str]]:
    """The key of every item, ascending, with the content that it should have."""
    query = (
        select(items.c.key, items.c.text, items.c.uri, items.c.metadata)
        .where(items.c.collection_id == entry.id)
        .order_by(items.c.key)
    )
    for row in connection.execute(query, execution_options={"yield_per": STREAM}):
        yield row.key, keywords.content(row.text, row.uri, row.metadata)


class SqliteWords(WordTable):
    """An FTS5 table for each collection, so that how rare a word is, is counted in it alone.

    Ranks by BM25. English words are found by their stems (Porter), other words as they are.
    """

    def make(self, connection: Connection, uid: str) -> None:
        connection.exec_driver_sql(
            f"CREATE VIRTUAL TABLE words_{uid} USING fts5(content, tokenize="
            "\"porter unicode61 remove_diacritics 2 categories 'L* M* N* Co'\")"
        )

    def remove(self, connection: Connection, entry: Entry) -> None:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS words_{entry.uid}")

    def put(self, connection: Connection, entry: Entry, contents: Mapping[int, str]) -> None:
        # Not OR REPLACE: FTS5 would look for each key in two tables before it takes it.
        name, columns = f"words_{entry.uid}", ("rowid", "content")
        insert_rows(connection, name, columns, list(contents.items()))

    def drop(self, connection: Connection, entry: Entry, keys: Sequence[int]) -> None:
        if keys:
            sql = text(f"DELETE FROM words_{entry.uid} WHERE rowid = :k")
            connection.execute(sql, [{"k": key} for key in keys])

    def ranking(
        self, entry: Entry, asked: Sequence[Asked], met: Sequence[Condition]
    ) -> Select[Any]:
        words = _fts5(entry)
        query = select(words.c.rowid.label("key"), (-words.c.rank).label("score"))
        if met:
            # The + keeps SQLite from asking the words once for each item.
            is_its = items.c.key == literal_column(f"+{words.name}.rowid")
            query = query.select_from(words.join(items, is_its)).where(*met)
        said = " OR ".join(map(_as_fts5, asked))
        query = query.where(words.c[words.name].op("MATCH")(said))
        return query.order_by(words.c.rank, words.c.rowid)

    def kept(self, connection: Connection, entry: Entry) -> Iterator[tuple[int, str]]:
        words = _fts5(entry)
        query = select(words.c.rowid, words.c.content).order_by(words.c.rowid)
        for row in connection.execute(query, execution_options={"yield_per": STREAM}):
            yield row.rowid, row.content

    def damage(self, connection: Connection, entry: Entry) -> str | None:
        name = f"words_{entry.uid}"
        try:
            connection.exec_driver_sql(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")
        except DatabaseError as error:
            return reason_of(error)
        return None


def _fts5(entry: Entry) -> TableClause:
    name = f"words_{entry.uid}"
    return table(name, *map(column, ("content", "rowid", "rank", name)))


def _as_fts5(asked: Asked) -> str:
    """In quotes nothing is syntax, and words are never quotes."""
    return f'"{" ".join(asked.parts)}"' + ("*" if asked.goes_on else "")


class PostgresqlWords(WordTable):
    """One table with a `tsvector` of its contents, made when the catalog is. Ranks by `ts_rank`."""

    def make(self, connection: Connection, uid: str) -> None:
        pass

    def remove(self, connection: Connection, entry: Entry) -> None:
        connection.execute(delete(_words).where(_words.c.collection_id == entry.id))

    def put(self, connection: Connection, entry: Entry, contents: Mapping[int, str]) -> None:
        if contents:
            rows = [
                {"key": key, "collection_id": entry.id, "content": one}
                for key, one in contents.items()
            ]
            connection.execute(insert(_words), rows)

    def drop(self, connection: Connection, entry: Entry, keys: Sequence[int]) -> None:
        for chunk in chunks(keys, CHUNK):
            connection.execute(delete(_words).where(_words.c.key.in_(chunk)))

    def ranking(
        self, entry: Entry, asked: Sequence[Asked], met: Sequence[Condition]
    ) -> Select[Any]:
        said = func.to_tsquery(literal_column("'english'"), " | ".join(map(_as_tsquery, asked)))
        score = func.ts_rank(_words.c.found_by, said, 1)  # 1: long contents count for less
        query = select(_words.c.key, score.label("score"))
        if met:
            is_its = items.c.key == _words.c.key
            query = query.select_from(_words.join(items, is_its)).where(*met)
        query = query.where(_words.c.collection_id == entry.id, _words.c.found_by.op("@@")(said))
        return query.order_by(score.desc(), _words.c.key)

    def kept(self, connection: Connection, entry: Entry) -> Iterator[tuple[int, str]]:
        query = select(_words.c.key, _words.c.content).where(_words.c.collection_id == entry.id)
        query = query.order_by(_words.c.key)
        for row in connection.execute(query, execution_options={"yield_per": STREAM}):
            yield row.key, row.content


POSTGRESQL_WORDS = (
    """CREATE TABLE words (
    key bigint PRIMARY KEY, collection_id bigint NOT NULL, content text NOT NULL,
    found_by tsvector GENERATED ALWAYS AS (to_tsvector('english', content)) STORED)""",
    "CREATE INDEX words_by_collection ON words (collection_id, key)",
    "CREATE INDEX words_by_word ON words USING gin (found_by)",
)
"""What makes the table of `PostgresqlWords`."""

_words = table(
    "words", column("key"), column("collection_id"), column("content"), column("found_by")
)


def _as_tsquery(asked: Asked) -> str:
    parts = [f"'{part}'" for part in asked.parts]
    return "(" + " <-> ".join([*parts[:-1], parts[-1] + (":*" if asked.goes_on else "")]) + ")"


def differences(
    kept: Iterator[tuple[int, str]], expected: Iterator[tuple[int, str]]
) -> tuple[list[int], list[int]]:
    """Keys whose contents are not kept as expected, and keys kept that are not expected."""
    amiss: list[int] = []
    strangers: list[int] = []
    next_kept = next(kept, None)
    for key, content in expected:
        while next_kept is not None and next_kept[0] < key:
            strangers.append(next_kept[0])
            next_kept = next(kept, None)
        if next_kept != (key, content):
            amiss.append(key)
        if next_kept is not None and next_kept[0] == key:
            next_kept = next(kept, None)
    if next_kept is not None:
        strangers += [next_kept[0], *(key for key, _ in kept)]
    return amiss, strangers
