"""VectorIndex on FAISS: an immutable base, and an exact delta of what changed since.

A served FAISS index is never changed, because FAISS crashes when `add` meets `search`. So `add` and
`drop` go to an ExactIndex beside it and mask what they replace; a new base is built in time by
`build` and swapped in whole. The only file that names faiss; its quirks stay here. Knows nothing
about files of snapshots (`snapshot` does) or catalogs.
"""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from latent.errors import StorageFullError, StoreError
from latent.index.exact import MARGIN, ExactIndex, View, checked, nearest_of, nearest_rows
from latent.index.plans import LEAST_EFFORT, Plan, Trace, Way, choose
from latent.index.vectors import Keys, Neighbour, best, cosines
from latent.items import Vectors

LINKS = 32
BUILD_EFFORT = 100


class Kind(StrEnum):
    """How a base is searched."""

    EXACT = "exact"
    HNSW = "hnsw"


@dataclass(frozen=True, slots=True)
class Base:
    """Vectors that never change: `keys` `(n,)` ascending, `vectors` `(n, dim)` in that order.

    `effort` is how far a walk looks at least, so that it keeps the promise (`recall`).
    """

    kind: Kind
    keys: Keys
    vectors: Vectors
    faiss_index: Any
    effort: int = LEAST_EFFORT

    def positions(self, keys: Keys) -> NDArray[np.int64]:
        """Where those of `keys` that are here stand."""
        if not len(self.keys):
            return np.empty(0, np.int64)
        found = np.searchsorted(self.keys, keys)
        found = np.minimum(found, len(self.keys) - 1)
        return np.unique(found[self.keys[found] == keys])


def empty_base(dim: int) -> Base:
    """A base of nothing."""
    return build(np.empty(0, np.int64), np.empty((0, dim), np.float32), Kind.EXACT)


def build(keys: Keys, vectors: Vectors, kind: Kind, *, threads: int = 1) -> Base:
    """Build a base from unit rows; `keys` ascending and unique. A graph of nothing is exact."""
    dim = vectors.shape[1]
    if kind is Kind.EXACT or not len(keys):
        # FAISS refuses to train a quantiser on nothing.
        kind = Kind.EXACT
        index = faiss.IndexFlatIP(dim)
    else:
        index = faiss.IndexHNSWSQ(
            dim, faiss.ScalarQuantizer.QT_8bit, LINKS, faiss.METRIC_INNER_PRODUCT
        )
        index.hnsw.efConstruction = BUILD_EFFORT
    faiss.omp_set_num_threads(threads)
    try:
        if not index.is_trained:
            index.train(vectors)
        if len(vectors):
            index.add(vectors)
    finally:
        faiss.omp_set_num_threads(1)
    return Base(kind, keys, vectors, index)


def write_file(base: Base, path: Path) -> None:
    """Write the FAISS part of a base.

    Raises:
        StorageFullError: there is no room.
        StoreError: FAISS could not write for another reason.
    """
    try:
        faiss.write_index(base.faiss_index, str(path))
    except RuntimeError as error:
        if os.strerror(errno.ENOSPC) in str(error):
            raise StorageFullError(f"no room left to write {path.name}") from error
        raise StoreError(f"the index could not be written: {error}") from error


def read_file(path: Path, kind: Kind, keys: Keys, vectors: Vectors | None, *, effort: int) -> Base:
    """Map a base from its file; an exact one holds its own vectors, so None is given for them.

    Raises:
        StoreError: the file is not such an index.
    """
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise StoreError(f"{path.name} is not a readable index: {error}") from error
    if index.ntotal != len(keys):
        raise StoreError(f"{path.name} holds {index.ntotal} vectors, not {len(keys)}")
    if vectors is None:
        size = index.ntotal * index.d
        flat = faiss.rev_swig_ptr(index.get_xb(), size) if size else np.empty(0, np.float32)
        vectors = flat.reshape(index.ntotal, index.d)
    return Base(kind, keys, vectors, index, effort)


