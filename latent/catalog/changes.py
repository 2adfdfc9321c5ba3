"""What a write asks of the catalog and what it did; what others wrote since; what matches.

Knows nothing about databases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latent.index.vectors import Keys
from latent.items import Item, Modality, Source, Vectors


@dataclass(frozen=True, slots=True)
class Change:
    """One write: everything in it happens, or nothing.

    `put` replaces items of the same id. `replace` names sources whose items are all dropped unless
    they are put again here. `sources` are remembered, `forget` are dropped with their items.
    """

    put: Sequence[Item] = ()
    drop: Sequence[str] = ()
    sources: Sequence[Source] = ()
    replace: Sequence[str] = ()
    forget: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did: its number, the keys of `Change.put` in order, and the keys that went."""

    sequence: int
    keys: Keys
    dropped: Keys


@dataclass(frozen=True, slots=True)
class Match:
    """The keys of all items that matched, ascending, at this sequence."""

    sequence: int
    keys: Keys


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field to read: the JSON of its value, or the place it gives."""

    name: str
    is_place: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Fields of some items: a sequence of cells for each field that was wanted.

    A cell is the JSON of a value, None where there is no such field; of a place it is latitude and
    longitude, as numbers or their text.
    """

    keys: Keys
    are_images: NDArray[np.bool_]
    cells: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Cells:
    """Fields of the items that changed after some sequence, and the sequence now.

    `is_whole`: these are all items there are, whatever was known before.
    """

    sequence: int
    is_whole: bool
    parts: Sequence[Part]
    dropped: Keys


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item comes from: the file it was read from, if it was, and its `uri`."""

    source: str | None
    uri: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a collection holds."""

    images: int = 0
    texts: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """What tells an item from its copies, but for its vector."""

    key: int
    id: str
    modality: Modality
    content_hash: str | None
    picture_hash: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Everything:
    """All there is at one moment: keys, ascending, and their vectors, part by part.

    The parts can be read while the transaction lasts.
    """

    sequence: int
    keys: Keys
    parts: Iterator[Vectors]


@dataclass(slots=True)
class Changes:
    """What changed after some sequence: rows to take in, keys to forget, and the sequence now.

    `is_whole`: these are all items there are, whatever was known before. `are_images` says which
    of the rows are, where it was asked.
    """

    sequence: int
    keys: Keys
    vectors: Vectors
    dropped: Keys = field(default_factory=lambda: np.empty(0, np.int64))
    is_whole: bool = False
    are_images: NDArray[np.bool_] | None = None
