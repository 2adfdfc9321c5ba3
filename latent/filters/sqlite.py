"""Filters in the words of SQLite (3.38 and later), where metadata is JSON text.

Knows nothing about connections; `tables` teaches each of them the function `nearfield_within`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from latent.filters import geo
from latent.filters.language import PLACE, Compare, Like, OneOf, Op, Scalar
from latent.filters.sql import FALSE, TRUE, Asked, FilterWriter, as_json, numbers_of, strings_of

WITHIN = "nearfield_within"
"""`geo.is_within` as a function of SQL."""


class SqliteWriter(FilterWriter):
    """Conditions on `items`."""

    def field(self, name: str, leaf: Asked) -> str:
        return self._along(name, lambda path: self._at(path, leaf))

    def exists(self, name: str) -> str:
        return self._along(name, lambda path: f"({_kind(path)} IS NOT NULL)")

    def within(self, name: str, shape: geo.Shape) -> str:
        given = self.bound(geo.to_json(shape))
        if name == PLACE:
            return _is_within(given, *_in_object("'$'"))
        return self._along(name, lambda path: _within_at(path, given))

    def cell(self, name: str) -> str:
        return self._along(name, lambda path: f"(items.metadata -> {path})")

    def place(self, name: str) -> tuple[str, str]:
        if name == PLACE:
            lat, lon = _in_object("'$'", _json)
            return lat, lon
        lat, lon = (self._along(name, partial(_nth_at, nth=nth)) for nth in (0, 1))
        return lat, lon

    def is_one_of(self, value: str, among: Sequence[Scalar]) -> str:
        if not among:
            return FALSE
        return f"({value} IN (SELECT value FROM json_each({self.bound(as_json(among))})))"

    def is_among(self, keys: str) -> str:
        return f"(items.key IN (SELECT value FROM json_each({keys})))"

    def compares(self, value: str, op: Op, than: str | int | float) -> str:
        # Both sides through the same parser of numbers, whose last digit may be off.
        return f"({value} {op} json_extract({self.bound(as_json([than]))}, '$[0]'))"

    def is_like(self, value: str, pattern: str) -> str:
        return f"({value} LIKE {self.bound(pattern)} ESCAPE '\\')"

    def _along(self, name: str, at: Callable[[str], str]) -> str:
        """The condition at the key of that whole name, or where its dots lead."""
        whole = self.bound(f'$."{name}"')
        if "." not in name:
            return at(whole)
        inner = self.bound("$" + "".join(f'."{step}"' for step in name.split(".")))
        # Not called `path`: json_each has a column of that name.
        way = f"CASE WHEN {_kind(whole)} IS NOT NULL THEN {whole} ELSE {inner} END"
        return f"(SELECT {at('way')} FROM (SELECT {way} AS way))"

    def _at(self, path: str, leaf: Asked) -> str:
        takes_null = isinstance(leaf, OneOf) and None in leaf.values
        missing = f"({_kind(path)} IS NULL)" if takes_null else FALSE
        return (
            f"(CASE {_kind(path)} {self._by_kind(_value(path), leaf)} WHEN 'object' THEN {FALSE}"
            f" WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each(items.metadata, {path}) AS one"
            f" WHERE CASE one.type {self._by_kind('one.value', leaf)} ELSE {FALSE} END)"
            f" ELSE {missing} END)"
        )

    def _by_kind(self, value: str, leaf: Asked) -> str:
        """What is asked of a value of each kind; SQLite alone would take 1, "1" and true as one."""
        arms: dict[str, str] = {}
        match leaf:
            case OneOf(_, values):
                arms["text"] = self.is_one_of(value, strings_of(values))
                arms["integer"] = arms["real"] = self.is_one_of(value, numbers_of(values))
                arms |= {str(one).lower(): TRUE for one in values if isinstance(one, bool)}
                arms["null"] = TRUE if None in values else FALSE
            case Compare(_, op, than):
                is_met = self.compares(value, op, than)
                kinds = ("text",) if isinstance(than, str) else ("integer", "real")
                arms |= dict.fromkeys(kinds, is_met)
            case Like(_, pattern):
                arms["text"] = self.is_like(value, pattern)
        return " ".join(
            f"WHEN '{kind}' THEN {is_met}"
            for kind, is_met in arms.items()
            if is_met != FALSE or kind == "null"  # a CASE needs one at least
        )


def _kind(path: str) -> str:
    return f"json_type(items.metadata, {path})"


def _value(path: str) -> str:
    return f"json_extract(items.metadata, {path})"


def _json(path: str) -> str:
    return f"(items.metadata -> ({path}))"


def _within_at(path: str, shape: str) -> str:
    in_list = [_number(f"{path} || '[{place}]'") for place in (0, 1)]
    return (
        f"(CASE {_kind(path)} WHEN 'object' THEN {_is_within(shape, *_in_object(path))}"
        f" WHEN 'array' THEN json_array_length(items.metadata, {path}) = 2"
        f" AND {_is_within(shape, *in_list)} ELSE {FALSE} END)"
    )


def _is_within(shape: str, lat: str, lon: str) -> str:
    return f"{WITHIN}({shape}, {lat}, {lon})"


def _nth_at(path: str, nth: int) -> str:
    """Latitude (0) or longitude (1) of what lies at a path, as the text of a number."""
    in_list = _number(f"{path} || '[{nth}]'", _json)
    is_pair = f"CASE WHEN json_array_length(items.metadata, {path}) = 2 THEN {in_list} END"
    in_object = _in_object(path, _json)[nth]
    return f"(CASE {_kind(path)} WHEN 'object' THEN {in_object} WHEN 'array' THEN {is_pair} END)"


def _in_object(path: str, value: Callable[[str], str] = _value) -> list[str]:
    """Latitude and longitude of the object at a path; NULL where there is none."""
    found = []
    for names in (geo.LATITUDES, geo.LONGITUDES):
        numbers = [_number(f"{path} || '.{name}'", value) for name in names]
        found.append(f"coalesce({', '.join(numbers)})")
    return found


def _number(path: str, value: Callable[[str], str] = _value) -> str:
    return f"CASE WHEN {_kind(path)} IN ('integer', 'real') THEN {value(path)} END"
