"""Filters that nothing can match, because a field is compared with a kind it never holds.

Kinds never mix, so `{"year": "2024"}` matches no number 2024; an empty answer would not say why.
Looked at only where a filter matched nothing. Knows nothing about questions.
"""

from __future__ import annotations

from collections.abc import Iterator

from latent.collection import Collection
from latent.errors import FilterError
from latent.filters.language import All, Compare, Either, Filter, Leaf, Like, OneOf, Op

MOST = 20
"""Fields that are looked at."""

NUMBER, STRING, TRUTH = "numbers", "strings", "true and false"


def require_kinds(collection: Collection, where: Filter) -> None:
    """Refuse a filter whose fields hold values, but none of a kind it compares them with.

    Raises:
        FilterError: naming the field and both kinds.
    """
    wanted: dict[str, set[str]] = {}
    for leaf in _needed(where):
        if kinds := _kinds_of(leaf):
            wanted.setdefault(leaf.field, set()).update(kinds)
    for field, kinds in list(wanted.items())[:MOST]:
        there = [kind for kind in (NUMBER, STRING, TRUTH) if _holds(collection, field, kind)]
        if there and kinds.isdisjoint(there):
            raise FilterError(
                f"{field!r} holds {' and '.join(there)} here and is compared with"
                f" {' and '.join(sorted(kinds))}; kinds never match each other"
            )


def _needed(tree: Filter) -> Iterator[Leaf]:
    """Conditions that a value must meet; of what is negated none."""
    match tree:
        case All(parts) | Either(parts):
            for part in parts:
                yield from _needed(part)
        case OneOf() | Compare() | Like():
            yield tree
        case _:
            return


def _kinds_of(leaf: Leaf) -> set[str]:
    """What a condition compares with; nothing where a missing value meets it, too."""
    if leaf.field.startswith("$"):
        return set()
    match leaf:
        case OneOf(_, values) if None not in values:
            return {_kind(value) for value in values}
        case Compare(_, _, value):
            return {_kind(value)}
        case Like():
            return {STRING}
    return set()


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return TRUTH
    return STRING if isinstance(value, str) else NUMBER


def _holds(collection: Collection, field: str, kind: str) -> bool:
    probes: dict[str, Filter] = {
        NUMBER: Either((Compare(field, Op.LT, 0), Compare(field, Op.GTE, 0))),
        STRING: Compare(field, Op.GTE, ""),
        TRUTH: OneOf(field, (True, False)),
    }
    return collection.count(where=probes[kind]) > 0
