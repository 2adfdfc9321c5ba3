"""The index that a collection is searched by: it follows the catalog and is published as snapshots.

What was committed is taken in before each search; a snapshot of another process is changed over to
while searches go on with the old one. Knows nothing about items, only keys and vectors.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Changes, Written
from latent.catalog.rows import Entry
from latent.errors import StoreError, UnknownCollectionError
from latent.index import snapshot
from latent.index.acknowledged import Acknowledged, behind
from latent.index.faiss_index import Base, FaissIndex, Kind, build, empty_base
from latent.index.questions import InWords, questions_for
from latent.index.recall import Questions, measured
from latent.index.snapshot import Snapshot
from latent.items import JSON, Modality, Vector


@dataclass(frozen=True, slots=True)
class Limits:
    """When a collection gets a graph, when a new snapshot, and with how many threads.

    `recall` is the share of the ten nearest that a graph is to find.
    """

    exact: int = 50_000
    delta: int = 5_000
    threads: int = 1
    recall: float = 0.98


class Served:
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

    def described(self) -> dict[str, JSON]:
        """How it is searched: in `Summary.index`. A recall that was not measured is null."""
        made = self.snapshot
        is_exact = self.index.kind is Kind.EXACT
        measured = made.contract.recall if made else {}
        recall: dict[str, JSON] = {
            modality.value: 1.0 if is_exact else measured.get(modality.value)
            for modality in Modality
        }
        return {
            "kind": self.index.kind.value,
            "snapshot": made.sequence if made else None,
            "delta": self.index.delta_size,
            "bytes": made.bytes if made else 0,
            "effort": None if is_exact else self.index.effort,
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
        self._in_words = in_words
        self._following = threading.Lock()
        self._served: Served | None = None
        self._acknowledged = Acknowledged(folder)

    def take(self, written: Written, put: Sequence[Vector]) -> None:
        """Take in a write of our own; if others wrote between, the next search does."""
        self._acknowledged.rise_to(written.sequence)
        with self._following:
            served = self._served
            if served is not None and written.sequence == served.sequence + 1:
                vectors = np.stack(put) if put else np.empty((0, self._space.dim), np.float32)
                served.take(Changes(written.sequence, written.keys, vectors, written.dropped))

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

    def flaws(self) -> Iterator[tuple[int | None, str]]:
        """Every difference between catalog and index: the key it is about, if any, and what."""
        last = 0
        try:
            last = self._acknowledged.read()  # before the truth, which only goes on
        except StoreError as error:
            yield None, str(error)
        truth, index = self.at_one_moment()
        if last > truth.sequence:
            yield None, behind(truth.sequence, last)
        for flaw in snapshot.flaws(
            self._folder, fingerprint=self._space.fingerprint, until=truth.sequence
        ):
            yield None, flaw
        for key in truth.keys[~(np.abs(np.linalg.norm(truth.vectors, axis=1) - 1) < 1e-3)]:
            yield int(key), "has no unit vector in the catalog"
        keys, vectors = index.held()
        for key in np.setdiff1d(truth.keys, keys):
            yield int(key), "is missing from the index"
        for key in np.setdiff1d(keys, truth.keys):
            yield None, f"the index holds key {key}, which is no item"
        _, here, there = np.intersect1d(truth.keys, keys, return_indices=True)
        differs = (truth.vectors[here] != vectors[there]).any(axis=1)
        for key in truth.keys[here[differs]]:
            yield int(key), "has another vector in the index"

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
            elif self._catalog.sequence(self._entry) != served.sequence:
                self._catch_up(served)
            return served

    def _adopted(self) -> Served:
        """What is served, after changing over to a snapshot that another process has published.

        It is opened and caught up while searches go on with the old one.
        """
        served = self.followed()
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

    def _opened(self) -> Served:
        """The newest snapshot, caught up with the catalog; served by nobody yet."""
        newest = snapshot.newest(
            self._folder,
            fingerprint=self._space.fingerprint,
            until=self._catalog.sequence(self._entry),
        )
        served = Served(self._space.dim, newest)
        self._catch_up(served)
        return served

    def _catch_up(self, served: Served) -> None:
        served.take(self._catalog.changes_since(self._entry, served.sequence))

    def _publish(self) -> None:
        now = self._catalog.changes_since(self._entry, 0)
        kind = Kind.HNSW if len(now.keys) > self._limits.exact else Kind.EXACT
        base = build(now.keys, now.vectors, kind, threads=self._limits.threads)
        contract = measured(base, self._questions(base), self._limits.recall)
        snapshot.publish(
            base,
            self._folder,
            sequence=now.sequence,
            fingerprint=self._space.fingerprint,
            contract=contract,
        )
        self._adopted()
        snapshot.discard(self._folder, keep=now.sequence)
        try:
            self._catalog.sequence(self._entry)
        except UnknownCollectionError:  # deleted meanwhile, and the folder made again by this
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _questions(self, base: Base) -> dict[str, Questions]:
        """What a graph is judged by; where all is compared there is nothing to judge."""
        if base.kind is Kind.EXACT:
            return {}
        return questions_for(self._catalog, self._entry, base.keys, base.vectors, self._in_words)

    def at_one_moment(self) -> tuple[Changes, FaissIndex]:
        """Everything in the catalog and an index of exactly that, while others may be writing."""
        while True:
            served = self.followed()
            truth = self._catalog.changes_since(self._entry, 0)
            if truth.sequence == served.sequence:
                return truth, served.index

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise snapshot.storage_error(error, self._folder) from error
