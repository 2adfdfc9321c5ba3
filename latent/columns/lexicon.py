"""The different values of one kind in a column, in order, each with its code.

New ones are kept beside until there are enough to be sorted in, so that a write costs little.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from latent.filters.language import Op

V = TypeVar("V", float, bytes)
Codes = NDArray[np.int32]

MOST_NEW = 1_000


class Lexicon(Generic[V]):
    """Values and their codes; a value keeps its code for good."""

    def __init__(self, kind: str) -> None:
        self._sorted: NDArray[np.generic] = np.empty(0, kind)
        self._codes: Codes = np.empty(0, np.int32)
        self._new: dict[V, int] = {}
        self._lowered: NDArray[np.bytes_] | None = None  # of those that are sorted in

    def __len__(self) -> int:
        return len(self._sorted) + len(self._new)

    @property
    def bytes(self) -> int:
        """The memory it takes, about."""
        lowered = 0 if self._lowered is None else self._lowered.nbytes
        return int(self._sorted.nbytes + self._codes.nbytes + lowered) + 200 * len(self._new)

    def codes(self, values: Sequence[V], first: int) -> list[int]:
        """The code of each of these different values; those that are new get `first` and on."""
        found = self._known(values)
        for at, value in enumerate(values):
            if found[at] < 0:
                found[at] = self._new[value] = first
                first += 1
        if len(self._new) > MOST_NEW:
            self._sort_in()
        return found

    def has(self, values: Sequence[V]) -> Codes:
        """The codes of those of the values that are here."""
        return np.array([code for code in self._known(values) if code >= 0], np.int32)

    def where(self, op: Op, than: V) -> Codes:
        """The codes of all values that compare so."""
        side = "left" if op in (Op.LT, Op.GTE) else "right"
        edge = int(np.searchsorted(self._sorted, np.array(than), side))  # type: ignore[call-overload]
        part = slice(None, edge) if op in (Op.LT, Op.LTE) else slice(edge, None)
        new = sorted(self._new)
        edge = bisect_left(new, than) if side == "left" else bisect_right(new, than)
        beside = new[:edge] if op in (Op.LT, Op.LTE) else new[edge:]
        others = np.array([self._new[value] for value in beside], np.int32)
        return np.concatenate([self._codes[part], others])

    def lowered(self) -> Iterator[tuple[NDArray[np.bytes_], Codes]]:
        """All strings with A to Z in lower case, and their codes; some, and then the others."""
        if self._lowered is None:
            self._lowered = _lower(self._sorted)
        yield self._lowered, self._codes
        yield _lower(np.array(list(self._new), "S")), np.array(list(self._new.values()), np.int32)

    def _known(self, values: Sequence[V]) -> list[int]:
        """Codes, -1 for a value that is not here."""
        found = [self._new.get(value, -1) for value in values]
        if len(self._sorted) and values:
            # As wide as the widest of both: a shorter type would cut what is asked.
            asked = np.array(values)
            at = np.minimum(np.searchsorted(self._sorted, asked), len(self._sorted) - 1)
            is_there = self._sorted[at] == asked
            known = np.where(is_there, self._codes[at], -1).tolist()
            found = [max(one, other) for one, other in zip(found, known, strict=True)]
        return found

    def _sort_in(self) -> None:
        new = np.array(list(self._new))
        codes = np.array(list(self._new.values()), np.int32)
        order = np.argsort(new)
        new, codes = new[order], codes[order]
        at = np.searchsorted(self._sorted, new)
        # insert keeps the type of what it inserts into, which may be too short for new strings.
        wide = self._sorted.astype(np.result_type(self._sorted, new), copy=False)
        self._sorted = np.insert(wide, at, new)
        self._codes = np.insert(self._codes, at, codes)
        self._lowered = None
        self._new = {}


def _lower(strings: NDArray[np.generic]) -> NDArray[np.bytes_]:
    lowered: NDArray[np.bytes_] = np.strings.lower(strings.astype(np.bytes_, copy=False))  # type: ignore[assignment]
    return lowered
