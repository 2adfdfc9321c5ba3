"""Which keys match a filter, kept for as long as nothing is written.

The sequence of a collection names its contents exactly, so what matched at a sequence matches until
the next; the pages of one answer, and filters that many ask, are looked up once. Knows nothing
about vectors.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Match
from latent.catalog.rows import Entry
from latent.columns.columns import Columns
from latent.filters.language import Filter
from latent.items import Modality

MOST_KEPT = 8
MOST_KEYS = 4_000_000
"""Keys kept in all, eight bytes each."""


class Matches:
    """The last matches of a collection, by what was asked. Safe among threads."""

    def __init__(self, catalog: Catalog, entry: Entry) -> None:
        self._catalog = catalog
        self._entry = entry
        self._columns = Columns(catalog, entry)
        self._keeping = threading.Lock()
        self._kept: OrderedDict[str, Match] = OrderedDict()

    def at(self, sequence: int, where: Filter | None, modality: Modality | None) -> Match:
        """The match at this sequence if it is kept, else the one right now.

        Raises:
            FilterError: a field is not known.
        """
        asked = repr((where, modality))  # equal trees may differ: 1 is True to Python
        with self._keeping:
            match = self._kept.get(asked)
            if match is not None and match.sequence == sequence:
                self._kept.move_to_end(asked)
                return match
        match = None
        if self._columns.is_worth(where):
            match = self._columns.matching(where, modality)
        if match is None:
            match = self._catalog.matching(self._entry, where=where, modality=modality)
        with self._keeping:
            self._kept[asked] = match
            self._kept.move_to_end(asked)
            while len(self._kept) > MOST_KEPT or self._size() > MOST_KEYS:
                self._kept.popitem(last=False)
        return match

    def _size(self) -> int:
        return sum(len(match.keys) for match in self._kept.values())
