"""Hits that differ from each other: maximal marginal relevance.

Carbonell and Goldstein, "The use of MMR, diversity-based reranking for reordering documents and
producing summaries", SIGIR 1998. Knows nothing about where hits come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latent.items import Vectors


def diverse(
    vectors: Vectors,
    worths: Sequence[float],
    diversity: float,
    *,
    k: int,
    chosen: Sequence[int] = (),
) -> list[int]:
    """Up to k rows of `vectors`, `(n, dim)` unit rows, one by one: worth much, like no other.

    Each next one has the most of `(1 - diversity) * worth - diversity * likeness`, where worths are
    scaled to 0..1 and likeness is the cosine to the nearest of those taken. `chosen` were taken
    before; without them the first is that of most worth. Of equals the first comes first.
    """
    worth = _scaled(np.asarray(worths, dtype=np.float64))
    likeness = np.full(len(worth), -np.inf)
    is_free = np.ones(len(worth), dtype=bool)
    for row in chosen:
        is_free[row] = False
        np.maximum(likeness, vectors @ vectors[row], out=likeness)
    picked: list[int] = []
    while is_free.any() and len(picked) < k:
        # Nothing is like what was taken before anything was: the best one comes first.
        gain = (1 - diversity) * worth - diversity * likeness if chosen or picked else worth
        row = int(np.argmax(np.where(is_free, gain, -np.inf)))
        picked.append(row)
        is_free[row] = False
        np.maximum(likeness, vectors @ vectors[row], out=likeness)
    return picked


def _scaled(worth: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(worth):
        return worth
    low, high = worth.min(), worth.max()
    return (worth - low) / (high - low) if high > low else np.ones_like(worth)
