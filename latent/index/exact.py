"""Exact search by one matrix product: the oracle, and the index of what changed lately.

Knows nothing about FAISS, snapshots or catalogs.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latent.errors import InputError, SpaceMismatchError
from latent.index.vectors import Keys, Neighbour, best, cosines
from latent.items import Vectors

# float32 sums differ in the last bits by order of summation; candidates this close to the k-th
# are scored again in float64 before the line is drawn.
MARGIN = np.float32(1e-5)
PIECE = 512  # rows gathered at once: they stay in the cache of a core


def checked(vectors: Vectors, dim: int) -> Vectors:
    """`(n, dim)` float32, contiguous and finite.

    Raises:
        SpaceMismatchError: another dimension.
        InputError: a value is not finite.
    """
    rows = np.ascontiguousarray(np.atleast_2d(vectors), dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise SpaceMismatchError(
            f"a vector has {rows.shape[-1]} dimensions, but this index has {dim}"
        )
    if not np.isfinite(rows).all():
        raise InputError("a vector holds NaN or infinity")
    return rows


def nearest_rows(
    keys: Keys, vectors: Vectors, query: NDArray[np.float32], k: int
) -> list[Neighbour]:
    """The k nearest of these rows, exactly; ties by key. `query` is `(dim,)`."""
    return nearest_of(keys, vectors, query, k)


def nearest_of(
    keys: Keys,
    vectors: Vectors,
    query: NDArray[np.float32],
    k: int,
    *,
    rows: NDArray[np.int64] | None = None,
) -> list[Neighbour]:
    """The same among some `rows`, by position; they are gathered piece by piece.

    Row by row (`vecdot`), and not as one product: that would be shared out among threads, which
    wait for each other where other searches run as well.
    """
    count = len(keys) if rows is None else len(rows)
    if k <= 0 or not count:
        return []
    if rows is None:
        rough = np.vecdot(vectors, query)
    elif 4 * count > len(keys):  # reading on is faster than gathering
        rough = np.vecdot(vectors, query)[rows]
    else:
        pieces = [rows[start : start + PIECE] for start in range(0, count, PIECE)]
        rough = np.concatenate([np.vecdot(vectors[piece], query) for piece in pieces])
    close = np.arange(count)
    if count > k:
        threshold = np.partition(rough, count - k)[count - k] - MARGIN
        close = np.flatnonzero(rough >= threshold)
    chosen = close if rows is None else rows[close]
    return best(keys[chosen], cosines(vectors[chosen], query), k)


@dataclass(frozen=True, slots=True)
class View:
    """What an ExactIndex held at one moment; never changes, so searching it needs no lock.

    `keys` `(n,)` and `vectors` `(n, dim)`; a row that is not `alive` was replaced or dropped.
    """

    keys: Keys
    vectors: Vectors
    alive: NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.alive.sum())

    def living(self, only: Keys | None = None) -> tuple[Keys, Vectors]:
        """Keys and vectors of the living rows, of those in `only` if it is given."""
        chosen = self.alive
        if only is not None and len(self.keys):  # of many to look for, looking costs in any case
            chosen = chosen & np.isin(self.keys, only)
        if chosen.all():
            return self.keys, self.vectors
        return self.keys[chosen], self.vectors[chosen]

    def search(
        self, queries: Vectors, k: int, *, only: Keys | None = None
    ) -> list[list[Neighbour]]:
        """As VectorIndex.search; `queries` are checked already."""
        keys, vectors = self.living(only)
        return [nearest_rows(keys, vectors, query, k) for query in queries]


class ExactIndex:
    """Vectors in one growing array. Writers take turns; readers search a View."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._writing = threading.Lock()
        self._row_of: dict[int, int] = {}
        self._keys: Keys = np.empty(0, np.int64)
        self._vectors: Vectors = np.empty((0, dim), np.float32)
        self._view = View(self._keys, self._vectors, np.empty(0, np.bool_))

    @property
    def dim(self) -> int:
        return self._dim

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, key: int) -> bool:
        return key in self._row_of

    @property
    def view(self) -> View:
        """What is held right now."""
        return self._view

    def add(self, keys: Keys, vectors: Vectors) -> None:
        rows = checked(vectors, self._dim)
        with self._writing:
            # The last of a key given twice wins, as if they had come one after the other.
            last = {key: row for row, key in enumerate(keys.tolist())}
            if len(last) < len(keys):
                chosen = np.fromiter(last.values(), np.int64, len(last))
                keys, rows = keys[chosen], rows[chosen]
            self._append(keys, rows)

    def drop(self, keys: Keys) -> None:
        with self._writing:
            gone = [
                row for key in keys.tolist() if (row := self._row_of.pop(key, None)) is not None
            ]
            if not gone:
                return
            alive = self._view.alive.copy()
            alive[gone] = False
            self._view = View(self._view.keys, self._view.vectors, alive)
            if len(alive) > 1024 and len(self._row_of) * 2 < len(alive):
                self._compact()

    def search(
        self, queries: Vectors, k: int, *, only: Keys | None = None
    ) -> list[list[Neighbour]]:
        return self._view.search(checked(queries, self._dim), k, only=only)

    def _append(self, keys: Keys, rows: Vectors) -> None:
        start, count = len(self._view.keys), len(self._view.keys) + len(keys)
        if count > len(self._keys):
            self._grow(max(count, 2 * len(self._keys), 64))
        # Rows behind the end of every view handed out so far: no reader looks there yet.
        self._keys[start:count] = keys
        self._vectors[start:count] = rows
        alive = np.ones(count, np.bool_)
        alive[:start] = self._view.alive
        for row, key in enumerate(keys.tolist(), start):
            if (old := self._row_of.get(key)) is not None:
                alive[old] = False
            self._row_of[key] = row
        self._view = View(self._keys[:count], self._vectors[:count], alive)

    def _grow(self, capacity: int) -> None:
        keys = np.empty(capacity, np.int64)
        vectors = np.empty((capacity, self._dim), np.float32)
        keys[: len(self._view.keys)] = self._view.keys
        vectors[: len(self._view.keys)] = self._view.vectors
        self._keys, self._vectors = keys, vectors

    def _compact(self) -> None:
        keys, vectors = self._view.living()
        self._keys, self._vectors = keys.copy(), vectors.copy()
        self._row_of = {key: row for row, key in enumerate(keys.tolist())}
        self._view = View(self._keys, self._vectors, np.ones(len(keys), np.bool_))