@dataclass(frozen=True, slots=True)
class _State:
    """All a search needs, taken at one moment; `masked` are positions in the base, ascending."""

    base: Base
    masked: NDArray[np.int64]
    delta: View


class FaissIndex:
    """A base from FAISS under an exact delta. Writers take turns; readers search one state."""

    def __init__(self, base: Base) -> None:
        self._dim = int(base.vectors.shape[1])
        self._writing = threading.Lock()
        self._delta = ExactIndex(self._dim)
        self._state = _State(base, np.empty(0, np.int64), self._delta.view)
        self.changes = 0

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def kind(self) -> Kind:
        return self._state.base.kind

    @property
    def effort(self) -> int:
        """How far a walk looks at least."""
        return self._state.base.effort

    @property
    def delta_size(self) -> int:
        """How many vectors are searched beside the base."""
        return len(self._state.delta)

    def __len__(self) -> int:
        state = self._state
        return len(state.base.keys) - len(state.masked) + len(state.delta)

    def __contains__(self, key: int) -> bool:
        state = self._state
        found = state.base.positions(np.array([key], np.int64))
        return key in self._delta or bool(len(np.setdiff1d(found, state.masked)))

    def held(self) -> tuple[Keys, Vectors]:
        """Everything that is held: keys ascending, and their vectors."""
        state = self._state
        new_keys, new_vectors = state.delta.living()
        keys = np.concatenate([np.delete(state.base.keys, state.masked), new_keys])
        vectors = np.concatenate([np.delete(state.base.vectors, state.masked, 0), new_vectors])
        order = np.argsort(keys)
        return keys[order], vectors[order]

    def add(self, keys: Keys, vectors: Vectors) -> None:
        rows = checked(vectors, self._dim)
        with self._writing:
            self._delta.add(keys, rows)
            self._mask(keys)

    def drop(self, keys: Keys) -> None:
        with self._writing:
            self._delta.drop(keys)
            self._mask(keys)

    def _mask(self, keys: Keys) -> None:
        state = self._state
        masked = state.masked
        if len(found := state.base.positions(keys)):
            masked = np.union1d(masked, found)
        self.changes += len(keys)
        self._state = _State(state.base, masked, self._delta.view)

    def search(
        self, queries: Vectors, k: int, *, only: Keys | None = None
    ) -> list[list[Neighbour]]:
        return [found for found, _ in self.traced(queries, k, only=only)]

    def traced(
        self, queries: Vectors, k: int, *, only: Keys | None = None, plan: Plan | None = None
    ) -> list[tuple[list[Neighbour], Trace]]:
        """As `search`, telling for each query how it went. `plan` is for tests of one way."""
        rows = checked(queries, self._dim)
        state = self._state
        scope = _Scope.of(state, only)
        keys, vectors = state.delta.living(only)
        found = []
        for query in rows:
            old, trace = _search_base(scope, query, k, plan)
            new = nearest_rows(keys, vectors, query, k)
            hits = sorted(old + new, key=lambda hit: (-hit.score, hit.key))[:k]
            found.append((hits, replace(trace, candidates=trace.candidates + len(keys))))
        return found

    def vectors_of(self, keys: Keys) -> tuple[Keys, Vectors]:
        """Those of the keys that are here, ascending, and their vectors."""
        state = self._state
        places = np.setdiff1d(state.base.positions(keys), state.masked)
        new_keys, new_vectors = state.delta.living(keys)
        found = np.concatenate([state.base.keys[places], new_keys])
        vectors = np.concatenate([state.base.vectors[places], new_vectors])
        order = np.argsort(found)
        return found[order], vectors[order]


