"""Items that were read lately, kept for as long as it is known that nobody has written them.

What is found is found again: reading the same rows is nearly half the work of a question. Who
follows a collection tells what each write changed, so that the others stay as they are. Bounded in
number and bytes. Knows nothing about how they are read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from latent.catalog.database import written
from latent.index.vectors import Keys
from latent.items import Item

MOST = 10_000
MOST_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class _Followed:
    """All that was changed behind `first`, up to `last`, was told."""

    first: int
    last: int

    def with_more(self, since: int, until: int) -> _Followed:
        """The same, with what was told of another stretch; the later one where they do not meet."""
        if since > self.last:
            return _Followed(since, until)
        if until < self.first:
            return self
        return _Followed(min(self.first, since), max(self.last, until))


@dataclass(frozen=True, slots=True)
class _Kept:
    sequence: int
    item: Item
    size: int

    def is_current(self, sequence: int, followed: _Followed | None) -> bool:
        """Whether it is as it was at this number; what was told to be changed is not kept."""
        if self.sequence == sequence or followed is None:
            return self.sequence == sequence
        return followed.first <= self.sequence and sequence <= followed.last


class KeptItems:
    """Items by collection and key; the one that was asked for the longest ago goes first.

    Safe in many threads.
    """

    def __init__(self, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._items: OrderedDict[tuple[str, int], _Kept] = OrderedDict()
        self._followed: dict[str, _Followed] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def known(self, uid: str, sequence: int, keys: Iterable[int]) -> dict[int, Item]:
        """Those of the items that are kept as they were at this number, or are since."""
        found: dict[int, Item] = {}
        with self._lock:
            followed = self._followed.get(uid)
            for key in keys:
                kept = self._items.get((uid, key))
                if kept is not None and kept.is_current(sequence, followed):
                    self._items.move_to_end((uid, key))
                    found[key] = kept.item
        return found

    def keep(self, uid: str, sequence: int, items: Mapping[int, Item]) -> None:
        """Keep items that were read when the number was this one, or a later one."""
        with self._lock:
            followed = self._followed.get(uid)
            if followed is not None and sequence < followed.last:
                return  # what was told meanwhile may have been about them
            for key, item in items.items():
                before = self._items.get((uid, key))
                if before is not None and before.sequence > sequence:
                    continue  # another has read what was written since
                item.vector.flags.writeable = False  # from now on it is shared
                kept = _Kept(sequence, item, _size(item))
                self._items[(uid, key)] = kept
                self._items.move_to_end((uid, key))
                self._bytes += kept.size - (before.size if before else 0)
            while len(self._items) > self._most or self._bytes > self._most_bytes:
                _, oldest = self._items.popitem(last=False)
                self._bytes -= oldest.size

    def follow(self, uid: str, since: int, until: int, changed: Keys) -> None:
        """Know that of all items only these were changed behind `since`, up to `until`."""
        with self._lock:
            before = self._followed.get(uid, _Followed(since, until))
            self._followed[uid] = before.with_more(since, until)
            for key in changed.tolist():
                kept = self._items.get((uid, key))
                if kept is not None and kept.sequence < until:
                    del self._items[(uid, key)]
                    self._bytes -= kept.size


def _size(item: Item) -> int:
    """About as many bytes as it takes."""
    metadata = 4 * len(written(item.metadata))  # the quickest way to know
    return int(item.vector.nbytes) + len(item.text or "") + metadata + 1_000
