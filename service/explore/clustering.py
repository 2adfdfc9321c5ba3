"""Spherical k-means, and the nearest neighbours of every point of a cloud.

Rows are unit vectors; likeness is their cosine. The same rows give the same result. Knows nothing
about items.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from latent.items import Vectors

Labels = NDArray[np.int64]

ROUNDS = 15
FEW, TRIES = 5_000, 4  # up to so many rows it is begun so often, and the best of it is taken
TAUGHT_BY = 25_000  # rows that k-means learns from; the others are only assigned
BLOCK = 2_000_000  # cosines that are held at once

EXACT = 12_000  # rows; of more, neighbours are looked for in the nearest cells only
CELLS_SEEN = 16
"""Of about √n cells: finds 0.97 of ten neighbours of 100,000 vectors of photos."""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Which cluster each row is in, `(n,)`, and the clusters' unit centres, `(k, dim)`."""

    labels: Labels
    centres: Vectors


def clusters_of(rows: Vectors, k: int, *, seed: int = 0) -> Clusters:
    """Up to k clusters of rows `(n, dim)`; none is empty."""
    random = np.random.default_rng(seed)
    n = len(rows)
    taught = rows if n <= TAUGHT_BY else rows[random.choice(n, TAUGHT_BY, replace=False)]
    tries = TRIES if k > 1 and n <= FEW else 1
    centres = max((_settled(taught, min(k, n), random) for _ in range(tries)), key=itemgetter(0))[1]
    labels = nearest(rows, centres)
    used = np.unique(labels)
    return Clusters(np.searchsorted(used, labels), centres[used])


def _settled(rows: Vectors, k: int, random: np.random.Generator) -> tuple[float, Vectors]:
    """Centres that k-means settled on, and the mean cosine of rows to theirs."""
    centres = _spread_out(rows, k, random)
    for _ in range(ROUNDS):
        moved = _means(rows, nearest(rows, centres), centres)
        if np.allclose(moved, centres, atol=1e-5):
            break
        centres = moved
    return float((rows * centres[nearest(rows, centres)]).sum(1).mean()), centres


def nearest(rows: Vectors, centres: Vectors) -> Labels:
    """The nearest centre of each row."""
    labels = np.empty(len(rows), np.int64)
    for start, end in _blocks(len(rows), len(centres)):
        labels[start:end] = np.argmax(rows[start:end] @ centres.T, axis=1)
    return labels


def _spread_out(rows: Vectors, k: int, random: np.random.Generator) -> Vectors:
    """Rows to begin with, those far from the others likelier (k-means++, Arthur 2007)."""
    picked = [int(random.integers(len(rows)))]
    far = 1 - rows @ rows[picked[0]]
    while len(picked) < k:
        chances = np.maximum(far, 0).astype(np.float64)
        total = chances.sum()
        if total <= 1e-6:  # all others are copies of what was picked
            break
        picked.append(int(random.choice(len(rows), p=chances / total)))
        np.minimum(far, 1 - rows @ rows[picked[-1]], out=far)
    return rows[picked]


def _means(rows: Vectors, labels: Labels, before: Vectors) -> Vectors:
    """The unit mean of each cluster; one that lost all its rows stays where it was."""
    order = np.argsort(labels, kind="stable")
    found, starts = np.unique(labels[order], return_index=True)
    centres = before.copy()
    sums = np.add.reduceat(rows[order], starts, axis=0)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    is_somewhere = lengths[:, 0] > 1e-6
    centres[found[is_somewhere]] = (sums / np.maximum(lengths, 1e-6))[is_somewhere]
    return centres


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The k nearest others of each row, `(n, k)`, nearest first, and their cosines."""

    places: Labels
    cosines: NDArray[np.float32]


def neighbours_of(
    rows: Vectors,
    k: int,
    *,
    threads: int = 1,
    progress: Callable[[float], None] = lambda done: None,
) -> Neighbours:
    """The k nearest others of every row; all of them if there are fewer.

    Up to `EXACT` rows they are exact. Of more, they are looked for in the cells nearest to the
    row's own, as an inverted file does (Jégou et al., PAMI 2011), a cell a thread: nearly all of it
    is arithmetic, for which Python's lock is let go of.
    """
    n = len(rows)
    k = max(0, min(k, n - 1))
    places, cosines = np.zeros((n, k), np.int64), np.zeros((n, k), np.float32)
    if not k:
        return Neighbours(places, cosines)
    is_exact = n <= EXACT
    cells = clusters_of(rows, 1 if is_exact else round(n**0.5))
    members = _members(cells)

    def fill(cell: int) -> None:
        own = members[cell]
        near = np.argsort(-(cells.centres @ cells.centres[cell]))
        others = np.concatenate([members[one] for one in near[:CELLS_SEEN]])
        for more in near[CELLS_SEEN:]:
            if len(others) > k:
                break
            others = np.concatenate([others, members[more]])
        for start, end in _blocks(len(own), len(others)):
            some = own[start:end]
            places[some], cosines[some] = _best(rows, some, others, k)

    with ThreadPoolExecutor(threads) as pool:
        filling = [pool.submit(fill, cell) for cell in range(len(members))]
        try:
            for number, one in enumerate(filling, 1):
                one.result()
                progress(number / len(members))
        finally:
            for one in filling:  # where it was stopped, those that have not begun
                one.cancel()
    return Neighbours(places, cosines)


def nearest_of(rows: Vectors, others: Vectors, k: int) -> Neighbours:
    """The k rows of `others` nearest to each of `rows`, exactly."""
    k = min(k, len(others))
    places, cosines = np.zeros((len(rows), k), np.int64), np.zeros((len(rows), k), np.float32)
    for start, end in _blocks(len(rows), len(others)):
        places[start:end], cosines[start:end] = _top(rows[start:end] @ others.T, k)
    return Neighbours(places, cosines)


def _members(cells: Clusters) -> list[Labels]:
    order = np.argsort(cells.labels, kind="stable")
    ends = np.cumsum(np.bincount(cells.labels, minlength=len(cells.centres)))
    return np.split(order, ends[:-1])


def _best(
    rows: Vectors, some: Labels, others: Labels, k: int
) -> tuple[Labels, NDArray[np.float32]]:
    cosines = rows[some] @ rows[others].T
    cosines[some[:, None] == others[None, :]] = -2.0  # itself
    places, best = _top(cosines, k)
    return others[places], best


def _top(cosines: NDArray[np.float32], k: int) -> tuple[Labels, NDArray[np.float32]]:
    places = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    best = np.take_along_axis(cosines, places, 1)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(places, order, 1), np.take_along_axis(best, order, 1)


def _blocks(n: int, width: int) -> list[tuple[int, int]]:
    step = max(1, BLOCK // max(1, width))
    return [(start, min(n, start + step)) for start in range(0, n, step)]
