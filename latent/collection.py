"""A collection: a named set of items in one space, its catalog and its index kept in step.

The only writer of either. A write goes to the catalog first, whose commit is the acknowledgement,
then into the index in memory. A process that did not write itself asks the catalog, before each
search, what changed since. Knows nothing about files to crawl, models or the web.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from latent import snapshot
from latent.catalog import Catalog
from latent.changes import Change, Changes, Written
from latent.errors import UnknownCollectionError, UnknownItemError
from latent.faiss_index import FaissIndex, Kind, build, empty_base
from latent.items import JSON, Hit, Item, Modality, Source, Vector
from latent.rows import Entry, Where
from latent.snapshot import Snapshot
from latent.space import Space, unit_rows
from latent.vectors import Keys


@dataclass(frozen=True, slots=True)
class Limits:
    """When a collection gets a graph, when a new snapshot, and with how many threads."""

    exact: int = 50_000
    delta: int = 5_000
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Summary:
    """What a collection holds; `index` says how it is searched."""

    name: str
    space: Space
    items: int
    images: int
    texts: int
    failed: int
    sequence: int
    index: dict[str, JSON]


class _Served:
    """An index that is searched, the snapshot under it, and the sequence it has followed to."""

    def __init__(self, dim: int, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        self.sequence = snapshot.sequence if snapshot else 0
        self.index = FaissIndex(snapshot.base if snapshot else empty_base(dim))

    def take(self, changes: Changes) -> None:
        """Take in what changed since."""
        if len(changes.keys):
            self.index.add(changes.keys, changes.vectors)
        if len(changes.dropped):
            self.index.drop(changes.dropped)
        self.sequence = changes.sequence


class Collection:
    """Items by id, and the nearest of them. Safe among threads and beside other processes."""

    def __init__(self, catalog: Catalog, entry: Entry, folder: Path, limits: Limits) -> None:
        self._catalog = catalog
        self._entry = entry
        self._folder = folder
        self._limits = limits
        self._following = threading.Lock()
        self._served: _Served | None = None

    @property
    def name(self) -> str:
        return self._entry.name

    @property
    def sequence(self) -> int:
        """The number of the last write."""
        return self._catalog.sequence(self._entry)

    @property
    def space(self) -> Space:
        """The space all items are in."""
        return self._entry.space

    # --- live items ---------------------------------------------------------------------------

    def put(self, items: Sequence[Item]) -> int:
        """Store items, replacing those of the same id, in one transaction; gives the sequence.

        Raises:
            SpaceMismatchError, InputError: a vector does not belong here; nothing was stored.
            StorageFullError: there is no room; nothing was stored.
        """
        return self._write(Change(put=self._placed(items))).sequence

    def drop(self, ids: Sequence[str]) -> int:
        """Remove items by id in one transaction; gives how many were there."""
        return len(self._write(Change(drop=ids)).dropped)

    def find(self, ids: Sequence[str]) -> dict[str, Item]:
        """Those of the items that exist, by id."""
        return self._catalog.find(self._entry, ids)

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order asked.

        Raises:
            UnknownItemError: for the first that is not there.
        """
        found = self.find(ids)
        for item_id in ids:
            if item_id not in found:
                raise UnknownItemError(self.name, item_id)
        return [found[item_id] for item_id in ids]

    def scroll(
        self,
        limit: int,
        *,
        after: str | None = None,
        where: Where | None = None,
        modality: Modality | None = None,
    ) -> list[Item]:
        """Up to `limit` items in order of arrival, those behind the item `after`."""
        return self._catalog.scroll(self._entry, limit, after=after, where=where, modality=modality)

    def count(self, *, where: Where | None = None, modality: Modality | None = None) -> int:
        """How many items match."""
        return self._catalog.count(self._entry, where=where, modality=modality)

    def nearest(
        self,
        query: Vector,
        k: int,
        *,
        where: Where | None = None,
        modality: Modality | None = None,
        after: tuple[float, str] | None = None,
    ) -> list[Hit]:
        """The k nearest that match, best first, ties by arrival; fewer only if fewer match.

        `after` is score and id of a hit seen before: only hits behind it are given.

        Raises:
            SpaceMismatchError, InputError: the query is no vector of this space.
            FilterError: `where` cannot be understood.
        """
        unit = unit_rows(query, self.space.dim)[0]
        index = self._followed().index
        only: Keys | None = None
        if where or modality is not None:
            only = self._catalog.matching(self._entry, where=where, modality=modality)
        edge = self._edge(after)
        wanted = k
        while True:
            neighbours = index.search(unit[None, :], wanted, only=only)[0]
            behind = [n for n in neighbours if edge is None or (-n.score, n.key) > edge]
            items = self._catalog.by_key(self._entry, [n.key for n in behind])
            hits = [Hit(items[n.key], n.score) for n in behind if n.key in items]
            if len(hits) >= k or len(neighbours) < wanted:
                return hits[:k]
            # Some were seen on earlier pages, or dropped since the index was searched.
            wanted = max(2 * wanted, wanted + k)

    def _edge(self, after: tuple[float, str] | None) -> tuple[float, float] | None:
        if after is None:
            return None
        score, item_id = after
        key = self._catalog.keys(self._entry, [item_id]).get(item_id)
        # A last hit that is gone by now leaves only its score to go on from.
        return (-score, key if key is not None else float("inf"))

    def summary(self) -> Summary:
        """What the collection holds right now."""
        counts = self._catalog.counts(self._entry)
        served = self._followed()
        return Summary(
            name=self.name,
            space=self.space,
            items=counts.images + counts.texts,
            images=counts.images,
            texts=counts.texts,
            failed=counts.failed,
            sequence=served.sequence,
            index={
                "kind": served.index.kind.value,
                "snapshot": served.snapshot.sequence if served.snapshot else None,
                "delta": served.index.delta_size,
                "bytes": served.snapshot.bytes if served.snapshot else 0,
            },
        )

    # --- for the indexer ----------------------------------------------------------------------

    def sources(self, under: Path | None = None) -> dict[str, Source]:
        """Known sources by absolute path: `under` itself and everything below it, or all."""
        return self._catalog.sources(self._entry, None if under is None else str(under))

    def put_sources(self, contents: Sequence[tuple[Source, Sequence[Item]]]) -> int:
        """Store what was read in one transaction; what a source gave before and not now is dropped.

        A source with a failure is remembered with no items. Gives the sequence.
        """
        return self._write(
            Change(
                put=self._placed([item for _, items in contents for item in items]),
                sources=[source for source, _ in contents],
                replace=[source.path for source, _ in contents],
            )
        ).sequence

    def touch_sources(self, sources: Sequence[Source]) -> None:
        """Remember sources as they are now; their items stay as they are."""
        self._write(Change(sources=sources))

    def drop_sources(self, paths: Iterable[str]) -> int:
        """Forget sources and remove their items in one transaction; gives how many items went."""
        return len(self._write(Change(forget=list(paths))).dropped)

    def with_content(self, content_hashes: Sequence[str]) -> dict[str, list[Item]]:
        """Items by content hash, of one source each, in passage order; vectors to use again."""
        return self._catalog.with_content(self._entry, content_hashes)

    def hashes_of(self, source: str) -> dict[str, str | None]:
        """Content hash of every item of one source, by id."""
        return self._catalog.hashes_of(self._entry, source)

    # --- upkeep of the index ------------------------------------------------------------------

    def publish(self, *, least: int = 1, force: bool = False) -> bool:
        """Make a new snapshot if enough changed since the last one; gives whether it was made.

        Enough is a twentieth of the items, so that the work of building stays in proportion, and
        at least `least` (or the limit of the delta, if that is less). A snapshot that another
        process has made is taken over instead, and a process that is at it already is left to it.
        """
        served = self._adopted()
        if not (force or self._is_due(served.index, least)):
            return False
        self._make_folder()
        try:
            with FileLock(self._folder / "publish.lock", timeout=0):
                served = self._adopted()
                if not (force or self._is_due(served.index, least)):
                    return False
                self._publish()
        except Timeout:
            return False
        except OSError as error:
            raise snapshot.storage_error(error, self._folder) from error
        return True

    def _is_due(self, index: FaissIndex, least: int) -> bool:
        is_outgrown = index.kind is Kind.EXACT and len(index) > self._limits.exact
        enough = max(min(least, self._limits.delta), len(index) // 20)
        return is_outgrown or index.changes >= enough

    def verify(self) -> list[str]:
        """Every difference between catalog and index, one line each; empty when all is well."""
        found = self._catalog.flaws()
        truth, index = self._at_one_moment()
        found += snapshot.flaws(
            self._folder, fingerprint=self.space.fingerprint, until=truth.sequence
        )
        for key in truth.keys[~(np.abs(np.linalg.norm(truth.vectors, axis=1) - 1) < 1e-3)]:
            found.append(f"item {self._named(int(key))} has no unit vector in the catalog")
        keys, vectors = index.held()
        for key in np.setdiff1d(truth.keys, keys):
            found.append(f"item {self._named(int(key))} is missing from the index")
        for key in np.setdiff1d(keys, truth.keys):
            found.append(f"the index holds key {key}, which is no item")
        _, here, there = np.intersect1d(truth.keys, keys, return_indices=True)
        differs = (truth.vectors[here] != vectors[there]).any(axis=1)
        for key in truth.keys[here[differs]]:
            found.append(f"item {self._named(int(key))} has another vector in the index")
        return found

    def repair(self) -> None:
        """Throw away what is derived and make it anew from the catalog."""
        self._make_folder()
        with FileLock(self._folder / "publish.lock"), self._following:
            snapshot.discard(self._folder, keep=None)
            self._served = None
        self.publish(force=True)

    # --- inside -------------------------------------------------------------------------------

    def _placed(self, items: Sequence[Item]) -> list[Item]:
        if not items:
            return []
        for item in items:
            if item.vector.shape != (self.space.dim,):
                unit_rows(item.vector, self.space.dim)  # says what is wrong with it
        rows = unit_rows(np.stack([item.vector for item in items]), self.space.dim)
        return [replace(item, vector=row) for item, row in zip(items, rows, strict=True)]

    def _write(self, change: Change) -> Written:
        """Commit, then take it into the index; if others wrote between, the next search does."""
        written = self._catalog.write(self._entry, change)
        with self._following:
            served = self._served
            if served is not None and written.sequence == served.sequence + 1:
                rows = [item.vector for item in change.put]
                vectors = np.stack(rows) if rows else np.empty((0, self.space.dim), np.float32)
                served.take(Changes(written.sequence, written.keys, vectors, written.dropped))
        return written

    def _followed(self) -> _Served:
        """What is served, after everything committed so far."""
        with self._following:
            served = self._served
            if served is None:
                served = self._served = self._opened()
            elif self._catalog.sequence(self._entry) != served.sequence:
                self._catch_up(served)
            return served

    def _adopted(self) -> _Served:
        """What is served, after changing over to a snapshot that another process has published.

        It is opened and caught up while searches go on with the old one.
        """
        served = self._followed()
        held = served.snapshot.sequence if served.snapshot else 0
        if not any(sequence > held for sequence in snapshot.sequences(self._folder)):
            return served
        fresh = self._opened()
        if fresh.snapshot is None or fresh.snapshot.sequence <= held:
            return served
        with self._following:
            self._catch_up(fresh)
            self._served = fresh
        return fresh

    def _opened(self) -> _Served:
        """The newest snapshot, caught up with the catalog; served by nobody yet."""
        newest = snapshot.newest(
            self._folder,
            fingerprint=self.space.fingerprint,
            until=self._catalog.sequence(self._entry),
        )
        served = _Served(self.space.dim, newest)
        self._catch_up(served)
        return served

    def _catch_up(self, served: _Served) -> None:
        served.take(self._catalog.changes_since(self._entry, served.sequence))

    def _publish(self) -> None:
        now = self._catalog.changes_since(self._entry, 0)
        kind = Kind.HNSW if len(now.keys) > self._limits.exact else Kind.EXACT
        base = build(now.keys, now.vectors, kind, threads=self._limits.threads)
        snapshot.publish(
            base, self._folder, sequence=now.sequence, fingerprint=self.space.fingerprint
        )
        self._adopted()
        snapshot.discard(self._folder, keep=now.sequence)
        try:
            self._catalog.sequence(self._entry)
        except UnknownCollectionError:  # deleted meanwhile, and the folder made again by this
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _at_one_moment(self) -> tuple[Changes, FaissIndex]:
        """Everything in the catalog and an index of exactly that, while others may be writing."""
        while True:
            served = self._followed()
            truth = self._catalog.changes_since(self._entry, 0)
            if truth.sequence == served.sequence:
                return truth, served.index

    def _named(self, key: int) -> str:
        item = self._catalog.by_key(self._entry, [key]).get(key)
        return item.id if item else f"with key {key}"

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise snapshot.storage_error(error, self._folder) from error
