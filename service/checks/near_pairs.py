"""All pairs of rows whose product reaches a cut, block by block, so that memory stays small.

Knows nothing about what the rows stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import local
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from latent.items import Vectors
from latent.media.fingerprints import BITS, Prints

BLOCK = 512
"""Rows that are multiplied with as many others at once: products stay in the cache of a core."""

TURN = 256
"""Blocks that are handed out at once, so that what was found does not pile up."""

Places: TypeAlias = NDArray[np.int64]
Pairs: TypeAlias = Iterator[tuple[Places, Places]]
Products: TypeAlias = NDArray[np.float32]
Multiply: TypeAlias = Callable[[slice, slice, "_Room"], Products]
"""The products of some rows with some others."""


class _Room(local):
    """Memory that a thread uses again and again: fresh memory costs as much as the sums."""

    def __init__(self, side: int) -> None:
        self._kept = [np.empty(side**2, np.float32) for _ in range(2)]

    def matrix(self, number: int, ones: slice, twos: slice) -> Products:
        """One of two matrices, `(ones, twos)`."""
        height, width = ones.stop - ones.start, twos.stop - twos.start
        return self._kept[number][: height * width].reshape(height, width)


def near_pairs(rows: Vectors, cut: float, *, threads: int = 1) -> Pairs:
    """Places `(i, j)`, `i < j`, of rows whose product is at least `cut`."""

    def multiply(ones: slice, twos: slice, room: _Room) -> Products:
        return np.matmul(rows[ones], rows[twos].T, out=room.matrix(0, ones, twos))

    return _reaching(len(rows), multiply, cut, threads)


def near_prints(prints: Prints, most: float, *, threads: int = 1) -> Pairs:
    """Places `(i, j)`, `i < j`, of hashes of which at most this share of bits differs.

    As they are, or if one of the two is mirrored, which changes the bits in every other column.
    """
    signs = 2 * np.unpackbits(prints, axis=1).astype(np.float32) - 1
    even, odd = (np.ascontiguousarray(signs[:, start::2]) for start in (0, 1))

    def multiply(ones: slice, twos: slice, room: _Room) -> Products:
        products, rest = (room.matrix(number, ones, twos) for number in (0, 1))
        np.matmul(even[ones], even[twos].T, out=products)
        np.matmul(odd[ones], odd[twos].T, out=rest)
        return np.add(products, np.abs(rest, out=rest), out=products)

    # Sums of ±1 are whole numbers, and exact.
    return _reaching(len(prints), multiply, BITS * (1 - 2 * most), threads)


def _reaching(count: int, multiply: Multiply, cut: float, threads: int) -> Pairs:
    """The pairs of all blocks, in the order of the blocks; BLAS itself takes one thread a block."""
    starts = range(0, count, BLOCK)
    blocks = ((top, left) for top in starts for left in starts if left >= top)
    room = _Room(min(BLOCK, count))

    def reaching(block: tuple[int, int]) -> tuple[Places, Places]:
        top, left = block
        ones, twos = (slice(start, min(start + BLOCK, count)) for start in block)
        products = multiply(ones, twos, room)
        hot = np.flatnonzero(products.max(axis=1) >= cut)  # few, and found at little cost
        across, down = np.nonzero(products[hot] >= cut)
        firsts, seconds = top + hot[across], left + down
        is_once = firsts < seconds
        return firsts[is_once], seconds[is_once]

    if threads == 1 or count <= BLOCK:
        yield from filter(_has_any, map(reaching, blocks))
        return
    # Where numpy was loaded first, BLAS has a pool of its own, and both would fight for the cores.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads, "near-pairs") as pool:
        while turn := list(islice(blocks, TURN)):
            yield from filter(_has_any, pool.map(reaching, turn))


def _has_any(pairs: tuple[Places, Places]) -> bool:
    return bool(len(pairs[0]))
