"""A new snapshot of all that the catalog holds: read, built, measured, published; here or apart.

A large graph takes minutes of computing and as much memory again as it will have. A process of its
own gives both back, cannot take the service down with it, and may be ended at any time; it ends by
itself when the one that started it does. It reads the catalog itself, for who answers questions
would have them wait for each of a million rows. Knows nothing about who follows what was published.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np

from latent.catalog.catalog import Catalog
from latent.catalog.opening import open_engine
from latent.catalog.rows import Entry
from latent.errors import NearfieldError, StorageFullError, StoreError
from latent.index import snapshot
from latent.index.bases import GONE, Kind, Quantisation
from latent.index.building import AT_ONCE, VECTORS, Task, make
from latent.index.questions import FEW, InWords, questions_for
from latent.index.recall import Questions
from latent.index.snapshot import Made, Snapshot
from latent.index.vectors import Keys
from latent.items import JSON, Vectors

MOST_GROWTH = 0.25
"""Of the rows that a graph has, how many may have changed for the others to be linked to it."""
GROWN = 2
"""How many times as many rows as were linked from nothing a graph has at most."""
MOST_GONE = 0.2
"""Of all rows of a graph, how many may be gone: they take memory and time."""
WORSE = 1.5
"""How many times as far as before a graph that has grown may have to look."""
POLITE = 10
"""How nice a process in the background is to those that answer questions."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a snapshot is to be made.

    More than `exact` items get a graph, which is to find `recall` of the ten nearest. `threads`
    compute; who is polite gives way to whoever else does.
    """

    exact: int
    threads: int
    recall: float
    is_polite: bool = False

    def task(self, count: int, quantisation: Quantisation) -> Task:
        """How so many items are to be searched."""
        is_graph = count > self.exact
        kind, codes = (Kind.HNSW, quantisation) if is_graph else (Kind.EXACT, Quantisation.FLOAT32)
        return Task(kind, codes, self.threads, self.recall, is_polite=self.is_polite)


class Publisher:
    """Publishes snapshots of one collection; `stop` ends what is being made, from another thread.

    Who publishes holds the lock of the folder.
    """

    def __init__(self, catalog: Catalog, entry: Entry, folder: Path, *, in_words: InWords) -> None:
        self._catalog = catalog
        self._entry = entry
        self._folder = folder
        self._in_words = in_words
        self._is_stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    def stop(self) -> None:
        """End what is being made, and make nothing any more."""
        with self._starting:
            self._is_stopped = True
            if self._process is not None:
                self._process.kill()

    def require_going(self) -> None:
        """Go no further after `stop`.

        Raises:
            StoreError: it was called.
        """
        if self._is_stopped:
            raise StoreError("the snapshot was given up, as everything is being closed")

    def publish(self, terms: Terms) -> int:
        """Make a snapshot of all there is; gives its sequence.

        Raises:
            UnknownCollectionError: the collection was deleted meanwhile.
            StorageFullError: there is no room.
            StoreError: it could not be made, or was stopped.
        """
        self.require_going()
        return publish(
            self._catalog, self._entry, self._folder, terms=terms, in_words=self._in_words
        )

    def publish_apart(self, terms: Terms) -> int:
        """As `publish`, in a process of its own. Raises as `publish`."""
        texts = self._catalog.counts(self._entry).texts
        phrases = self._in_words() if texts < FEW else None
        process = self._started(terms, phrases)
        with process:
            try:
                # Standard input stays open meanwhile: its end tells the process that we are gone.
                said = process.stdout.read().decode().strip() if process.stdout else ""
            except BaseException:
                process.kill()
                raise
        try:
            return self._answered(said.splitlines(), process.returncode)
        except StoreError:
            snapshot.tidy(self._folder)  # who is killed leaves what it had begun
            self._catalog.sequence(self._entry)  # if it was deleted meanwhile, that is the reason
            raise

    def _answered(self, lines: list[str], code: int) -> int:
        self.require_going()
        try:
            answer = json.loads(lines[-1])
        except (IndexError, ValueError) as error:
            last = lines[-1] if lines else f"exit {code}"
            raise StoreError(f"the index was not built: {last}") from error
        if "failed" in answer:
            kind = StorageFullError if answer["is_full"] else StoreError
            raise kind(answer["failed"])
        return int(answer["sequence"])

    def _started(self, terms: Terms, phrases: Vectors | None) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).parents[2])
        threads = str(terms.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        paths = [root, os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else [root]
        environment = {
            **os.environ,
            **dict.fromkeys(names, threads),
            "PYTHONPATH": os.pathsep.join(paths),
        }
        order = {
            "catalog": self._catalog.url,  # not where everybody sees it: it may hold a password
            "uid": self._entry.uid,
            "folder": str(self._folder),
            "terms": asdict(terms),
            "phrases": None if phrases is None else phrases.shape,
        }
        with self._starting:
            self.require_going()
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "latent.index.publishing"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                process_group=0,  # Ctrl-C is for the one that waits, which then ends this one
            )
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            if phrases is not None:
                process.stdin.write(np.ascontiguousarray(phrases, "<f4").data)
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended already, and has said why
        return process


def publish(
    catalog: Catalog, entry: Entry, folder: Path, *, terms: Terms, in_words: InWords
) -> int:
    """Make a snapshot of all that the catalog holds, in this process. Raises as `Publisher`."""
    dim, fingerprint = entry.space.dim, entry.space.fingerprint
    with snapshot.drafted(folder) as fresh:
        site = _Site(catalog, entry, fresh, terms, in_words)
        before = snapshot.newest(
            folder,
            fingerprint=fingerprint,
            until=catalog.sequence(entry),
            threads=terms.threads if terms.is_polite else None,
        )
        made = (site.grown(before) if before else None) or site.whole()
        snapshot.publish(fresh, made, dim=dim, fingerprint=fingerprint)
    return made.sequence


@dataclass(frozen=True, slots=True)
class _Site:
    """A drafted folder in which a snapshot is made, and all that is needed for it."""

    catalog: Catalog
    entry: Entry
    fresh: Path
    terms: Terms
    in_words: InWords

    def whole(self) -> Made:
        """Of everything, from nothing."""
        with self.catalog.everything(self.entry) as now:
            snapshot.write_vectors(self.fresh, now.keys, now.parts, self.entry.space.dim)
        task = self.terms.task(len(now.keys), self._quantisation())
        contract = make(self.fresh, task, self._questions(task, now.keys))
        return Made(now.sequence, task, contract, len(now.keys))

    def grown(self, before: Snapshot) -> Made | None:
        """Of the graph that there was, what changed linked to it; None where it is better anew.

        To link what is new takes as long as it is much; to link a million from nothing, ten
        minutes of one core, in which much comes again. Links stay when codes change.
        """
        base, count = before.base, len(before.base.keys)
        wanted = self._quantisation()
        is_same = wanted is base.quantisation
        written, items = self.catalog.written_since(self.entry, before.sequence)
        is_enough = written > 0 or not is_same
        if base.kind is not Kind.HNSW or items <= self.terms.exact or not is_enough:
            return None
        if written > MOST_GROWTH * count:
            return None
        changes = self.catalog.changes_since(self.entry, before.sequence)
        gone = base.positions(np.concatenate([changes.keys, changes.dropped]))
        keys = np.concatenate([base.keys, changes.keys])
        keys[gone] = GONE
        most = min(GROWN * before.built, len(keys[keys != GONE]) / (1 - MOST_GONE))
        if changes.is_whole or len(keys) > most:
            return None
        starts = range(0, count, AT_ONCE)
        parts = chain((base.vectors[at : at + AT_ONCE] for at in starts), [changes.vectors])
        snapshot.write_vectors(self.fresh, keys, parts, self.entry.space.dim)
        task = self.terms.task(items, wanted)
        contract = make(self.fresh, task, self._questions(task, keys), onto=before.index)
        if is_same and contract.effort and contract.effort > WORSE * base.effort:
            return None  # codes that were learnt of other things, say
        return Made(changes.sequence, task, contract, before.built)

    def _quantisation(self) -> Quantisation:
        return Quantisation(self.catalog.quantisation(self.entry))

    def _questions(self, task: Task, keys: Keys) -> dict[str, Questions]:
        if task.kind is not Kind.HNSW:  # where all are compared there is nothing to ask
            return {}
        vectors = np.load(self.fresh / VECTORS, mmap_mode="r")
        return questions_for(self.catalog, self.entry, keys, vectors, self.in_words)


def main() -> None:
    """The process apart: its order on standard input, on standard output what came of it."""
    order = json.loads(sys.stdin.buffer.readline())
    phrases = _phrases(sys.stdin.buffer, order["phrases"])
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    terms = Terms(**order["terms"])
    if terms.is_polite:
        os.nice(POLITE)
    answer: dict[str, JSON]
    try:
        with closing(Catalog(open_engine(order["catalog"]))) as catalog:
            entry = catalog.entry_of(order["uid"])
            folder = Path(order["folder"])
            sequence = publish(catalog, entry, folder, terms=terms, in_words=lambda: phrases)
        answer = {"sequence": sequence}
    except NearfieldError as error:
        answer = {"failed": str(error), "is_full": isinstance(error, StorageFullError)}
    print(json.dumps(answer))


def _phrases(stream: IO[bytes], shape: list[int] | None) -> Vectors | None:
    if shape is None:
        return None
    content = stream.read(4 * shape[0] * shape[1])
    return np.frombuffer(content, "<f4").reshape(shape).astype(np.float32)


def _end_with_the_other() -> None:
    os.read(0, 1)  # nothing more is sent: this is the end of who sent it
    os._exit(1)


if __name__ == "__main__":
    main()
