"""Filters as conditions of SQL: what the dialects `sqlite` and `postgresql` share.

Every condition is true or false and never NULL, so that `$not` may turn it round. Values travel as
parameters, lists as one JSON parameter. `filters.matches` says the same in Python. Knows nothing
about connections and queries; `rows` puts the conditions into them.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

from latent.errors import FilterError
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

TRUE, FALSE = "(1 = 1)", "(1 = 0)"
LONGEST_SQL = 900_000  # SQLite takes a million characters, if it was not built to take more

TEXT = "$text"  # which not every item has
WHOLE_EARTH = geo.Box(-90, -180, 90, 180)

Asked: TypeAlias = OneOf | Compare | Like
"""Conditions on single values."""


class FilterWriter(ABC):
    """Writes one condition; collects its parameters."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self._names: dict[tuple[type, object], str] = {}

    def write(self, tree: Filter) -> str:
        """The condition of a whole filter.

        Raises:
            FilterError: more than a database takes at once.
        """
        sql = self.of(tree)
        if len(sql) > LONGEST_SQL:
            raise FilterError("the filter is too long; use fewer conditions, or $in with a list")
        return sql

    def of(self, tree: Filter) -> str:
        """The condition of a tree."""
        match tree:
            case All(parts):
                return joined([self.of(part) for part in parts], "AND", TRUE)
            case Either(parts):
                return joined([self.of(part) for part in parts], "OR", FALSE)
            case Not(part):
                return f"(NOT {self.of(part)})"
            case Within(name, shape):
                return self.within(name, shape)
            case Among(_, keys):
                return self.is_among(self.bound(as_json(keys.tolist())))
            case Exists(name) if name == PLACE:
                return self.within(PLACE, WHOLE_EARTH)
            case Exists(name) if name.startswith("$"):
                return f"(items.{name[1:]} IS NOT NULL)"
            case Exists(name):
                return self.exists(name)
            case OneOf(name) | Compare(name) | Like(name):
                if name.startswith("$"):
                    return self.column(f"items.{name[1:]}", tree, is_nullable=name == TEXT)
                return self.field(name, tree)

    def bound(self, value: Hashable) -> str:
        """The name of a parameter that holds the value."""
        name = self._names.setdefault((type(value), value), f"filter_{len(self._names)}")
        self.parameters[name] = value
        return f":{name}"

    def column(self, column: str, leaf: Asked, *, is_nullable: bool) -> str:
        """A condition on a column of texts; of one that is never NULL, as an index can answer."""
        is_null = FALSE
        match leaf:
            case OneOf(_, values):
                is_null = f"({column} IS NULL)" if None in values else FALSE
                is_met = self.is_one_of(column, strings_of(values))
            case Compare(_, op, value):
                is_met = self.compares(column, op, value)
            case Like(_, pattern):
                is_met = self.is_like(column, pattern)
        if not is_nullable:
            return f"({is_met})"
        return f"(CASE WHEN {column} IS NULL THEN {is_null} ELSE {is_met} END)"

    @abstractmethod
    def field(self, name: str, leaf: Asked) -> str:
        """A condition on metadata."""

    @abstractmethod
    def exists(self, name: str) -> str:
        """Whether there is a field."""

    @abstractmethod
    def within(self, name: str, shape: geo.Shape) -> str:
        """Whether the place of a field lies in a shape."""

    @abstractmethod
    def cell(self, name: str) -> str:
        """The JSON of a field's value as text; NULL where there is no such field."""

    @abstractmethod
    def place(self, name: str) -> tuple[str, str]:
        """Latitude and longitude that a field gives, as text or number; NULL where it gives none.

        Of `$place`, those of the item.
        """

    @abstractmethod
    def is_one_of(self, value: str, among: Sequence[Scalar]) -> str:
        """Whether a string or number, as an expression, is one of its own kind."""

    @abstractmethod
    def is_among(self, keys: str) -> str:
        """Whether the key of an item is in a JSON array of keys, a parameter."""

    @abstractmethod
    def compares(self, value: str, op: Op, than: str | int | float) -> str:
        """How a string or number, as an expression, compares with one of its own kind."""

    @abstractmethod
    def is_like(self, value: str, pattern: str) -> str:
        """Whether a string, as an expression, has a pattern."""


def joined(parts: Sequence[str], word: str, nothing: str) -> str:
    """All parts, in halves of halves: SQLite refuses expressions that are nested deeply."""
    if not parts:
        return nothing
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    one, other = joined(parts[:half], word, nothing), joined(parts[half:], word, nothing)
    return f"({one} {word} {other})"


def numbers_of(values: Sequence[Scalar]) -> list[Scalar]:
    """Those that are numbers, which booleans are not."""
    return [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]


def strings_of(values: Sequence[Scalar]) -> list[Scalar]:
    """Those that are strings."""
    return [one for one in values if isinstance(one, str)]


def as_json(values: Sequence[Scalar]) -> str:
    """Values as one JSON array, written as the catalog writes metadata."""
    return json.dumps(list(values), ensure_ascii=False, allow_nan=False)
