"""All pairs of rows whose product reaches a cut, block by block, so that memory stays small.

Knows nothing about what the rows stand for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from latent.items import Vectors
from latent.media.fingerprints import BITS, Prints

BLOCK = 2048
"""Rows that are multiplied with as many others at once: 16 MiB of products."""

Places: TypeAlias = NDArray[np.int64]
Pairs: TypeAlias = Iterator[tuple[Places, Places]]
Multiply: TypeAlias = Callable[[slice, slice, NDArray[np.float32]], None]
"""Writes the products of some rows with some others."""


def near_pairs(rows: Vectors, cut: float) -> Pairs:
    """Places `(i, j)`, `i < j`, of rows whose product is at least `cut`."""

    def multiply(ones: slice, twos: slice, products: NDArray[np.float32]) -> None:
        np.matmul(rows[ones], rows[twos].T, out=products)

    return _reaching(len(rows), multiply, cut)


def near_prints(prints: Prints, most: float) -> Pairs:
    """Places `(i, j)`, `i < j`, of hashes of which at most this share of bits differs.

    As they are, or if one of the two is mirrored, which changes the bits in every other column.
    """
    signs = 2 * np.unpackbits(prints, axis=1).astype(np.float32) - 1
    even, odd = (np.ascontiguousarray(signs[:, start::2]) for start in (0, 1))
    more = np.empty(min(BLOCK, len(prints)) ** 2, np.float32)

    def multiply(ones: slice, twos: slice, products: NDArray[np.float32]) -> None:
        rest = more[: products.size].reshape(products.shape)
        np.matmul(even[ones], even[twos].T, out=products)
        np.matmul(odd[ones], odd[twos].T, out=rest)
        np.add(products, np.abs(rest, out=rest), out=products)

    # Sums of ±1 are whole numbers, and exact.
    return _reaching(len(prints), multiply, BITS * (1 - 2 * most))


def _reaching(count: int, multiply: Multiply, cut: float) -> Pairs:
    # Used again and again: fresh memory costs as much as the sums.
    kept = np.empty(min(BLOCK, count) ** 2, np.float32)
    for top in range(0, count, BLOCK):
        for left in range(top, count, BLOCK):
            shape = (min(BLOCK, count - top), min(BLOCK, count - left))
            products = kept[: shape[0] * shape[1]].reshape(shape)
            multiply(slice(top, top + shape[0]), slice(left, left + shape[1]), products)
            hot = np.flatnonzero(products.max(axis=1) >= cut)  # few, and found at little cost
            across, down = np.nonzero(products[hot] >= cut)
            ones, twos = top + hot[across], left + down
            is_once = ones < twos
            if is_once.any():
                yield ones[is_once], twos[is_once]
