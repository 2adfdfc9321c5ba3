"""Products of all vectors with a direction, kept for as long as the vectors that never change.

Computed piece by piece, so that no copy of the vectors is made and a mapped file is let go of on
the way. Knows nothing about what a direction means.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latent.index.bases import Base
from latent.index.pages import AROUND
from latent.index.vectors import Keys
from latent.items import Vector

Scores = NDArray[np.float32]

PIECE = 8_192  # rows multiplied at once
MOST_BYTES = 64_000_000  # of all products kept with one base; the last one stays in any case


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """The product of every vector with a direction: `keys` `(n,)`, in no order, and `scores`."""

    keys: Keys
    scores: Scores


class BaseProducts:
    """The products of the rows of one base, by direction. Safe among threads."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._keeping = threading.Lock()
        self._kept: OrderedDict[bytes, Scores] = OrderedDict()

    def of(self, direction: Vector) -> Scores:
        """`(rows of the base,)`; two that ask for a new one at once may both compute it."""
        asked = direction.tobytes()
        with self._keeping:
            if (kept := self._kept.get(asked)) is not None:
                self._kept.move_to_end(asked)
                return kept
        found = self._multiplied(direction)
        with self._keeping:
            self._kept[asked] = found
            while len(self._kept) > 1 and sum(x.nbytes for x in self._kept.values()) > MOST_BYTES:
                self._kept.popitem(last=False)
        return found

    def _multiplied(self, direction: Vector) -> Scores:
        vectors, pages = self._base.vectors, self._base.pages
        found = np.empty(len(vectors), np.float32)
        for start in range(0, len(vectors), PIECE):
            piece = vectors[start : start + PIECE]
            np.matmul(piece, direction, out=found[start : start + PIECE])
            if pages is not None:
                pages.looked_up(-(-piece.nbytes // AROUND))
        return found
