"""The filter language: JSON becomes a tree of conditions.

    {"taken_at": {"$gte": "2024-06"}, "tags": {"$in": ["beach"]}, "$or": [{…}, {…}], "$not": {…}}

`docs/reference/filters.md` says what each word means. `sql` compiles trees, `match`
holds one item against them. Knows nothing about items and databases.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latent.errors import FilterError
from latent.filters import geo
from latent.items import JSON

Where: TypeAlias = Mapping[str, JSON]
"""A filter as JSON: what a request or a command line says."""

Scalar: TypeAlias = str | int | float | bool | None

MOST_CLAUSES = 1_000
MOST_VALUES = 10_000
MOST_DEPTH = 16
LONGEST_PATTERN = 1_000

TEXTS = ("$id", "$uri", "$text", "$modality")
PLACE = "$place"
BUILT_IN = (*TEXTS, PLACE)
GROUPS = ("$and", "$or", "$not")

# What JSON escapes in a name; SQLite before 3.45 looks for the escape instead of the character.
_UNNAMEABLE = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
_UNSPEAKABLE = re.compile(r"[\x00\ud800-\udfff]")


# --- the tree -----------------------------------------------------------------------------------


class Op(StrEnum):
    """How two values of one kind compare; the words are those of SQL."""

    GT = ">"
    GTE = ">="
    LT = "<"
    LTE = "<="


@dataclass(frozen=True, slots=True)
class All:
    """All parts match; of none, everything does."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part matches."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not match."""

    part: Filter


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field has one of these values; null stands for a missing one as well."""

    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """The field is greater or less than a value of its own kind."""

    field: str
    op: Op
    value: str | int | float


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there, be it null."""

    field: str


@dataclass(frozen=True, slots=True)
class Like:
    """The field is a string of this pattern: `%` any characters, `_` one, `\\` escapes."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Within:
    """The field is a place inside the shape."""

    field: str
    shape: geo.Shape


@dataclass(frozen=True, slots=True, eq=False)
class Among:
    """The item is one of these: whoever asks looked up their keys, `(n,)`, and no JSON says so.

    `name` is another one whenever the keys are (`among`). It stands by itself or in `All`.
    """

    name: str
    keys: NDArray[np.int64] = field(repr=False)


Filter: TypeAlias = All | Either | Not | OneOf | Compare | Exists | Like | Within | Among


def expected_fields(tree: Filter) -> set[str]:
    """Fields of metadata that must be there for a condition to be met.

    Those that are also asked for with `$exists`, or where a missing one matches too, are not among
    them: who asks like that knows that they may be missing.
    """
    asked = {leaf.field for leaf in _leaves(tree, True) if not isinstance(leaf, Exists)}
    optional = {leaf.field for leaf in _leaves(tree, None) if isinstance(leaf, Exists)}
    return {name for name in asked - optional if not name.startswith("$")}


Leaf: TypeAlias = OneOf | Compare | Exists | Like | Within


def is_looked_up(tree: Filter) -> bool:
    """Whether some of it was looked up before, as keys."""
    parts = tree.parts if isinstance(tree, All) else (tree,)
    return any(isinstance(part, Among) for part in parts)


def among(keys: NDArray[np.int64]) -> Among:
    """One of these keys, by a name that tells them from all others."""
    return Among(blake2b(np.ascontiguousarray(keys).data, digest_size=16).hexdigest(), keys)


def both(one: Filter | None, other: Filter) -> Filter:
    """What both ask for."""
    if one is None:
        return other
    return All((*(one.parts if isinstance(one, All) else (one,)), other))


def leaves(tree: Filter) -> Iterator[Leaf]:
    """Every condition on a field."""
    return _leaves(tree, None)


def _leaves(tree: Filter, wanted: bool | None) -> Iterator[Leaf]:
    """All conditions; with `wanted`, those that a missing field fails."""
    match tree:
        case All(parts) | Either(parts):
            for part in parts:
                yield from _leaves(part, wanted)
        case Not(part):
            yield from _leaves(part, None if wanted is None else not wanted)
        case OneOf(_, values) if wanted is not None and None in values:
            return
        case Among():
            return
        case _:
            if wanted is not False:
                yield tree


# --- from JSON ----------------------------------------------------------------------------------


def parse(where: Where | Filter | None) -> Filter | None:
    """The tree of a filter; None where nothing is asked. A tree is given back as it is.

    Raises:
        FilterError: it cannot be understood; says where and what there is instead.
    """
    if where is None or isinstance(where, Filter):
        return where
    if not isinstance(where, Mapping):
        raise FilterError('a filter is an object, such as {"camera": "Canon EOS 5D"}')
    return _Parser().group(where, 1) if where else None


