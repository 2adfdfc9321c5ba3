"""How collections change places: each goes by the other's name, in one transaction.

What a collection is, its items and its index, belongs to its `uid`; its name is where it is asked
for. Knows nothing about how the transaction is held; `catalog` does.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from latent.catalog.rows import Entry
from latent.catalog.tables import collections
from latent.errors import UnknownCollectionError


def exchange(connection: Connection, first: Entry, second: Entry) -> None:
    """Let each go by the other's name.

    Raises:
        UnknownCollectionError: one of them was deleted, or goes by another name by now.
    """
    names = {first.uid: first.name, second.uid: second.name}
    query = select(collections.c.uid, collections.c.name).where(collections.c.uid.in_(names))
    found = {row.uid: row.name for row in connection.execute(query)}
    for uid, name in names.items():
        if found.get(uid) != name:
            raise UnknownCollectionError(name)
    # A name is one collection's at any moment, within the transaction too.
    for uid, name in (
        (first.uid, f".{first.uid}"), (second.uid, first.name), (first.uid, second.name)
    ):  # fmt: skip
        connection.execute(update(collections).where(collections.c.uid == uid).values(name=name))
