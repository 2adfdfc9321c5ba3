"""The words everyone speaks: Item, Modality, Vectors, Passage, Hit.

Knows nothing about files, models, databases or the web.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]
"""One place in a space: `(dim,)` float32, of length 1."""

Vectors: TypeAlias = NDArray[np.float32]
"""Places in a space: `(n, dim)` float32, unit rows, finite."""

LONGEST_ID = 1024
"""Characters that an id may have, control characters not among them."""

FINGERPRINT = 32
"""Hexadecimal digits of the hash that tells a manifest's row; hashes of contents have more."""

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"
Metadata: TypeAlias = Mapping[str, JSON]


class Modality(StrEnum):
    """What kind of thing an item is."""

    IMAGE = "image"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document: its number, of how many, and its characters, half open."""

    document: str
    number: int
    of: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a collection, with its place in the space.

    `id` is unique in its collection. `uri` says where the thing came from, in words a person
    knows and without the machine's own paths (`holiday/beach.jpg`). `text` is what a text item
    says. `source` is the absolute path of the file it was read from, if it was read from one;
    it is for the indexer and the command line and never leaves the machine. `content_hash` is the
    hash of the bytes or characters it was embedded from. `picture_hash` is what a picture looks
    like in short (`latent.media.fingerprints`), None where that is not known.
    """

    id: str
    modality: Modality
    vector: Vector
    uri: str = ""
    text: str | None = None
    passage: Passage | None = None
    metadata: Metadata = field(default_factory=dict)
    source: str | None = None
    content_hash: str | None = None
    picture_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A file that items were read from, as it was when it was read.

    `path` is absolute. `content_hash` hashes its bytes. A source with a `failure` gave no items;
    the failure says why in one line, `code` is that of the error, `uri` what people call the file,
    and `failed_at` when it was tried last, in seconds since 1970, as the catalog notes it. Those
    that an older version noted have neither.
    """

    path: str
    size: int
    mtime_ns: int
    content_hash: str | None = None
    failure: str | None = None
    code: str | None = None
    uri: str | None = None
    failed_at: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """What the hits of a group share, and how many further hits it has."""

    value: JSON
    others: int


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that was found, and how close it is: `score` is the cosine, higher is closer.

    It is NaN where only words were compared. `found_by` says which sides found it, where there is
    more than one; `group` what it is the best hit of, where hits were grouped. `relevance`, between
    0 and 1, is how surely the item is what was meant and no chance hit, None where nobody asked.
    `concepts` says how likely it has each concept that was asked about, from 0 to 1.
    """

    item: Item
    score: float
    found_by: tuple[str, ...] = ()
    group: Group | None = None
    relevance: float | None = None
    concepts: Mapping[str, float] = field(default_factory=dict)
