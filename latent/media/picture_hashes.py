"""The hashes of a collection's pictures, held in memory to be compared with one.

Read anew when the collection has changed: a row of 32 bytes for each picture. Knows nothing about
vectors.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from latent.catalog.catalog import Catalog
from latent.catalog.rows import Entry
from latent.index.vectors import Keys
from latent.media.fingerprints import Prints, distances, prints_of, views


@dataclass(frozen=True, slots=True)
class _Held:
    sequence: int
    keys: Keys
    prints: Prints


class PictureHashes:
    """What the pictures of one collection look like. Safe among threads."""

    def __init__(self, catalog: Catalog, entry: Entry) -> None:
        self._catalog = catalog
        self._entry = entry
        self._reading = threading.Lock()
        self._held: _Held | None = None

    def near(self, picture_hash: str, within: float) -> list[int]:
        """Keys of pictures as near to it as `within`, also turned over; nearest first."""
        asked, known = prints_of([picture_hash])
        held = self._now()
        if not known.all() or not len(held.keys):
            return []
        apart = np.min([distances(held.prints, view) for view in views(asked)], axis=0)
        found = np.flatnonzero(apart <= within)
        order = np.lexsort((held.keys[found], apart[found]))
        return [int(key) for key in held.keys[found[order]]]

    def _now(self) -> _Held:
        with self._reading:
            held = self._held
            if held is None or held.sequence != self._catalog.sequence(self._entry):
                number, keys, hashes = self._catalog.picture_hashes(self._entry)
                held = self._held = _Held(number, np.array(keys, np.int64), prints_of(hashes)[0])
            return held
