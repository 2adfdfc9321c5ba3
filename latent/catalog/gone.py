"""Which items went since some sequence, as tombstones tell, and how these are pruned.

A collection notes up to which number it keeps none any more. Who has followed less far is told so,
and begins anew; so tombstones may go whenever one likes, and nobody has to know who reads. Every
function works within a transaction of `database`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, delete, select, text, update

from latent.catalog import reads
from latent.catalog.database import CHUNK, chunks, fetched
from latent.catalog.rows import Entry
from latent.catalog.tables import collections, tombstones
from latent.index.vectors import Keys

_WENT = text("SELECT key FROM tombstones WHERE collection_id = :its AND sequence > :number")
AT_ONCE = 10_000  # tombstones pruned in one transaction, so that no writer waits long


@dataclass(frozen=True, slots=True)
class Gone:
    """What to read to follow: items written after `since`, and the keys that went.

    `is_whole`: what was known before cannot be followed from; read everything.
    """

    sequence: int
    since: int
    is_whole: bool
    keys: Keys


def since(connection: Connection, entry: Entry, sequence: int) -> Gone:
    """What went after a number of the sequence; at its beginning there is nothing that could.

    Raises:
        UnknownCollectionError: the collection was deleted meanwhile.
    """
    number, pruned = reads.heads(connection, entry)
    if sequence <= 0 or sequence < pruned:
        return Gone(number, 0, True, np.empty(0, np.int64))
    rows = fetched(connection, _WENT, {"its": entry.id, "number": sequence})
    return Gone(number, sequence, False, np.array([key for (key,) in rows], np.int64))


def prune(connection: Connection, entry: Entry, until: int) -> bool:
    """Forget some of what went up to a number of the sequence; gives whether there is more."""
    its = (tombstones.c.collection_id == entry.id, tombstones.c.sequence <= until)
    keys = connection.execute(select(tombstones.c.key).where(*its).limit(AT_ONCE)).scalars().all()
    if not keys:
        return False
    # In the same transaction, so that nobody finds some of them gone and is not told.
    connection.execute(
        update(collections)
        .where(collections.c.uid == entry.uid, collections.c.pruned < until)
        .values(pruned=until)
    )
    for chunk in chunks(keys, CHUNK):
        connection.execute(delete(tombstones).where(tombstones.c.key.in_(chunk)))
    return len(keys) == AT_ONCE
