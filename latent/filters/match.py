"""Whether one item matches a filter: what the conditions of SQL are held against.

Knows nothing about JSON forms and databases.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from latent.filters import geo
from latent.filters.language import (
    PLACE,
    All,
    Among,
    Compare,
    Either,
    Exists,
    Filter,
    Like,
    Not,
    OneOf,
    Op,
    Scalar,
    Within,
)
from latent.filters.patterns import is_like
from latent.items import Item

_COMPARED: dict[Op, Callable[[Any, Any], bool]] = {
    Op.GT: operator.gt,
    Op.GTE: operator.ge,
    Op.LT: operator.lt,
    Op.LTE: operator.le,
}


class _Missing:
    """Stands for the value of a field that is not there."""


def matches(tree: Filter, item: Item) -> bool:
    """Whether an item meets a filter."""
    match tree:
        case All(parts):
            return all(matches(part, item) for part in parts)
        case Either(parts):
            return any(matches(part, item) for part in parts)
        case Not(part):
            return not matches(part, item)
        case Exists(name):
            return _value(name, item) is not _Missing
        case Within(name, shape):
            place = geo.place_in(_value(name, item))
            return place is not None and shape.holds(*place)
        case Among():
            return True  # its key was among them when it was found; an item does not know its key
        case OneOf() | Compare() | Like():
            return value_meets(tree, _value(tree.field, item))


def value_meets(leaf: OneOf | Compare | Like, value: object) -> bool:
    """Whether a value of metadata, or one of a list of them, is what a condition asks for."""
    match leaf:
        case OneOf(_, values):
            if value is _Missing:
                return None in values
            return any(_is_same(one, other) for one in _each(value) for other in values)
        case Compare(_, op, than):
            return any(_compares(one, op, than) for one in _each(value))
        case Like(_, pattern):
            strings = (one for one in _each(value) if isinstance(one, str))
            return any(is_like(one, pattern) for one in strings)


def _value(name: str, item: Item) -> object:
    """What a field holds: the key of that whole name, or the way along the dots."""
    if name.startswith("$"):
        built_in: dict[str, object] = {
            "$id": item.id,
            "$uri": item.uri,
            "$text": _Missing if item.text is None else item.text,
            "$modality": item.modality.value,
            PLACE: item.metadata if geo.place_in(item.metadata) else _Missing,
        }
        return built_in[name]
    if name in item.metadata:
        return item.metadata[name]
    value: object = item.metadata
    for step in name.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return _Missing
        value = value[step]
    return value


def _each(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else [value]


def _is_same(one: object, other: Scalar) -> bool:
    if _kind(one) is None or _kind(one) is not _kind(other):
        return False
    return bool(_comparable(one) == _comparable(other))


def _compares(one: object, op: Op, than: str | int | float) -> bool:
    if _kind(one) is not _kind(than):
        return False
    return _COMPARED[op](_comparable(one), _comparable(than))


def _kind(value: object) -> type | None:
    """Values are compared within these kinds and never across; objects and lists have none."""
    if value is None or isinstance(value, bool):
        return type(value)
    if isinstance(value, int | float):
        return float
    return str if isinstance(value, str) else None


def _comparable(value: object) -> Any:
    """Strings compare by code point; whole numbers beyond 64 bits as the nearest float."""
    if isinstance(value, int) and abs(value) >= 1 << 63:
        try:
            return float(value)
        except OverflowError:
            return math.copysign(math.inf, value)
    return value