class _Parser:
    """Reads one filter and counts what it has read."""

    def __init__(self) -> None:
        self._clauses = 0
        self._values = 0

    def group(self, where: JSON | Where, depth: int) -> Filter:
        """An object: all that it names must match."""
        if not isinstance(where, Mapping):
            raise FilterError(f"a filter is an object, not {_shown(where)}")
        if depth > MOST_DEPTH:
            raise FilterError(f"a filter may be at most {MOST_DEPTH} levels deep")
        if not where:
            self._count()
        return _all([part for key, value in where.items() for part in self._of(key, value, depth)])

    def _of(self, key: str, value: JSON, depth: int) -> Iterator[Filter]:
        if key == "$not":
            self._count()
            yield Not(self.group(value, depth + 1))
        elif key in GROUPS:
            self._count()
            if not isinstance(value, list) or not value:
                raise FilterError(f"{key} takes a list of at least one filter")
            parts = [self.group(part, depth + 1) for part in value]
            yield _all(parts) if key == "$and" else _either(parts)
        else:
            yield from self.field(_name(key), value, depth)

    def field(self, name: str, value: JSON, depth: int) -> Iterator[Filter]:
        """What is asked of one field: operators, or a value to be equal to."""
        if not isinstance(value, Mapping):
            yield self._condition(name, "$eq", value)
            return
        if not value:
            raise FilterError(f"{name!r} is compared with an empty object; name an operator")
        if depth > MOST_DEPTH:
            raise FilterError(f"a filter may be at most {MOST_DEPTH} levels deep")
        for operator, operand in value.items():
            if not operator.startswith("$"):
                inner = f"{name}.{operator}"
                raise FilterError(
                    f"{name!r} cannot be compared with an object; for a field inside it write"
                    f" {inner!r}"
                )
            if operator == "$not":
                if not isinstance(operand, Mapping):
                    raise FilterError(f"$not of {name!r} takes an object of operators")
                self._count()
                yield Not(_all(list(self.field(name, operand, depth + 1))))
            else:
                yield self._condition(name, operator, operand)

    def _condition(self, name: str, operator: str, operand: JSON) -> Filter:
        self._count()
        if operator not in OPERATORS:
            there = ", ".join([*OPERATORS, "$not"])
            raise FilterError(f"{name!r} has an unknown operator {operator!r}; there are {there}")
        if name == PLACE and operator not in ("$geo_within", "$exists"):
            raise FilterError(f"{PLACE} can only be asked with $geo_within and $exists")
        if operator in ("$in", "$nin") and isinstance(operand, list):
            self._values += len(operand)
            if self._values > MOST_VALUES:
                raise FilterError(f"the lists of a filter may hold at most {MOST_VALUES} values")
        return OPERATORS[operator](name, operand)

    def _count(self) -> None:
        self._clauses += 1
        if self._clauses > MOST_CLAUSES:
            raise FilterError(
                f"a filter may have at most {MOST_CLAUSES} conditions; a long list goes into $in"
            )


def _all(parts: Sequence[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _either(parts: Sequence[Filter]) -> Filter:
    """At least one; equalities of one field become one list, which is looked at once a row."""
    values: dict[str, list[Scalar]] = {}
    others: list[Filter] = []
    for part in parts:
        if isinstance(part, OneOf):
            values.setdefault(part.field, []).extend(part.values)
        else:
            others.append(part)
    merged: list[Filter] = [OneOf(name, tuple(some)) for name, some in values.items()]
    return merged[0] if len(merged) + len(others) == 1 and merged else Either((*merged, *others))


def _name(key: str) -> str:
    if key.startswith("$") and key not in BUILT_IN:
        raise FilterError(
            f"{key!r} is neither one of {', '.join(GROUPS)} nor a field of every item"
            f" ({', '.join(BUILT_IN)})"
        )
    if _UNNAMEABLE.search(key):
        raise FilterError(f"{key!r} cannot be named here: it has a quote, \\ or control character")
    return key


def _equals(name: str, value: JSON) -> Filter:
    return OneOf(name, (_scalar(name, value),))


def _one_of(name: str, values: JSON) -> Filter:
    if not isinstance(values, list):
        raise FilterError(f"$in and $nin of {name!r} take a list")
    return OneOf(name, tuple(_scalar(name, value) for value in values))


def _comparison(op: Op) -> Callable[[str, JSON], Filter]:
    def compare(name: str, value: JSON) -> Filter:
        known = _scalar(name, value)
        if known is None or isinstance(known, bool):
            raise FilterError(f"{name!r} can be {op} a string or a number, not {_shown(value)}")
        return Compare(name, op, known)

    return compare


def _exists(name: str, value: JSON) -> Filter:
    if not isinstance(value, bool):
        raise FilterError(f"$exists of {name!r} takes true or false, not {_shown(value)}")
    return Exists(name) if value else Not(Exists(name))


def _like(name: str, pattern: JSON) -> Filter:
    if not isinstance(pattern, str) or len(pattern) > LONGEST_PATTERN:
        raise FilterError(f"$like of {name!r} takes a string of up to {LONGEST_PATTERN} characters")
    _scalar(name, pattern)
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise FilterError(f"the pattern of {name!r} ends in a \\ that escapes nothing")
    return Like(name, pattern)


def _within(name: str, shape: JSON) -> Filter:
    if name in TEXTS:
        raise FilterError(f"{name} is a string and no place; the place of an item is {PLACE}")
    return Within(name, geo.shape_of(shape))


OPERATORS: Final[dict[str, Callable[[str, JSON], Filter]]] = {
    "$eq": _equals,
    "$ne": lambda name, value: Not(_equals(name, value)),
    "$gt": _comparison(Op.GT),
    "$gte": _comparison(Op.GTE),
    "$lt": _comparison(Op.LT),
    "$lte": _comparison(Op.LTE),
    "$in": _one_of,
    "$nin": lambda name, values: Not(_one_of(name, values)),
    "$exists": _exists,
    "$like": _like,
    "$geo_within": _within,
}


def _scalar(name: str, value: JSON) -> Scalar:
    if isinstance(value, Mapping | list):
        raise FilterError(
            f"{name!r} can only be compared with a string, number, true, false or null, not"
            f" {_shown(value)}; one of several goes into $in"
        )
    if isinstance(value, str) and _UNSPEAKABLE.search(value):
        raise FilterError(f"{name!r} is compared with a string that holds half a character or NUL")
    if isinstance(value, float) and not math.isfinite(value):
        raise FilterError(f"{name!r} is compared with {value}, which is no JSON number")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63:
        raise FilterError(f"{name!r} is compared with a number of more than 64 bits")
    if name in TEXTS and not isinstance(value, str | None):
        raise FilterError(f"{name} is a string and is compared with {_shown(value)}")
    return value


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, Mapping) else repr(value)[:80]
