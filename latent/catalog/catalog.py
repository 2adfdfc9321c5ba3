"""The catalog: the truth about every collection, in one SQL database.

Each item is stored with its vector and the words it is found by; one transaction writes all, and
its commit is the acknowledgement. Every write takes the next number of its collection's sequence,
deletes leave a tombstone with that number, so anyone can ask what changed since. `writes` says what
a write does. Knows nothing about indexes and models.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict

import numpy as np
from sqlalchemy import Connection, Engine, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from latent.catalog import (
    checksums,
    field_cells,
    fields,
    gone,
    keywords,
    names,
    reads,
    tables,
    vector_table,
    writes,
)
from latent.catalog.changes import (
    Cells,
    Change,
    Changes,
    Content,
    Counts,
    Everything,
    Match,
    Origin,
    Wanted,
    Written,
)
from latent.catalog.database import STREAM, fetched, reading, writing
from latent.catalog.heads import Heads
from latent.catalog.kept import KeptItems
from latent.catalog.rows import Condition, Entry, conditions, to_source
from latent.catalog.tables import HAS_CONTENT, collections, items, sources, tombstones
from latent.catalog.word_tables import differences, items_with_contents, words_of
from latent.errors import InputError, UnknownCollectionError
from latent.filters.language import Filter
from latent.items import Item, Metadata, Modality, Source
from latent.space import Space


class Catalog:
    """Items, sources and collections. One transaction a call; safe from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._words = words_of(engine.dialect.name)
        self._heads = Heads(engine)
        self._kept = KeptItems()
        self._counts: dict[str, tuple[int, Counts]] = {}

    @property
    def url(self) -> str:
        """Where the database is, for another process to open it; it may hold a password."""
        return self._engine.url.render_as_string(hide_password=False)

    def close(self) -> None:
        """Let go of every connection."""
        self._heads.close()
        self._engine.dispose()

    # --- collections --------------------------------------------------------------------------

    def create(self, name: str, space: Space) -> Entry:
        """Make a collection.

        Raises:
            InputError: there is one of that name.
        """
        described = asdict(space) | {"modalities": sorted(space.modalities)}
        uid = secrets.token_hex(8)
        row = {"uid": uid, "name": name, "space": described, "sequence": 0}
        with self._writing() as connection:
            try:
                connection.execute(insert(collections).values(row))
            except IntegrityError as error:
                raise InputError(f"there is a collection {name!r} already") from error
            self._words.make(connection, uid)
        return self.entry(name)

    def entry(self, name: str) -> Entry:
        """The collection of that name.

        Raises:
            UnknownCollectionError: there is none; names those there are.
        """
        entries = self.entries()
        for entry in entries:
            if entry.name == name:
                return entry
        raise UnknownCollectionError(name, [entry.name for entry in entries])

    def entry_of(self, uid: str) -> Entry:
        """The collection that is known by this, whatever its name.

        Raises:
            UnknownCollectionError: it was deleted.
        """
        entry = self._heads.entries().get(uid)
        if entry is None:
            raise UnknownCollectionError(uid)
        return entry

    def entries(self) -> list[Entry]:
        """Every collection, by name."""
        return list(self._heads.entries().values())

    def name_of(self, entry: Entry) -> str:
        """What a collection goes by now; if it was deleted, what it went by."""
        return self._heads.entries().get(entry.uid, entry).name

    def exchange(self, first: Entry, second: Entry) -> None:
        """Let each of two collections go by the other's name, in one transaction.

        Raises:
            UnknownCollectionError: one was deleted, or goes by another name by now.
        """
        with self._writing() as connection:
            names.exchange(connection, first, second)

    def remove(self, entry: Entry) -> None:
        """Delete a collection and all that is in it."""
        self._counts.pop(entry.uid, None)
        with self._writing() as connection:
            self._words.remove(connection, entry)
            vector_table.drop_all(connection, entry.id)
            for table in (items, sources, tombstones, tables.fields):
                connection.execute(delete(table).where(table.c.collection_id == entry.id))
            connection.execute(delete(collections).where(collections.c.id == entry.id))

    def at_one_moment(self) -> AbstractContextManager[None]:
        """Have this thread go by the collections as they are when it first asks for one.

        To ask the database whether anybody has written since costs as much as a small search, and a
        question would ask eight times. What is committed meanwhile is seen by the next block.
        """
        return self._heads.at_one_moment()

    def look_again(self) -> None:
        """Within `at_one_moment`, begin another moment: items that were read are newer."""
        self._heads.look_again()

    def sequence(self, entry: Entry) -> int:
        """The number of the last write.

        Raises:
            UnknownCollectionError: the collection was deleted meanwhile.
        """
        return self._now(entry).sequence

    def quantisation(self, entry: Entry) -> str:
        """The codes the collection is to be searched by.

        Raises:
            UnknownCollectionError: the collection was deleted meanwhile.
        """
        return self._now(entry).quantisation

    def quantise(self, entry: Entry, quantisation: str) -> None:
        """Have the collection searched by other codes, from its next snapshot on.

        It takes a number of the sequence like any write, so that this snapshot is a later one.

        Raises:
            UnknownCollectionError: the collection was deleted meanwhile.
        """
        with self._writing() as connection:
            changed = connection.execute(
                update(collections)
                .where(collections.c.uid == entry.uid)
                .values(quantisation=quantisation, sequence=collections.c.sequence + 1)
            )
            if not changed.rowcount:
                raise UnknownCollectionError(entry.name)

    def _now(self, entry: Entry) -> Entry:
        now = self._heads.entries().get(entry.uid)
        if now is None:
            raise UnknownCollectionError(entry.name)
        return now

    def counts(self, entry: Entry) -> Counts:
        """How many items of each modality, and how many sources failed.

        Counted again only when somebody has written: whoever watches a service asks all day.
        """
        sequence, counts = self._counts.get(entry.uid, (-1, Counts()))
        if sequence != self.sequence(entry):
            sequence, counts = self._counted(entry)
            self._counts[entry.uid] = sequence, counts
        return counts

    def _counted(self, entry: Entry) -> tuple[int, Counts]:
        """The counts, and the number of the sequence at which they hold."""
        by_modality = (
            select(items.c.modality, func.count())
            .where(items.c.collection_id == entry.id)
            .group_by(items.c.modality)
        )
        failed = select(func.count()).where(
            sources.c.collection_id == entry.id, sources.c.failure.is_not(None)
        )
        with self._reading() as connection:
            number = reads.sequence(connection, entry)
            found = {row[0]: row[1] for row in connection.execute(by_modality)}
            broken = connection.execute(failed).scalar_one()
        return number, Counts(found.get(Modality.IMAGE, 0), found.get(Modality.TEXT, 0), broken)

    # --- writing ------------------------------------------------------------------------------

    def write(self, entry: Entry, change: Change) -> Written:
        """Apply a change in one transaction; when this returns it is durable.

        Raises:
            StorageFullError: there is no room; nothing of the change was kept.
            UnknownCollectionError: the collection was deleted meanwhile.
        """
        with self._writing() as connection:
            written = writes.apply(connection, entry, change, self._words)
        number, changed = written.sequence, np.concatenate([written.keys, written.dropped])
        self._kept.follow(entry.uid, number - 1, number, changed)
        return written

    # --- reading ------------------------------------------------------------------------------

    def find(self, entry: Entry, ids: Sequence[str]) -> dict[str, Item]:
        """Those of the items that exist, by id."""
        with self._reading() as connection:
            found = reads.having(connection, entry, items.c.id, ids).values()
        return {item.id: item for item in found}

    def by_key(self, entry: Entry, keys: Iterable[int]) -> dict[int, Item]:
        """Those of the items that exist, by key, in order of keys."""
        wanted = sorted(keys)
        sequence = self.sequence(entry)  # asked first: what is written meanwhile is not mistaken
        found = self._kept.known(entry.uid, sequence, wanted)
        if missing := [key for key in wanted if key not in found]:
            read = reads.by_key_at_once(self._engine, entry, missing)
            self._kept.keep(entry.uid, sequence, read)
            found |= read
        return {key: found[key] for key in wanted if key in found}

    def keys(self, entry: Entry, ids: Sequence[str]) -> dict[str, int]:
        """The keys of those of the items that exist."""
        with self._reading() as connection:
            return writes.keys_of(connection, entry, items.c.id, ids)

    def origins(self, entry: Entry, ids: Sequence[str]) -> dict[str, Origin]:
        """Source and URI of those of the items that exist, by id."""
        with self._reading() as connection:
            return reads.origins(connection, entry, ids)

    def with_content(self, entry: Entry, hashes: Sequence[str]) -> dict[str, list[Item]]:
        """Items by content hash, of one source each, in passage order."""
        with self._reading() as connection:
            known = reads.having(connection, entry, items.c.content_hash, hashes, HAS_CONTENT)
        found: dict[str, list[Item]] = {}
        for _, item in sorted(known.items()):
            if item.content_hash is None:
                continue
            alike = found.setdefault(item.content_hash, [])
            if not alike or alike[0].source == item.source:
                alike.append(item)
        for alike in found.values():
            alike.sort(key=lambda item: item.passage.number if item.passage else 0)
        return found

    def hashes_of(self, entry: Entry, source: str) -> dict[str, str | None]:
        """Content hash of every item of one source, by id."""
        query = select(items.c.id, items.c.content_hash).where(
            items.c.collection_id == entry.id, items.c.source == source
        )
        with self._reading() as connection:
            return {row.id: row.content_hash for row in connection.execute(query)}

    def scroll(
        self,
        entry: Entry,
        limit: int,
        *,
        after: str | None = None,
        where: Filter | None = None,
        modality: Modality | None = None,
    ) -> list[Item]:
        """Up to `limit` items in order of arrival, those behind the item `after`."""
        query = select(items)
        if after is not None:
            found = self.keys(entry, [after])
            if after not in found:
                raise InputError(f"the item {after!r} this page starts behind is gone; start again")
            query = query.where(items.c.key > found[after])
        with self._reading() as connection:
            query = query.where(*self._conditions(connection, entry, where, modality))
            rows = fetched(connection, query.order_by(items.c.key).limit(limit))
            return list(reads.with_vectors(connection, entry, rows).values())

    def count(
        self, entry: Entry, *, where: Filter | None = None, modality: Modality | None = None
    ) -> int:
        """How many items match."""
        query = select(func.count()).select_from(items)
        with self._reading() as connection:
            query = query.where(*self._conditions(connection, entry, where, modality))
            return connection.execute(query).scalar_one()

    def matching(
        self, entry: Entry, *, where: Filter | None = None, modality: Modality | None = None
    ) -> Match:
        """The keys of all items that match, and the sequence at which they did."""
        with self._reading() as connection:
            number = reads.sequence(connection, entry)
            met = self._conditions(connection, entry, where, modality)
            return Match(number, reads.keys_where(connection, met))

    def cells(
        self, entry: Entry, since: int, wanted: Sequence[Wanted], *, fresh: Sequence[Wanted] = ()
    ) -> tuple[Cells, Cells | None]:
        """Fields of what changed after `since`, and `fresh` ones of all items, at one moment."""
        with self._reading() as connection:
            changed = field_cells.read(connection, entry, since, wanted)
            return changed, field_cells.read(connection, entry, 0, fresh) if fresh else None

    def refuse_unknown(self, entry: Entry, where: Filter) -> set[str]:
        """Refuse a filter on a field that no item has had; an empty collection refuses nothing.

        Gives the fields that are known, if the filter asks for any.

        Raises:
            FilterError: naming the field and those there are.
        """
        with self._reading() as connection:
            return fields.refuse_unknown(connection, entry, where)

    # --- words --------------------------------------------------------------------------------

    def ranked(
        self,
        entry: Entry,
        question: str,
        k: int,
        *,
        where: Filter | None = None,
        modality: Modality | None = None,
        prefix: bool = False,
    ) -> list[tuple[Item, float]]:
        """The k items that say the words of a question best, with their rank scores."""
        asked = keywords.asked_in(question, prefix=prefix)
        if not asked or k <= 0:
            return []
        with self._reading() as connection:
            is_all = where is None and modality is None
            met = [] if is_all else self._conditions(connection, entry, where, modality)
            query = self._words.ranking(entry, asked, met).limit(k)
            scores = {row.key: float(row.score) for row in connection.execute(query)}
            found = reads.by_key(connection, entry, scores)
        return [(found[key], score) for key, score in scores.items()]

    def word_flaws(self, entry: Entry) -> list[str]:
        """Every difference between the items and the words they are found by, one line each."""
        with self._writing() as connection:  # the database takes its own check for a write
            if damage := self._words.damage(connection, entry):
                return [f"the words of the collection are damaged: {damage}"]
            kept = self._words.kept(connection, entry)
            amiss, strangers = differences(kept, items_with_contents(connection, entry))
            named = {key: item.id for key, item in reads.by_key(connection, entry, amiss).items()}
        found = [f"item {named[key]} is not found by its words" for key in amiss]
        return found + [f"words are kept for key {key}, which is no item" for key in strangers]

    def rebuild_words(self, entry: Entry) -> None:
        """Make the words of all items anew.

        Raises:
            UnknownCollectionError: the collection was deleted meanwhile.
        """
        with self._writing() as connection:
            reads.sequence(connection, entry)
            self._words.remove(connection, entry)
            self._words.make(connection, entry.uid)
            self._words.fill(connection, entry)

    def sources(self, entry: Entry, under: str | None = None) -> dict[str, Source]:
        """Sources by path: `under` itself and what lies below it, or all."""
        query = select(sources).where(sources.c.collection_id == entry.id)
        if under is not None:
            below = under.rstrip("/") + "/"
            is_below = func.substr(sources.c.path, 1, len(below)) == below
            query = query.where(or_(sources.c.path == under, is_below))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(sources.c.path)).all()
        return {row.path: to_source(row) for row in rows}

    def failures(self, entry: Entry, limit: int, offset: int = 0) -> list[Source]:
        """Sources that could not be read, by path: `limit` of them behind the first `offset`."""
        query = (
            select(sources)
            .where(sources.c.collection_id == entry.id, sources.c.failure.is_not(None))
            .order_by(sources.c.path)
        )
        with self._reading() as connection:
            return [to_source(row) for row in connection.execute(query.limit(limit).offset(offset))]

    # --- for the index ------------------------------------------------------------------------

    def changes_since(self, entry: Entry, sequence: int) -> Changes:
        """All that changed after `sequence`, seen at one moment; from 0, everything there is.

        Everything as well where it is no longer known what was dropped since then.
        """
        with self._reading() as connection:
            went = gone.since(connection, entry, sequence)
            if went.is_whole:
                keys = reads.keys_where(connection, (items.c.collection_id == entry.id,))
                vectors = vector_table.read(connection, keys, entry.space.dim)
                return Changes(went.sequence, keys, vectors, went.keys, is_whole=True)
            keys, are_images = reads.changed_since(connection, entry, sequence)
            vectors = vector_table.read(connection, keys, entry.space.dim)
        self._kept.follow(entry.uid, sequence, went.sequence, np.concatenate([keys, went.keys]))
        return Changes(went.sequence, keys, vectors, went.keys, are_images=are_images)

    def is_followed_from(self, entry: Entry, sequence: int) -> bool:
        """Whether all that was dropped after `sequence` is still known.

        Raises:
            UnknownCollectionError: the collection was deleted meanwhile.
        """
        return self._now(entry).pruned <= sequence

    def prune(self, entry: Entry, until: int) -> None:
        """Forget which items were dropped up to a number of the sequence."""
        is_more = until > 0
        while is_more:
            with self._writing() as connection:
                is_more = gone.prune(connection, entry, until)

    def written_since(self, entry: Entry, sequence: int) -> tuple[int, int]:
        """How many items changed or went after `sequence`, and how many there are."""
        its = select(func.count()).where(items.c.collection_id == entry.id)
        gone = select(func.count()).where(
            tombstones.c.collection_id == entry.id, tombstones.c.sequence > sequence
        )
        with self._reading() as connection:
            changed = connection.execute(its.where(items.c.sequence > sequence)).scalar_one()
            dropped = connection.execute(gone).scalar_one()
            return changed + dropped, connection.execute(its).scalar_one()

    @contextmanager
    def everything(self, entry: Entry) -> Iterator[Everything]:
        """All vectors there are, in order of keys, for one who does not hold them at once."""
        with self._reading() as connection:
            number = reads.sequence(connection, entry)
            keys = reads.keys_where(connection, (items.c.collection_id == entry.id,))
            parts = vector_table.streamed(connection, keys, entry.space.dim)
            yield Everything(number, keys, (part for _, part in parts))

    # --- for copies ---------------------------------------------------------------------------

    def contents(self, entry: Entry) -> Iterator[Content]:
        """What tells every item from its copies, in order of arrival, seen at one moment."""
        columns = (items.c.key, items.c.id, items.c.modality, items.c.content_hash)
        query = (
            select(*columns, items.c.picture_hash, items.c.text)
            .where(items.c.collection_id == entry.id)
            .order_by(items.c.key)
        )
        with self._reading() as connection:
            for row in connection.execute(query, execution_options={"yield_per": STREAM}):
                yield Content(row.key, row.id, Modality(row.modality), *row[3:])

    def facts(
        self, entry: Entry, *, where: Filter | None = None, modality: Modality | None = None
    ) -> Iterator[tuple[Modality, Metadata]]:
        """Modality and metadata of every item that matches, seen at one moment."""
        query = select(items.c.modality, items.c.metadata)
        with self._reading() as connection:
            query = query.where(*self._conditions(connection, entry, where, modality))
            for row in connection.execute(query, execution_options={"yield_per": STREAM}):
                yield Modality(row.modality), row.metadata

    def picture_hashes(self, entry: Entry) -> tuple[int, list[int], list[str]]:
        """The sequence, and key and hash of every picture whose hash says something."""
        query = select(items.c.key, items.c.picture_hash).where(
            items.c.collection_id == entry.id, items.c.picture_hash != ""
        )
        with self._reading() as connection:
            number = reads.sequence(connection, entry)
            rows = connection.execute(query).all()
        return number, [row.key for row in rows], [str(row.picture_hash) for row in rows]

    def flaws(self) -> list[str]:
        """What is wrong with the database itself, whatever the collection, one line each."""
        with self._reading() as connection:
            strays = vector_table.strays(connection)
            lines: Sequence[str] = ()
            if connection.dialect.name == "sqlite":
                lines = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
        found = [f"catalog: {line}" for line in lines if line != "ok"]
        return found + [f"a vector is kept for key {key}, which is no item" for key in strays]

    def harmed(self, entry: Entry) -> list[str]:
        """The ids of items that are not as they were written."""
        with self._reading() as connection:
            return list(checksums.harmed(connection, entry.id))

    def drop_strays(self) -> None:
        """Forget vectors that belong to no item."""
        with self._writing() as connection:
            vector_table.drop(connection, vector_table.strays(connection))

    # --- inside -------------------------------------------------------------------------------

    def _conditions(
        self,
        connection: Connection,
        entry: Entry,
        where: Filter | None,
        modality: Modality | None,
    ) -> list[Condition]:
        if where is not None:
            fields.refuse_unknown(connection, entry, where)
        return conditions(entry, where, modality, dialect=connection.dialect.name)

    def _reading(self) -> AbstractContextManager[Connection]:
        return reading(self._engine)

    def _writing(self) -> AbstractContextManager[Connection]:
        return writing(self._engine)
