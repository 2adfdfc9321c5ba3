"""The seam behind which vectors are searched: VectorIndex, and the order of neighbours.

Two implementations stand behind it: `exact.ExactIndex` (numpy, the oracle) and
`faiss_index.FaissIndex`. Knows nothing about items, catalogs or files.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latent.items import Vectors

Keys: TypeAlias = NDArray[np.int64]
"""Catalog row numbers, `(n,)` int64, not negative."""


FEW = 64
"""Candidates that are sorted sooner as numbers of Python's, without a dozen calls of numpy."""


class Neighbour(NamedTuple):
    """What was found, by key, and its cosine."""

    key: int
    score: float


class VectorIndex(Protocol):
    """Holds unit vectors by key and finds the nearest.

    `add` replaces; nothing is ever padded; `search` gives at most k, best first, ties by key.
    Searches may run while another thread adds or drops.
    """

    @property
    def dim(self) -> int: ...

    def __len__(self) -> int: ...

    def __contains__(self, key: int) -> bool: ...

    def add(self, keys: Keys, vectors: Vectors) -> None:
        """Take in vectors; a key that is already here is replaced.

        Raises:
            SpaceMismatchError: another dimension.
            InputError: a value is not finite.
        """
        ...

    def drop(self, keys: Keys) -> None:
        """Forget keys; those not here are ignored."""
        ...

    def search(
        self, queries: Vectors, k: int, *, only: Keys | None = None
    ) -> list[list[Neighbour]]:
        """The `min(k, len)` nearest for each query; with `only`, among those keys alone.

        Raises:
            SpaceMismatchError: another dimension.
            InputError: a query is not finite.
        """
        ...


def cosines(vectors: Vectors, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of each unit row with a unit query, in float64 so that all indexes agree fully."""
    scores: NDArray[np.float32] = np.vecdot(vectors, query, dtype=np.float64).astype(np.float32)
    return scores


def best(keys: Keys, scores: NDArray[np.float32], k: int) -> list[Neighbour]:
    """The k best of a heap of candidates: by score, ties by key."""
    if len(keys) <= FEW:
        ranked = sorted(zip((-scores).tolist(), keys.tolist(), strict=True))
        return [Neighbour(key, -score) for score, key in ranked[:k]]
    if len(keys) > k:
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = scores >= threshold
        keys, scores = keys[candidates], scores[candidates]
    order = np.lexsort((keys, -scores))[:k]
    return [
        Neighbour(key, score)
        for key, score in zip(keys[order].tolist(), scores[order].tolist(), strict=True)
    ]
