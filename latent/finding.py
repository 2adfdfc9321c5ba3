"""The nearest items of a collection, with how they were found.

The index is searched among the keys that match, both seen at one moment; what it finds is read from
the catalog, and looked for further where some of it was seen before or has changed since. Knows
nothing about how items are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latent.catalog.catalog import Catalog
from latent.catalog.rows import Entry
from latent.clock import Clock
from latent.columns.matches import Matches
from latent.filters.language import Filter
from latent.filters.match import matches
from latent.index.faiss_index import FaissIndex
from latent.index.plans import Trace, Way
from latent.index.served import ServedIndex
from latent.index.vectors import Keys, Neighbour
from latent.items import JSON, Hit, Item, Modality, Vector, Vectors

MOST_TURNS = 5  # tries to see matches and index at one moment while others write


@dataclass(frozen=True, slots=True)
class Found:
    """Hits, best first, and how they were found (`docs/explanation/planner.md`)."""

    hits: list[Hit]
    explain: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Among:
    """What may be found: items that match, behind an edge, which is score and id of a hit."""

    tree: Filter | None = None
    modality: Modality | None = None
    after: tuple[float, str] | None = None

    def hits(self, neighbours: Sequence[Neighbour], items: Mapping[int, Item]) -> list[Hit]:
        """The neighbours that are still there, and still what was asked for."""
        is_all = self.tree is None and self.modality is None
        return [
            Hit(item, score)
            for key, score in neighbours
            if (item := items.get(key)) is not None and (is_all or self.has(item))
        ]

    def has(self, item: Item) -> bool:
        """Whether an item is still what was asked for; another may have changed it since."""
        return self.modality in (None, item.modality) and (
            self.tree is None or matches(self.tree, item)
        )


class Finder:
    """Finds the nearest items of one collection. Safe among threads and beside other processes."""

    def __init__(
        self, catalog: Catalog, entry: Entry, index: ServedIndex, matches: Matches
    ) -> None:
        self._catalog = catalog
        self._entry = entry
        self._index = index
        self._matches = matches

    def found(self, unit: Vector, k: int, among: Among) -> Found:
        """The k nearest to a unit vector, best first, ties by arrival; fewer if fewer match."""
        return self.found_each(unit[None, :], k, among)[0]

    def found_each(self, units: Vectors, k: int, among: Among) -> list[Found]:
        """As `found` for each row of `(n, dim)`: one search, and one look into the catalog."""
        clock = Clock()
        with clock.measure("match"):
            index, only = self.matched(among.tree, among.modality)
            edge = self._edge(among.after)
        found: dict[int, Found] = {}
        left, wanted = list(range(len(units))), k
        while left:
            with clock.measure("search"):
                rows = units if len(left) == len(units) else units[left]
                traced = index.traced(rows, wanted, only=only)
            behind = [
                some if edge is None else [n for n in some if (-n.score, n.key) > edge]
                for some, _ in traced
            ]
            with clock.measure("fetch"):
                items = self._catalog.by_key(self._entry, {n.key for some in behind for n in some})
            again = []
            for place, some, (neighbours, trace) in zip(left, behind, traced, strict=True):
                hits = among.hits(some, items)
                if len(hits) >= k or len(neighbours) < wanted:
                    found[place] = Found(hits[:k], _explain(index, only, trace, clock))
                else:
                    again.append(place)
            # Some were seen on earlier pages, or were dropped or changed since the search.
            left, wanted = again, max(2 * wanted, wanted + k)
        return [found[place] for place in range(len(units))]

    def matched(
        self, tree: Filter | None, modality: Modality | None
    ) -> tuple[FaissIndex, Keys | None]:
        """The index, and the keys it may find, seen at one moment if others are not too busy."""
        served = self._index.followed()
        if tree is None and modality is None:
            return served.index, None
        match = self._matches.at(served.sequence, tree, modality)
        for _ in range(MOST_TURNS):
            if match.sequence == served.sequence:
                break
            self._catalog.look_again()
            served = self._index.followed()
            match = self._matches.at(served.sequence, tree, modality)
        return served.index, match.keys

    def _edge(self, after: tuple[float, str] | None) -> tuple[float, float] | None:
        if after is None:
            return None
        score, item_id = after
        key = self._catalog.keys(self._entry, [item_id]).get(item_id)
        # A last hit that is gone by now leaves only its score to go on from.
        return (-score, key if key is not None else float("inf"))


def _explain(index: FaissIndex, only: Keys | None, trace: Trace, clock: Clock) -> dict[str, JSON]:
    way = trace.plan.way
    if way is Way.NOTHING and trace.candidates:  # all there is came after the last snapshot
        way = Way.EXACT
    return {
        "plan": way.value,
        "items": len(index),
        "matched": None if only is None else len(only),
        "candidates": trace.candidates,
        "effort": trace.plan.effort,
        "fell_back": trace.fell_back,
        "ms": {**clock.took_ms()},
    }
