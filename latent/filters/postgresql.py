"""Filters in the words of PostgreSQL (12 and later), where metadata is `jsonb`.

Knows nothing about connections and queries.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from latent.filters import geo
from latent.filters.language import PLACE, Compare, Like, OneOf, Op, Scalar
from latent.filters.patterns import TO_LOWER
from latent.filters.sql import FALSE, TRUE, Asked, FilterWriter, as_json

UPPER, LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"


class PostgresqlWriter(FilterWriter):
    """Conditions on `items`."""

    def field(self, name: str, leaf: Asked) -> str:
        missing = TRUE if isinstance(leaf, OneOf) and None in leaf.values else FALSE
        is_met = self._met("one.x", leaf)
        each = f"SELECT 1 FROM jsonb_array_elements(field.x) AS one(x) WHERE {is_met}"
        return (
            f"(SELECT CASE WHEN field.x IS NULL THEN {missing}"
            f" WHEN jsonb_typeof(field.x) = 'array' THEN EXISTS ({each})"
            f" ELSE {self._met('field.x', leaf)} END"
            f" FROM (SELECT {self._value(name)} AS x) AS field)"
        )

    def exists(self, name: str) -> str:
        return f"({self._value(name)} IS NOT NULL)"

    def within(self, name: str, shape: geo.Shape) -> str:
        return (
            f"(SELECT coalesce(lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180"
            f" AND {self._holds(shape)}, false)"
            f" FROM (SELECT {LAT} AS lat, {LON} AS lon"
            f" FROM (SELECT {self._thing(name)} AS x) AS field) AS place)"
        )

    def cell(self, name: str) -> str:
        return f"CAST({self._value(name)} AS text)"

    def place(self, name: str) -> tuple[str, str]:
        lat, lon = (
            f"(SELECT {at} FROM (SELECT {self._thing(name)} AS x) AS field)" for at in (LAT, LON)
        )
        return lat, lon

    def _thing(self, name: str) -> str:
        return "items.metadata" if name == PLACE else self._value(name)

    def is_one_of(self, value: str, among: Sequence[Scalar]) -> str:
        given = self.bound(as_json(among))
        return f"({value} IN (SELECT jsonb_array_elements_text(CAST({given} AS jsonb))))"

    def is_among(self, keys: str) -> str:
        each = f"jsonb_array_elements_text(CAST({keys} AS jsonb))"
        return f"(items.key IN (SELECT CAST({each} AS bigint)))"

    def compares(self, value: str, op: Op, than: str | int | float) -> str:
        if isinstance(than, str):
            return f'({value} COLLATE "C" {op} CAST({self.bound(than)} AS text))'
        given = self.bound(json.dumps(than))
        return f"({value} {op} CAST(CAST({given} AS text) AS numeric))"

    def is_like(self, value: str, pattern: str) -> str:
        given = self.bound(pattern.translate(TO_LOWER))
        lower = f"""translate({value}, '{UPPER}', '{LOWER}') COLLATE "C\""""
        return f"({lower} LIKE CAST({given} AS text) ESCAPE '\\')"

    def _value(self, name: str) -> str:
        """What metadata holds at the key of that whole name, or where its dots lead."""
        whole = f"items.metadata -> {self._key(name)}"
        if "." not in name:
            return f"({whole})"
        # Not #>, which would take the step "0" for a place in a list.
        inner = " -> ".join(["items.metadata", *map(self._key, name.split("."))])
        is_whole = f"jsonb_exists(items.metadata, {self._key(name)})"
        return f"(CASE WHEN {is_whole} THEN {whole} ELSE {inner} END)"

    def _key(self, name: str) -> str:
        return f"CAST({self.bound(name)} AS text)"

    def _met(self, value: str, leaf: Asked) -> str:
        """A condition on a value that is there and no list."""
        kind, words = f"jsonb_typeof({value})", f"({value} #>> '{{}}')"
        match leaf:
            case OneOf(_, values):
                among = f"CAST({self.bound(as_json(values))} AS jsonb)"
                return f"({kind} NOT IN ('object', 'array') AND {among} @> {value})"
            case Compare(_, op, than):
                is_text = isinstance(than, str)
                given = words if is_text else f"CAST({words} AS numeric)"
                expected = "string" if is_text else "number"
                is_met = self.compares(given, op, than)
            case Like(_, pattern):
                expected, is_met = "string", self.is_like(words, pattern)
        return f"(CASE WHEN {kind} = '{expected}' THEN {is_met} ELSE {FALSE} END)"

    def _holds(self, shape: geo.Shape) -> str:
        """Whether the shape holds `lat` and `lon`, numbers of eight bytes."""
        match shape:
            case geo.Box(south, west, north, east):
                word = "AND" if west <= east else "OR"
                return (
                    f"lat BETWEEN {self._float(south)} AND {self._float(north)}"
                    f" AND (lon >= {self._float(west)} {word} lon <= {self._float(east)})"
                )
            case geo.Circle(lat, lon, radius_m):
                here, across = f"radians({self._float(lat)})", f"radians(lon - {self._float(lon)})"
                chord = (
                    f"power(sin((radians(lat) - {here}) / 2), 2)"
                    f" + cos({here}) * cos(radians(lat)) * power(sin({across} / 2), 2)"
                )
                away = f"2 * {geo.EARTH_M} * asin(sqrt(least(1.0, {chord})))"
                return f"{away} <= {self._float(radius_m)}"
            case geo.Polygon():
                return self._is_inside(shape)

    def _is_inside(self, shape: geo.Polygon) -> str:
        sides = self.bound(json.dumps(shape.sides))
        ends = ", ".join(
            f"CAST(side ->> {n} AS float8) AS {name}"
            for n, name in enumerate(("lat_1", "lon_1", "lat_2", "lon_2"))
        )
        crossed = "lon + turn < (lon_2 - lon_1) * (lat - lat_1) / (lat_2 - lat_1) + lon_1"
        # A CASE, because what stands before AND need not be looked at first.
        crosses = f"CASE WHEN (lat_1 > lat) <> (lat_2 > lat) THEN {crossed} ELSE false END"
        return (
            f"EXISTS (SELECT turn FROM (VALUES (0), (360), (-360)) AS turns(turn),"
            f" (SELECT {ends} FROM jsonb_array_elements(CAST({sides} AS jsonb)) AS s(side)) AS ends"
            f" WHERE {crosses} GROUP BY turn HAVING count(*) % 2 = 1)"
        )

    def _float(self, value: float) -> str:
        return f"CAST({self.bound(value)} AS float8)"


def _first(names: Sequence[str]) -> str:
    """The first number that the object `x` holds under these names."""
    return f"coalesce({', '.join(_number(f'''(x -> '{name}')''') for name in names)})"


def _nth(place: int) -> str:
    """The number at this place in `x`, if that is a list of two."""
    is_pair = "CASE jsonb_typeof(x) WHEN 'array' THEN jsonb_array_length(x) = 2 ELSE false END"
    return f"CASE WHEN {is_pair} THEN {_number(f'(x -> {place})')} END"


def _number(value: str) -> str:
    words = f"({value} #>> '{{}}')"
    return f"CASE jsonb_typeof({value}) WHEN 'number' THEN CAST({words} AS float8) END"


LAT = f"CASE jsonb_typeof(x) WHEN 'object' THEN {_first(geo.LATITUDES)} ELSE {_nth(0)} END"
LON = f"CASE jsonb_typeof(x) WHEN 'object' THEN {_first(geo.LONGITUDES)} ELSE {_nth(1)} END"
"""Latitude and longitude of `x`."""
