"""Places that were found before, the most recently asked for, so that a repeated question is free.

Bounded in number and in bytes. Knows nothing about models and batches.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from hashlib import sha256
from typing import TypeAlias

from latent.items import Modality, Vector
from latent.space import Space

MOST_BYTES = 64_000_000  # of vectors, however many dimensions they have

Key: TypeAlias = tuple[str, str, Modality, bytes]
"""A model's name and fingerprint, the kind of a thing, and a hash of what it says or shows."""


def key_of(space: Space, modality: Modality, content: str | bytes) -> Key:
    """The key of a text or of the bytes of a picture; takes a while where they are many."""
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    return space.model, space.fingerprint, modality, sha256(content).digest()


class Remembered:
    """Vectors by key; the one that was asked for the longest ago is forgotten first.

    Safe in many threads. With `most` 0 it remembers nothing.
    """

    def __init__(self, most: int, *, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._rows: OrderedDict[Key, Vector] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: Key) -> Vector | None:
        """The vector of that key, if it is remembered; it must not be written to."""
        with self._lock:
            row = self._rows.get(key)
            if row is not None:
                self._rows.move_to_end(key)
            return row

    def keep(self, key: Key, row: Vector) -> None:
        """Remember a vector, and forget what there is no room for."""
        if not self._most or row.nbytes > self._most_bytes:
            return
        own = row.copy()  # a view would hold the whole batch it was computed in
        own.flags.writeable = False
        with self._lock:
            before = self._rows.pop(key, None)
            self._bytes += own.nbytes - (0 if before is None else before.nbytes)
            self._rows[key] = own
            while len(self._rows) > self._most or self._bytes > self._most_bytes:
                _, oldest = self._rows.popitem(last=False)
                self._bytes -= oldest.nbytes
