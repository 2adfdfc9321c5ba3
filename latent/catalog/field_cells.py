"""How fields of many items are read at once, within a transaction of `database`.

Knows nothing about what becomes of them; `latent.columns` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from sqlalchemy import Connection, text

from latent.catalog import gone
from latent.catalog.changes import Cells, Part, Wanted
from latent.catalog.database import plain_rows
from latent.catalog.rows import Entry, writer
from latent.items import Modality

AT_ONCE = 50_000


def read(connection: Connection, entry: Entry, since: int, wanted: Sequence[Wanted]) -> Cells:
    """The fields of all items that changed after a number of the sequence; from 0, of all."""
    went = gone.since(connection, entry, since)
    parts = list(_parts(connection, entry, went.since, wanted))
    return Cells(went.sequence, went.is_whole, parts, went.keys)


def _parts(
    connection: Connection, entry: Entry, since: int, wanted: Sequence[Wanted]
) -> Iterator[Part]:
    words = writer(connection.dialect.name)
    columns = [
        column
        for one in wanted
        for column in (words.place(one.name) if one.is_place else (words.cell(one.name),))
    ]
    listed = ", ".join(["items.key", "items.modality", *columns])
    its = "items.collection_id = :its AND items.sequence > :n"
    query = text(f"SELECT {listed} FROM items WHERE {its}")
    given = words.parameters | {"its": entry.id, "n": since}
    for part in plain_rows(connection, query, given, AT_ONCE):
        key, modality, *cells = zip(*part, strict=True)
        column = iter(cells)
        yield Part(
            np.array(key, np.int64),
            np.array([one == Modality.IMAGE.value for one in modality], np.bool_),
            [
                list(zip(next(column), next(column), strict=True)) if one.is_place else next(column)
                for one in wanted
            ],
        )
