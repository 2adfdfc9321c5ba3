"""Exact search by one matrix product: the oracle, and the index of what changed lately.

Knows nothing about FAISS, snapshots or catalogs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from latent.errors import InputError, SpaceMismatchError
from latent.index.vectors import Keys, Neighbour, best, cosines
from latent.items import Vectors

# float32 sums differ in the last bits by order of summation; candidates this close to the k-th
# are scored again in float64 before the line is drawn.
MARGIN = np.float32(1e-5)
BLOCK = 4_096  # rows that room is made for at once
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


def nearest_of(
    keys: Keys,
    vectors: Vectors,
    query: NDArray[np.float32],
    k: int,
    *,
    rows: NDArray[np.int64] | None = None,
) -> list[Neighbour]:
    """The k nearest, exactly, ties by key; `query` is `(dim,)`.

    Of some `rows` by position, if they are given, which are gathered piece by piece. Row by row
    (`vecdot`), and not as one product: that would be shared out among threads, which wait for each
    other where other searches run as well.
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
    close = np.flatnonzero(rough >= _line(rough, k))
    chosen = close if rows is None else rows[close]
    return best(keys[chosen], cosines(vectors[chosen], query), k)


def nearest_in(
    parts: Sequence[tuple[Keys, Vectors]], query: NDArray[np.float32], k: int
) -> list[Neighbour]:
    """As `nearest_of`, of rows that lie in several places."""
    if k <= 0 or not parts:
        return []
    rough = [np.vecdot(vectors, query) for _, vectors in parts]
    line = _line(np.concatenate(rough), k)
    close = [np.flatnonzero(some >= line) for some in rough]
    keys = np.concatenate([some[rows] for (some, _), rows in zip(parts, close, strict=True)])
    vectors = np.concatenate([some[rows] for (_, some), rows in zip(parts, close, strict=True)])
    return best(keys, cosines(vectors, query), k)


def _line(rough: NDArray[np.float32], k: int) -> np.float32:
    """The least rough score that may be among the k best."""
    count = len(rough)
    if count <= k:
        return np.float32(-np.inf)
    return np.float32(np.partition(rough, count - k)[count - k] - MARGIN)


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that came one after the other; one that is not `alive` was replaced or dropped.

    `keys` `(n,)`, `vectors` `(n, dim)`, `alive` `(n,)`.
    """

    keys: Keys
    vectors: Vectors
    alive: NDArray[np.bool_]

    def living(self, wanted: NDArray[np.bool_] | None) -> tuple[Keys, Vectors]:
        """Keys and vectors of the living rows, of those that are wanted."""
        chosen = self.alive if wanted is None else self.alive & wanted
        if chosen.all():
            return self.keys, self.vectors
        return self.keys[chosen], self.vectors[chosen]

    def without(self, places: NDArray[np.int64]) -> Block:
        alive = self.alive.copy()
        alive[places] = False
        return replace(self, alive=alive)


@dataclass(frozen=True, slots=True)
class View:
    """What an ExactIndex held at one moment; never changes, so searching it needs no lock."""

    blocks: tuple[Block, ...]
    size: int
    dim: int

    def __len__(self) -> int:
        return self.size

    def parts(self, only: Keys | None = None) -> list[tuple[Keys, Vectors]]:
        """Keys and vectors of the living rows as they lie, of those in `only` if it is given."""
        parts = map(Block.living, self.blocks, self._wanted(only))
        return [(keys, vectors) for keys, vectors in parts if len(keys)]

    def living(self, only: Keys | None = None) -> tuple[Keys, Vectors]:
        """The same as one: `(n,)` and `(n, dim)`."""
        parts = self.parts(only)
        keys = [np.empty(0, np.int64), *(some for some, _ in parts)]
        vectors = [np.empty((0, self.dim), np.float32), *(some for _, some in parts)]
        return np.concatenate(keys), np.concatenate(vectors)

    def _wanted(self, only: Keys | None) -> Sequence[NDArray[np.bool_] | None]:
        """Which rows of each block are in `only`; None for all."""
        if only is None or not self.blocks:
            return [None] * len(self.blocks)
        # Of many to look for, looking costs in any case: once, not for each block.
        found = np.isin(np.concatenate([block.keys for block in self.blocks]), only)
        return np.split(found, np.cumsum([len(block.keys) for block in self.blocks])[:-1])

    def search(
        self, queries: Vectors, k: int, *, only: Keys | None = None
    ) -> list[list[Neighbour]]:
        """As VectorIndex.search; `queries` are checked already."""
        parts = self.parts(only)
        return [nearest_in(parts, query, k) for query in queries]


class ExactIndex:
    """Vectors in blocks, one after the other. Writers take turns; readers search a View.

    What is there is not moved for what comes: to copy 16,000 vectors into a larger array takes a
    tenth of a second, mostly for memory that is touched for the first time.
    """

    def __init__(self, dim: int, *, block: int = BLOCK) -> None:
        """Of no vectors yet; `block` rows get room at once."""
        self._dim = dim
        self._block = block
        self._writing = threading.Lock()
        self._row_of: dict[int, int] = {}
        self._rows = 0  # those that are not alive among them
        self._room: list[tuple[Keys, Vectors]] = []
        self._view = View((), 0, dim)

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
            self._view = View(tuple(self._blocks_without(gone)), len(self._row_of), self._dim)
            if self._rows > 1024 and len(self._row_of) * 2 < self._rows:
                self._compact()

    def search(
        self, queries: Vectors, k: int, *, only: Keys | None = None
    ) -> list[list[Neighbour]]:
        return self._view.search(checked(queries, self._dim), k, only=only)

    def _append(self, keys: Keys, rows: Vectors) -> None:
        numbers = range(self._rows, self._rows + len(keys))
        given = keys.tolist()
        gone = [row for key in given if (row := self._row_of.get(key)) is not None]
        blocks = self._blocks_without(gone)
        done = 0
        while done < len(keys):
            start = (self._rows + done) % self._block
            if not start:
                room = (
                    np.empty(self._block, np.int64),
                    np.empty((self._block, self._dim), np.float32),
                )
                self._room.append(room)
            end = min(self._block, start + len(keys) - done)
            some = slice(done, done + end - start)
            # Rows behind the end of every view handed out so far: no reader looks there yet.
            room_keys, room_vectors = self._room[-1]
            room_keys[start:end] = keys[some]
            room_vectors[start:end] = rows[some]
            alive = np.ones(end, np.bool_)
            if start:
                alive[:start] = blocks.pop().alive
            blocks.append(Block(room_keys[:end], room_vectors[:end], alive))
            done += end - start
        self._row_of.update(zip(given, numbers, strict=True))
        self._rows += len(keys)
        self._view = View(tuple(blocks), len(self._row_of), self._dim)

    def _blocks_without(self, gone: Sequence[int]) -> list[Block]:
        blocks, rows = list(self._view.blocks), np.asarray(gone, np.int64)
        for number in np.unique(rows // self._block).tolist():
            blocks[number] = blocks[number].without(
                rows[rows // self._block == number] % self._block
            )
        return blocks

    def _compact(self) -> None:
        keys, vectors = self._view.living()
        self._row_of, self._rows, self._room = {}, 0, []
        self._view = View((), 0, self._dim)
        self._append(keys, vectors)
