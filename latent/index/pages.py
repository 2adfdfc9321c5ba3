"""A mapped file of rows, of which a process keeps only so much in memory.

Rows that are looked up one by one, anywhere in the file, would in time all be counted as memory of
this process. They are let go of now and then; the system keeps them in its own cache, from which
they are back in a microsecond. Knows nothing about what the rows mean.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

AROUND = 524_288
"""Bytes that Linux maps in around one row: 330 KB were seen, since it caches in large pieces."""
KEPT = 96_000_000  # bytes of one file that a process holds at most …
WHOLE = 256_000_000  # … unless the whole file has no more than these: to fetch is to wait


class Pages:
    """Counts what was looked up in a mapped file and lets go of it. Safe among threads."""

    def __init__(self, rows: NDArray[Any], mapped: mmap.mmap, *, most: int = KEPT) -> None:
        size = max(AROUND, rows[:1].nbytes)
        self._mapped = mapped
        self._left = self._room = max(1, most // size)

    def looked_up(self, rows: int) -> None:
        """Note that so many rows were read, wherever they lie."""
        # Two threads at once may count wrongly; then more is kept for a moment, or less.
        self._left -= rows
        if self._left < 0:
            self._left = self._room
            self._mapped.madvise(mmap.MADV_DONTNEED)


def mapped(path: Path, *, whole: int = WHOLE) -> tuple[NDArray[Any], Pages | None]:
    """The rows of an `.npy` file, and what counts them.

    Nothing counts where nothing can be let go of, or need be: a small file may stay in memory, and
    several processes that map it have it there once.

    Raises:
        OSError, ValueError: it cannot be read, or is no such file.
    """
    rows = np.load(path, mmap_mode="r")
    under = getattr(rows, "_mmap", None)
    is_small = rows.nbytes <= whole
    if is_small or not isinstance(under, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return rows, None
    return rows, Pages(rows, under)
