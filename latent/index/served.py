"""The index that a collection is searched by: it follows the catalog and is published as snapshots.

What was committed is taken in before each search; a snapshot of another process is changed over to
while searches go on with the old one. Knows nothing about items, only keys and vectors.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Changes, Everything, Written
from latent.catalog.rows import Entry
from latent.disk import storage_error
from latent.errors import StoreError, UnknownCollectionError
from latent.index import snapshot
from latent.index.acknowledged import Acknowledged, behind
from latent.index.bases import Kind, Quantisation, empty_base
from latent.index.faiss_index import FaissIndex, State
from latent.index.publishing import Publisher, Terms
from latent.index.questions import InWords
from latent.index.snapshot import Snapshot
from latent.index.vectors import Keys
from latent.items import JSON, Item, Modality, Vectors


@dataclass(frozen=True, slots=True)
class Limits:
    """When a collection gets a graph, when a new snapshot, and with how many threads.

    `recall` is the share of the ten nearest that a graph is to find. A graph of more than `apart`
    items is built in a process of its own.
    """

    exact: int = 50_000
    delta: int = 5_000
    threads: int = 1
    recall: float = 0.98
    apart: int = 50_000


class Served:
    """An index that is searched, the snapshot under it, and the sequence it has followed to."""

    def __init__(self, dim: int, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        self.sequence = snapshot.sequence if snapshot else 0
        self.index = FaissIndex(snapshot.base if snapshot else empty_base(dim))
        self.changes = dict.fromkeys(Modality, 0)
        """How many items of a modality came, or may have been replaced or dropped."""
        self.line: object = object()
        """The same for all that follow each other, so that their `changes` count on."""

    def take(self, changes: Changes) -> None:
        """Take in what changed since, or everything there is."""
        if changes.is_whole and self.sequence:
            self.snapshot, self.index = None, FaissIndex(empty_base(self.index.dim))
            self.line = object()
        before = len(self.index)
        if len(changes.keys):
            self.index.add(changes.keys, changes.vectors)
        came = len(self.index) - before
        if len(changes.dropped):
            self.index.drop(changes.dropped)
        self._count(changes, came)
        self.sequence = changes.sequence

    def follow_on(self, before: Served) -> None:
        """Hold the same items as `before`, which was served until now, in another form."""
        self.changes, self.line = before.changes, before.line

    def _count(self, changes: Changes, came: int) -> None:
        every = len(changes.keys)
        images = texts = every
        if changes.are_images is not None:
            images = int(np.count_nonzero(changes.are_images))
            texts = every - images
        other = every - came + len(changes.dropped)  # they may have been of either modality
        now = self.changes
        self.changes = {
            Modality.IMAGE: now[Modality.IMAGE] + images + other,
            Modality.TEXT: now[Modality.TEXT] + texts + other,
        }

    def described(self) -> dict[str, JSON]:
        """How it is searched: in `Summary.index`. A recall that was not measured is null."""
        made, base = self.snapshot, self.index.base
        is_exact = base.kind is Kind.EXACT
        measured = made.contract.recall if made else {}
        recall: dict[str, JSON] = {
            modality.value: 1.0 if is_exact else measured.get(modality.value)
            for modality in Modality
        }
        code, gone = base.code_size, len(base.gone)
        items = max(1, len(base.keys) - gone)
        return {
            "kind": base.kind.value,
            "snapshot": made.sequence if made else None,
            "delta": self.index.delta_size,
            "gone": gone,
            "bytes": made.bytes if made else 0,
            "quantisation": base.quantisation.value,
            "bytes_an_item": round(made.memory / items) if made else code,
            "compression": round(4 * self.index.dim / code, 2),
            "effort": None if is_exact else base.effort,
            "recall": recall,
        }


class ServedIndex:
    """The index of one collection. Safe among threads and beside other processes."""

    def __init__(
        self,
        catalog: Catalog,
        entry: Entry,
        folder: Path,
        limits: Limits,
        *,
        in_words: InWords = lambda: None,
    ) -> None:
        self._catalog = catalog
        self._entry = entry
        self._space = entry.space
        self._folder = folder
        self._limits = limits
        self._publisher = Publisher(catalog, entry, folder, in_words=in_words)
        self._following = threading.Lock()
        self._served: Served | None = None
        self._acknowledged = Acknowledged(folder)

    @property
    def sequence(self) -> int:
        """How far the index has followed; 0 as long as nobody has searched."""
        served = self._served
        return 0 if served is None else served.sequence

    def take(self, written: Written, put: Sequence[Item]) -> None:
        """Take in a write of our own; if others wrote between, the next search does."""
        self._acknowledged.rise_to(written.sequence)
        with self._following:
            served = self._served
            if served is not None and written.sequence == served.sequence + 1:
                rows = [item.vector for item in put]
                vectors = np.stack(rows) if rows else np.empty((0, self._space.dim), np.float32)
                are_images = np.array([item.modality is Modality.IMAGE for item in put], np.bool_)
                served.take(
                    Changes(
                        written.sequence,
                        written.keys,
                        vectors,
                        written.dropped,
                        are_images=are_images,
                    )
                )

    def stop(self) -> None:
        """Give up a snapshot that is being made, and make none any more."""
        self._publisher.stop()

    def publish(self, *, least: int = 1, force: bool = False, threads: int | None = None) -> bool:
        """Make a new snapshot if enough changed since the last one; gives whether it was made.

        Enough is a twentieth of the items, so that the work of building stays in proportion, and
        at least `least` (or the limit of the delta, if that is less). A snapshot that another
        process has made is taken over instead, and a process that is at it already is left to it.
        With `threads` no more than so many compute, and give way to whoever else does.
        """
        if not (force or self._is_due(least, threads)):
            return False
        self._make_folder()
        try:
            with FileLock(self._folder / "publish.lock", timeout=0):
                if not (force or self._is_due(least, threads)):
                    return False
                self._publish(threads)
        except Timeout:
            return False
        except OSError as error:
            raise storage_error(error, self._folder) from error
        return True

    def _is_due(self, least: int, threads: int | None) -> bool:
        if self._served is None and self._is_far_behind():
            return True
        index = self._adopted(threads).index
        base = index.base
        is_outgrown = base.kind is Kind.EXACT and len(index) > self._limits.exact
        is_other = base.kind is Kind.HNSW and base.quantisation is not self._quantisation
        enough = max(min(least, self._limits.delta), len(index) // 20)
        return is_outgrown or is_other or index.changes >= enough

    def _is_far_behind(self) -> bool:
        """Whether so much was written that it is not to be read into memory just to be counted."""
        newest = next(iter(snapshot.sequences(self._folder)), 0)
        written, items = self._catalog.written_since(self._entry, newest)
        return written > max(self._limits.exact, items // 20)

    @property
    def _quantisation(self) -> Quantisation:
        """What the collection is to be walked by; it may be another one by now."""
        return Quantisation(self._catalog.quantisation(self._entry))

    def flaws(self) -> Iterator[tuple[int | None, str]]:
        """Every difference between catalog and index: the key it is about, if any, and what."""
        last = 0
        try:
            last = self._acknowledged.read()  # before the truth, which only goes on
        except StoreError as error:
            yield None, str(error)
        with self.at_one_moment() as (truth, held):
            if last > truth.sequence:
                yield None, behind(truth.sequence, last)
            for flaw in snapshot.flaws(
                self._folder, fingerprint=self._space.fingerprint, until=truth.sequence
            ):
                yield None, flaw
            for key in np.setdiff1d(held.keys(), truth.keys):
                yield None, f"the index holds key {key}, which is no item"
            start = 0
            for vectors in truth.parts:
                yield from _differences(truth.keys[start : start + len(vectors)], vectors, held)
                start += len(vectors)

    def repair(self) -> None:
        """Throw the snapshots away and make one anew from the catalog."""
        self._make_folder()
        with FileLock(self._folder / "publish.lock"), self._following:
            snapshot.discard(self._folder, keep=None)
            self._acknowledged.forget()
            self._served = None
        self.publish(force=True)

    def followed(self) -> Served:
        """What is served, after everything committed so far."""
        with self._following:
            served = self._served
            if served is None:
                served = self._served = self._opened()
            elif not self._catalog.is_followed_from(self._entry, served.sequence):
                served = self._served = self._opened()  # from a snapshot that is new enough
            elif self._catalog.sequence(self._entry) != served.sequence:
                self._catch_up(served)
            return served

    def _adopted(self, threads: int | None) -> Served:
        """What is served, after changing over to a snapshot that another process has published.

        It is opened, by so many threads, and caught up while searches go on with the old one.
        """
        served = self.followed()
        held = served.snapshot.sequence if served.snapshot else 0
        if not any(sequence > held for sequence in snapshot.sequences(self._folder)):
            return served
        fresh = self._opened(threads)
        if fresh.snapshot is None or fresh.snapshot.sequence <= held:
            return served
        with self._following:
            self._catch_up(fresh)
            fresh.follow_on(served)
            self._served = fresh
        return fresh

    def _opened(self, threads: int | None = None) -> Served:
        """The newest snapshot, caught up with the catalog; served by nobody yet."""
        newest = snapshot.newest(
            self._folder,
            fingerprint=self._space.fingerprint,
            until=self._catalog.sequence(self._entry),
            threads=threads,
        )
        served = Served(self._space.dim, newest)
        self._catch_up(served)
        return served

    def _catch_up(self, served: Served) -> None:
        served.take(self._catalog.changes_since(self._entry, served.sequence))

    def _publish(self, threads: int | None) -> None:
        before = snapshot.sequences(self._folder)
        try:
            sequence = self._published(threads)
            self._adopted(threads)
            snapshot.discard(self._folder, keep=sequence)
            # Who follows from the snapshot before, or from later on, can go on doing so.
            # One of another history, passed over, is no such snapshot.
            known = (one for one in before if one <= sequence)
            self._catalog.prune(self._entry, max(known, default=0))
            self._catalog.sequence(self._entry)
        except UnknownCollectionError:  # deleted meanwhile, and the folder made again by this
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _published(self, threads: int | None) -> int:
        limits, counts = self._limits, self._catalog.counts(self._entry)
        terms = Terms(
            limits.exact, threads or limits.threads, limits.recall, is_polite=threads is not None
        )
        if counts.images + counts.texts <= limits.apart:
            return self._publisher.publish(terms)
        return self._publisher.publish_apart(terms)

    @contextmanager
    def at_one_moment(self) -> Iterator[tuple[Everything, State]]:
        """Everything in the catalog and an index of exactly that, while others may be writing."""
        while True:
            served = self.followed()
            with self._following:
                sequence, held = served.sequence, served.index.state
            with self._catalog.everything(self._entry) as truth:
                if truth.sequence == sequence:
                    yield truth, held
                    return

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, self._folder) from error


def _differences(keys: Keys, vectors: Vectors, held: State) -> Iterator[tuple[int, str]]:
    """What is wrong with some items, and how the index differs from them."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is damaged may be any number
        lengths = np.linalg.norm(vectors, axis=1)
    for key in keys[~(np.abs(lengths - 1) < 1e-3)]:
        yield int(key), "has no unit vector in the catalog"
    found, there = held.vectors_of(keys)
    is_found = np.isin(keys, found)
    for key in keys[~is_found]:
        yield int(key), "is missing from the index"
    differs = (vectors[is_found] != there).any(axis=1)
    for key in found[differs]:
        yield int(key), "has another vector in the index"
