"""Random samples of a collection, kept until enough of it has changed.

What chance gives a question is estimated from them. The same items give the same sample. Knows
nothing about questions and scores.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from latent.columns.matches import Matches
from latent.index.faiss_index import FaissIndex
from latent.index.served import Served
from latent.index.vectors import Keys
from latent.items import Modality, Vectors

SIZE = 512
"""Items in a sample: the deviation of scores is known to about 3 %."""
PART, SOONER = 10, 20
"""A sample is drawn anew when more than one in so many items of its modality have changed since.

Sooner by who looks after the collection, so that no question waits for it.
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Vectors `(n, dim)` of some items of one modality, and how many of that there are in all."""

    vectors: Vectors
    items: int


@dataclass(frozen=True, slots=True)
class _Kept:
    sample: Sample
    line: object
    changes: int

    def is_fresh(self, served: Served, modality: Modality, part: int) -> bool:
        if served.line is not self.line:
            return False
        return part * (served.changes[modality] - self.changes) <= self.sample.items


class Samples:
    """The samples of one collection, by modality. Safe among threads."""

    def __init__(self, matches: Matches) -> None:
        self._matches = matches
        self._drawing = threading.Lock()
        self._kept: dict[Modality, _Kept] = {}

    def of(self, served: Served, modality: Modality, *, part: int = PART) -> Sample:
        """A sample of the items of one modality, of which no more than one in `part` changed."""
        kept = self._kept.get(modality)
        if kept is not None:
            if kept.is_fresh(served, modality, part):
                return kept.sample
            # To list all keys takes as long as many questions: one of them does it, and those
            # beside it go by what was drawn before.
            if not self._drawing.acquire(blocking=False):
                return kept.sample
        else:
            self._drawing.acquire()
        try:
            kept = self._kept.get(modality)
            if kept is None or not kept.is_fresh(served, modality, part):
                kept = self._kept[modality] = self._drawn(served, modality)
            return kept.sample
        finally:
            self._drawing.release()

    def _drawn(self, served: Served, modality: Modality) -> _Kept:
        changes, line = served.changes[modality], served.line
        keys = self._matches.at(served.sequence, None, modality).keys
        return _Kept(drawn(served.index, keys, SIZE), line, changes)


def drawn(index: FaissIndex, keys: Keys, n: int) -> Sample:
    """Up to n of the keys at random, the same ones for the same keys."""
    chosen = np.random.default_rng(0).choice(keys, min(n, len(keys)), replace=False)
    return Sample(index.vectors_of(np.sort(chosen))[1], len(keys))
