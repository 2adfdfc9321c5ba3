"""An order by a field, within the hits: numbers and strings up or down, what is missing last.

Knows nothing about which hits there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import TypeAlias

from latent.errors import InputError
from latent.items import JSON, Hit
from service.engine import cursors
from service.engine.values import value_of

LONGEST = 200
"""Characters of a string that count; a cursor carries them."""

Place: TypeAlias = tuple[int, bool | int | float | str, float, str]
"""Where a hit stands: the kind of its value, the value, its score, its id."""

MISSING = 3


@dataclass(frozen=True, slots=True)
class Order:
    """Up or down by a field; hits that are equal stand by their scores, then by their ids."""

    field: str
    is_descending: bool = False

    def place_of(self, hit: Hit) -> Place:
        """Where a hit stands in this order; it depends on no other hit."""
        score = 0.0 if math.isnan(hit.score) else hit.score
        value = value_of(hit.item, self.field)
        match value:
            case bool():
                return 0, value, score, hit.item.id
            case int() | float():
                return 1, value, score, hit.item.id
            case str():
                return 2, value[:LONGEST], score, hit.item.id
        return MISSING, 0, score, hit.item.id

    def sorted(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits in this order."""
        places = {hit.item.id: self.place_of(hit) for hit in hits}
        key = cmp_to_key(self.compare)
        return sorted(hits, key=lambda hit: key(places[hit.item.id]))

    def compare(self, one: Place, other: Place) -> int:
        """Below 0 where `one` stands before `other`, above 0 where behind."""
        (kind, value, score, item_id), (kind_2, value_2, score_2, item_id_2) = one, other
        if MISSING in (kind, kind_2) and kind != kind_2:
            return -1 if kind_2 == MISSING else 1
        # Only values of one kind are compared with each other.
        found = _sign(kind, kind_2) or _sign(value, value_2)
        if found:
            return -found if self.is_descending else found
        return _sign(score_2, score) or _sign(item_id, item_id_2)


def parse(text: str) -> Order:
    """`taken_at`, `taken_at:asc` or `taken_at:desc`.

    Raises:
        InputError: it names no field.
    """
    field, colon, way = text.rpartition(":")
    if not colon or way not in ("asc", "desc"):
        field, way = text, "asc"
    if not field:
        raise InputError("sort_by needs a field, as in 'taken_at:desc'")
    return Order(field, way == "desc")


def read_place(given: JSON) -> Place:
    """The place that a cursor carries.

    Raises:
        InputError: it carries none.
    """
    kinds = {0: bool, 1: int | float, 2: str, MISSING: int}
    match given:
        case [int() as kind, value, int() | float() as score, str() as item_id] if (
            kind in kinds and isinstance(value, kinds[kind]) and not isinstance(score, bool)
        ):
            assert isinstance(value, bool | int | float | str)
            return kind, value, float(score), item_id
    raise cursors.not_ours()


def _sign(one: bool | int | float | str, other: bool | int | float | str) -> int:
    return (one > other) - (one < other)  # type: ignore[operator]
