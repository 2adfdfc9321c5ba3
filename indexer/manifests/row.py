"""What a manifest says in one row.

Knows nothing about formats of files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from latent.items import Metadata, Modality, Passage, Vector


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a manifest; `number` is its line in the file, or its place from 1 in a table."""

    number: int
    image: str | None = None
    text: str | None = None
    id: str | None = None
    vector: Vector | None = None
    uri: str | None = None
    modality: Modality | None = None
    passage: Passage | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, and why."""

    number: int
    reason: str


Rows = Iterator[Row | BadRow]
