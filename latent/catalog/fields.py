"""Which fields the metadata of a collection have had, so that a misspelt one can be told.

A field is known from the first item that has it, and stays known when that item goes: a filter that
worked yesterday works tomorrow. Every function works within a transaction of `database`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from sqlalchemy import Connection, insert, select

from latent.catalog import tables
from latent.catalog.database import STREAM
from latent.catalog.rows import Entry
from latent.catalog.tables import items
from latent.errors import FilterError
from latent.filters.language import Filter, expected_fields
from latent.items import JSON, Metadata

MOST_FIELDS = 1_000  # of a collection; beyond them nothing is refused as unknown
MOST_SHOWN = 30
LONGEST_NAME = 200
MOST_DEPTH = 8


def names_in(metadata: Metadata) -> Iterator[str]:
    """Every field as a filter names it: `camera`, and `camera.make` of what is inside."""
    yield from _names(metadata, "", 1)


def _names(inside: Mapping[str, JSON], prefix: str, depth: int) -> Iterator[str]:
    for key, value in inside.items():
        name = f"{prefix}{key}"
        if len(name) <= LONGEST_NAME:
            yield name
            if isinstance(value, Mapping) and depth < MOST_DEPTH:
                yield from _names(value, f"{name}.", depth + 1)


def known(connection: Connection, entry: Entry) -> set[str]:
    """The names of all fields that are known."""
    query = select(tables.fields.c.name).where(tables.fields.c.collection_id == entry.id)
    return set(connection.execute(query).scalars())


def learn(connection: Connection, entry: Entry, of: Iterable[Metadata]) -> None:
    """Know the fields of these metadata from now on."""
    there = known(connection, entry)
    names: set[str] = set()
    seen: set[object] = set()
    for metadata in of:
        if (form := form_of(metadata)) not in seen:  # thousands of rows are made alike
            seen.add(form)
            names.update(names_in(metadata))
    new = sorted(names - there)
    room = max(0, MOST_FIELDS - len(there))
    if rows := [{"collection_id": entry.id, "name": name} for name in new[:room]]:
        connection.execute(insert(tables.fields), rows)


def form_of(metadata: Mapping[str, JSON], depth: int = 1) -> object:
    """What is alike for metadata that have the same names."""
    inside = [
        (key, form_of(one, depth + 1) if depth < MOST_DEPTH else None)
        for key, one in metadata.items()
        if isinstance(one, dict)
    ]
    return (*metadata, *inside)


def learn_all(connection: Connection, entry: Entry) -> None:
    """Know the fields of all items there are."""
    query = select(items.c.metadata).where(items.c.collection_id == entry.id)
    rows = connection.execute(query, execution_options={"yield_per": STREAM})
    names = dict.fromkeys(name for row in rows for name in names_in(row.metadata))
    learn(connection, entry, [dict.fromkeys(names)])


def asked_in(tree: Filter) -> set[str]:
    """The fields that a filter takes for known."""
    return {name for name in expected_fields(tree) if len(name) <= LONGEST_NAME}


def refuse_unknown(connection: Connection, entry: Entry, tree: Filter) -> set[str]:
    """Refuse a filter on a field that no item has had; an empty collection refuses nothing.

    Gives the fields that are known, if the filter asks for any.

    Raises:
        FilterError: naming the field and those there are.
    """
    expected = asked_in(tree)
    there = known(connection, entry) if expected else set()
    unknown = sorted(expected - there)
    if not unknown or len(there) >= MOST_FIELDS or _is_empty(connection, entry):
        return there
    close = get_close_matches(unknown[0], there, n=1)
    hint = f"did you mean {close[0]!r}? There are" if close else "there are"
    raise FilterError(f"no item has a field {unknown[0]!r}; {hint} {_listed(there)}")


def _is_empty(connection: Connection, entry: Entry) -> bool:
    query = select(items.c.key).where(items.c.collection_id == entry.id).limit(1)
    return connection.execute(query).first() is None


def _listed(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:MOST_SHOWN])
    return (shown or "none") + (", …" if len(names) > MOST_SHOWN else "")
