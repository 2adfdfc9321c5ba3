"""Places on the earth and shapes that hold them: circle, box and polygon.

Degrees everywhere, latitude before longitude, north and east positive. Knows nothing about filters
and databases.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, TypeGuard

from latent.errors import FilterError
from latent.items import JSON

EARTH_M = 6_371_008.8
"""Mean radius of the earth in metres (IUGG)."""

HALF_WAY_M = math.pi * EARTH_M
MOST_CORNERS = 1_000
LATITUDES = ("lat", "latitude")
LONGITUDES = ("lon", "lng", "longitude")

Place: TypeAlias = tuple[float, float]
"""Latitude and longitude."""


@dataclass(frozen=True, slots=True)
class Circle:
    """All within `radius_m` metres of a place, along the great circle."""

    lat: float
    lon: float
    radius_m: float

    def holds(self, lat: float, lon: float) -> bool:
        """Whether the place is inside (haversine on a sphere, good to half a percent)."""
        here, there = math.radians(self.lat), math.radians(lat)
        across = math.radians(lon - self.lon)
        chord = (
            math.sin((there - here) / 2) ** 2
            + math.cos(here) * math.cos(there) * math.sin(across / 2) ** 2
        )
        return 2 * EARTH_M * math.asin(math.sqrt(min(1.0, chord))) <= self.radius_m


@dataclass(frozen=True, slots=True)
class Box:
    """From a south-west corner to a north-east one; over the antimeridian where west > east."""

    south: float
    west: float
    north: float
    east: float

    def holds(self, lat: float, lon: float) -> bool:
        """Whether the place is inside or on the border."""
        if not self.south <= lat <= self.north:
            return False
        if self.west <= self.east:
            return self.west <= lon <= self.east
        return lon >= self.west or lon <= self.east


@dataclass(frozen=True, slots=True)
class Polygon:
    """Corners in order, closed by itself; each side takes the shorter way round the earth."""

    corners: tuple[Place, ...]

    @property
    def sides(self) -> list[tuple[float, float, float, float]]:
        """`(lat, lon, lat, lon)` of both ends; longitudes run on beyond 180 where it is crossed."""
        unrolled = [self.corners[0]]
        for lat, lon in self.corners[1:]:
            before = unrolled[-1][1]
            unrolled.append((lat, lon + 360 * round((before - lon) / 360)))
        ends = unrolled[1:] + unrolled[:1]
        return [(*one, *other) for one, other in zip(unrolled, ends, strict=True)]

    def holds(self, lat: float, lon: float) -> bool:
        """Whether the place is inside; on the border it may be either."""
        sides = self.sides
        return any(_is_inside(sides, lat, lon + turn) for turn in (0, 360, -360))


Shape: TypeAlias = Circle | Box | Polygon


def _is_inside(sides: list[tuple[float, float, float, float]], lat: float, lon: float) -> bool:
    """Even-odd rule: how many sides does a ray to the east cross?"""
    crossed = 0
    for lat_1, lon_1, lat_2, lon_2 in sides:
        if (lat_1 > lat) != (lat_2 > lat):
            crossed += lon < (lon_2 - lon_1) * (lat - lat_1) / (lat_2 - lat_1) + lon_1
    return crossed % 2 == 1


def shape_of(given: JSON) -> Shape:
    """The shape a filter describes.

    Raises:
        FilterError: it describes none.
    """
    match given:
        case {"$center": center, "$radius_m": radius, **others} if not others:
            if not _is_number(radius) or not 0 < radius <= HALF_WAY_M:
                raise FilterError(f"$radius_m is metres, more than 0 and at most {HALF_WAY_M:.0f}")
            return Circle(*_corner(center), float(radius))
        case {"$box": [one, other], **others} if not others:
            (south, west), (north, east) = _corner(one), _corner(other)
            if south > north:
                raise FilterError("$box is [[south, west], [north, east]]; here south is north")
            return Box(south, west, north, east)
        case {"$polygon": [_, _, _, *_] as corners, **others} if not others:
            if len(corners) > MOST_CORNERS:
                raise FilterError(f"$polygon may have at most {MOST_CORNERS} corners")
            return Polygon(tuple(_corner(corner) for corner in corners))
    raise FilterError(
        '$geo_within takes {"$center": [lat, lon], "$radius_m": metres},'
        ' {"$box": [[south, west], [north, east]]} or {"$polygon": [[lat, lon], …]} of at least'
        " three corners"
    )


def to_json(shape: Shape) -> str:
    """The shape as text; `shape_of` reads it again."""
    match shape:
        case Circle(lat, lon, radius_m):
            return json.dumps({"$center": [lat, lon], "$radius_m": radius_m})
        case Box(south, west, north, east):
            return json.dumps({"$box": [[south, west], [north, east]]})
        case Polygon(corners):
            return json.dumps({"$polygon": corners})


def place_in(value: object) -> Place | None:
    """The place that a value of metadata gives, if it gives one.

    An object with `lat` and `lon` (or `latitude`, `lng`, `longitude`), or a list of both.
    """
    lat: object = None
    lon: object = None
    if isinstance(value, Mapping):
        lat = next((value[name] for name in LATITUDES if _is_number(value.get(name))), None)
        lon = next((value[name] for name in LONGITUDES if _is_number(value.get(name))), None)
    elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        lat, lon = value
    return as_place(lat, lon)


def as_place(lat: object, lon: object) -> Place | None:
    """Both as a place; None where they are no numbers or lie beyond the earth."""
    if not (_is_number(lat) and _is_number(lon)):
        return None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return None
    return float(lat), float(lon)


def is_within(shape: str, lat: object, lon: object) -> bool:
    """Whether a shape, as `to_json` writes it, holds a place; for SQLite, which knows no shapes."""
    place = as_place(lat, lon)
    return place is not None and _shape_again(shape).holds(*place)


@lru_cache(maxsize=64)
def _shape_again(shape: str) -> Shape:
    return shape_of(json.loads(shape))


def _corner(given: JSON) -> Place:
    place = as_place(*given) if isinstance(given, list) and len(given) == 2 else None
    if place is None:
        raise FilterError(
            "a place is [latitude, longitude], from -90 to 90 and from -180 to 180 degrees"
        )
    return place


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
