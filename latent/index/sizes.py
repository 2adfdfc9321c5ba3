"""What a collection of a size will take, before there is one: memory, disk, time to build.

The sizes follow from the layout of the files and are held against real ones by a test; the time is
that of a machine it was measured on. Knows nothing about collections that are there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from latent.index.bases import LINKS, Kind, Quantisation

KEY = 8  # bytes of a key in the snapshot
ORDER = 8  # bytes that say where the row of a key is: a graph has its rows in an order of its own
LEVEL = 12  # bytes that say where the links of an item begin, and on how many levels it is
EMPTY = 213_000  # bytes of a catalog with nothing in its tables
ITEM = 150  # bytes of an item in the catalog, without vector, text, metadata
PAGE = 8_192  # of the catalog in SQLite, see `latent.catalog.database`
CORE_SECONDS = 0.61e-3
"""Processor time for an item of 384 numbers in a graph of a million, as measured."""
PATIENCE = 86_400.0
"""Seconds that building a graph may take; who changes a collection daily cannot wait longer."""
SERVICE = 700_000_000
"""Bytes of a service that holds nothing but the model `mini`, as measured."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What so many items take. Bytes and seconds.

    `memory` is what searches hold; `roomy` has the exact vectors in the system's cache besides, so
    that none is waited for. `disk` has room for the next snapshot beside the present one, while its
    vectors are put into another order.
    """

    kind: Kind
    quantisation: Quantisation
    memory: int
    roomy: int
    catalog: int
    snapshot: int
    build_seconds: float

    @property
    def disk(self) -> int:
        return self.catalog + 2 * self.snapshot + self.roomy - self.memory


def code_size(dim: int, quantisation: Quantisation) -> int:
    """Bytes of the code of a vector."""
    if quantisation is Quantisation.PQ:
        return next(parts for parts in range(max(1, dim // 8), 0, -1) if dim % parts == 0)
    if quantisation is Quantisation.RABITQ:
        return 2 * -(-dim // 8) + 20
    return {
        Quantisation.FLOAT32: 4 * dim,
        Quantisation.FP16: 2 * dim,
        Quantisation.SQ8: dim,
    }[quantisation]


def links_size() -> float:
    """Bytes of the links of an item: twice as many on the lowest level, few on those above."""
    upper = sum(4 * LINKS * float(LINKS) ** -level for level in range(1, 8))
    return 4 * 2 * LINKS + upper + LEVEL


def sizes(items: int, dim: int, *, quantisation: Quantisation, exact: int, cores: int) -> Sizes:
    """What a collection takes that gets a graph above `exact` items."""
    vectors = 4 * dim * items
    catalog = EMPTY + round(items * (ITEM + stored_size(dim)))
    if items <= exact:
        memory = vectors + KEY * items
        return Sizes(Kind.EXACT, Quantisation.FLOAT32, memory, memory, catalog, memory, 0.0)
    index = round(items * (code_size(dim, quantisation) + links_size() + KEY))
    memory = index + ORDER * items
    return Sizes(
        Kind.HNSW,
        quantisation,
        memory,
        memory + vectors,
        catalog,
        index + vectors,
        build_seconds(items, dim, cores=cores),
    )


def build_seconds(items: int, dim: int, *, cores: int) -> float:
    """Walks get longer with the logarithm of the size, and each step with the dimension."""
    walk = math.log(max(2, items)) / math.log(1e6)
    return items * CORE_SECONDS * walk * (0.5 + 0.5 * dim / 384) / cores


def stored_size(dim: int) -> float:
    """Bytes of a vector in SQLite, which cuts what is longer than a page.

    See https://www.sqlite.org/fileformat.html, "B-tree Cell Payload" and overflow pages.
    """
    payload, most, least = 4 * dim + 6, PAGE - 35, (PAGE - 12) * 32 // 255 - 23
    if payload <= most:
        return PAGE / ((PAGE - 8) // (payload + 9))
    kept = least + (payload - least) % (PAGE - 4)
    local = kept if kept <= most else least
    overflow = -(-(payload - local) // (PAGE - 4))
    return PAGE / ((PAGE - 8) // (local + 13)) + overflow * PAGE


def most_items(memory: int, dim: int, *, quantisation: Quantisation, cores: int) -> int:
    """How many items one machine can hold and link in time: more are for several machines.

    A new graph is built beside the one that is served, so both must fit.
    """
    each = code_size(dim, quantisation) + links_size() + KEY + ORDER
    by_memory = int(max(0, memory - SERVICE) / (2 * each))
    low, high = 0, by_memory
    while low < high:  # time grows with size, so halving finds the last one that is in time
        middle = (low + high + 1) // 2
        is_in_time = build_seconds(middle, dim, cores=cores) <= PATIENCE
        low, high = (middle, high) if is_in_time else (low, middle - 1)
    return low