@dataclass(frozen=True, slots=True)
class _Scope:
    """The rows of a base that a search may find; `allowed` are positions, None for all."""

    base: Base
    allowed: NDArray[np.int64] | None
    is_filtered: bool

    @classmethod
    def of(cls, state: _State, only: Keys | None) -> _Scope:
        base = state.base
        if only is None and not len(state.masked):
            return cls(base, None, False)
        if only is not None and 8 * len(only) < len(base.keys):
            allowed = np.setdiff1d(base.positions(only), state.masked, assume_unique=True)
            return cls(base, allowed, True)
        is_allowed = np.ones(len(base.keys), np.bool_)
        if only is not None:
            is_allowed = np.isin(base.keys, only)
        is_allowed[state.masked] = False
        return cls(base, np.flatnonzero(is_allowed), only is not None)

    @property
    def size(self) -> int:
        return len(self.base.keys) if self.allowed is None else len(self.allowed)

    def selector(self) -> _Bitmap | None:
        return None if self.allowed is None else _Bitmap(len(self.base.keys), self.allowed)


def _search_base(
    scope: _Scope, query: NDArray[np.float32], k: int, plan: Plan | None
) -> tuple[list[Neighbour], Trace]:
    """Ask the graph for a few more than k and score them exactly, or compare all there are."""
    base, k = scope.base, min(k, scope.size)
    if k <= 0:
        return [], Trace(Plan(Way.NOTHING), 0)
    if base.kind is Kind.EXACT:
        if scope.is_filtered:
            return _compare_all(scope, query, k, Trace(Plan(Way.EXACT), scope.size))
        return _search_flat(scope, query, k), Trace(Plan(Way.EXACT), scope.size)
    fetch = min(scope.size, 2 * k + 16)
    plan = plan or choose(
        len(base.keys), scope.size, fetch, is_filtered=scope.is_filtered, least=base.effort
    )
    if plan.effort is None:
        return _compare_all(scope, query, k, Trace(plan, scope.size))
    _, positions = _ask(base, query, fetch, scope.selector(), effort=plan.effort)
    if len(positions) < fetch:
        # What is found at the rim of a walk is not surely the nearest: better to look at all.
        return _compare_all(scope, query, k, Trace(plan, scope.size, fell_back=True))
    hits = best(base.keys[positions], cosines(base.vectors[positions], query), k)
    return hits, Trace(plan, len(positions))


def _compare_all(
    scope: _Scope, query: NDArray[np.float32], k: int, trace: Trace
) -> tuple[list[Neighbour], Trace]:
    return nearest_of(scope.base.keys, scope.base.vectors, query, k, rows=scope.allowed), trace


def _search_flat(scope: _Scope, query: NDArray[np.float32], k: int) -> list[Neighbour]:
    """FAISS compares all; more are fetched until the k-th is surely before those left out."""
    base, fetch = scope.base, min(scope.size, k + 16)
    while True:
        scores, positions = _ask(base, query, fetch, scope.selector())
        if fetch >= scope.size or scores[-1] < scores[k - 1] - MARGIN:
            return best(base.keys[positions], cosines(base.vectors[positions], query), k)
        fetch = min(scope.size, fetch * 4)


def _ask(
    base: Base,
    query: NDArray[np.float32],
    fetch: int,
    selector: _Bitmap | None,
    *,
    effort: int | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    # OpenMP keeps one setting for each thread; searching threads are the parallelism here.
    faiss.omp_set_num_threads(1)
    if effort is None:
        parameters = faiss.SearchParameters(sel=selector)
    else:
        parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=effort)
    scores, positions = base.faiss_index.search(query[None, :], fetch, params=parameters)
    # FAISS pads with -1 where it found too few.
    found = positions[0] >= 0
    return scores[0][found], positions[0][found]


class _Bitmap(faiss.IDSelectorBitmap):  # type: ignore[misc]
    """A selector that keeps the bits it points to alive."""

    def __init__(self, count: int, allowed: NDArray[np.int64]) -> None:
        is_allowed = np.zeros(count, np.bool_)
        is_allowed[allowed] = True
        self.bits = np.packbits(is_allowed, bitorder="little")
        super().__init__(len(self.bits), faiss.swig_ptr(self.bits))
