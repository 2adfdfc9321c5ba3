"""Where the things of a field are, in all rows, and which of them lie in a shape.

`filters.geo` says the same of one place. Knows nothing about keys.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latent.filters import geo

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

CLOSE = 1e-9
"""So near to the rim of a circle, in radii of the earth, numpy may round unlike Python."""


class Places:
    """Latitude and longitude of all rows, NaN where there is none."""

    def __init__(self) -> None:
        self._lat = np.empty(0)
        self._lon = np.empty(0)

    @property
    def bytes(self) -> int:
        """The memory it takes."""
        return int(self._lat.nbytes + self._lon.nbytes)

    def set(
        self,
        places: NDArray[np.int64],
        cells: Sequence[tuple[str | float | None, str | float | None]],
        size: int,
    ) -> None:
        """Have these latitudes and longitudes at these rows, of `size` in all."""
        if size > len(self._lat):
            room = max(size, len(self._lat) * 5 // 4) - len(self._lat)
            self._lat = np.pad(self._lat, (0, room), constant_values=np.nan)
            self._lon = np.pad(self._lon, (0, room), constant_values=np.nan)
        given = [geo.as_place(_number(lat), _number(lon)) for lat, lon in cells]
        self._lat[places] = [np.nan if one is None else one[0] for one in given]
        self._lon[places] = [np.nan if one is None else one[1] for one in given]

    def exist(self, size: int) -> Mask:
        """Which of the first `size` rows have a place."""
        return ~np.isnan(self._lat[:size])

    def within(self, shape: geo.Shape, size: int) -> Mask:
        """Which of the first `size` rows have a place in the shape."""
        lat, lon = self._lat[:size], self._lon[:size]
        match shape:
            case geo.Box():
                return _in_box(shape, lat, lon)
            case geo.Circle():
                return _in_circle(shape, lat, lon)
            case geo.Polygon():
                return _in_polygon(shape, lat, lon)


def _number(cell: str | float | None) -> float | None:
    return None if cell is None else float(cell)


def _in_box(box: geo.Box, lat: Floats, lon: Floats) -> Mask:
    east, west = lon <= box.east, lon >= box.west
    is_across = (west & east) if box.west <= box.east else (west | east)
    return (lat >= box.south) & (lat <= box.north) & is_across


def _in_circle(circle: geo.Circle, lat: Floats, lon: Floats) -> Mask:
    found = np.zeros(len(lat), np.bool_)
    # A degree of latitude is as long everywhere; what lies further north or south is out.
    reach = np.degrees(circle.radius_m / geo.EARTH_M) * (1 + CLOSE) + CLOSE
    near = np.flatnonzero(np.abs(lat - circle.lat) <= reach)
    here, there = np.radians(circle.lat), np.radians(lat[near])
    across = np.radians(lon[near] - circle.lon)
    chord = np.sin((there - here) / 2) ** 2
    chord += np.cos(here) * np.cos(there) * np.sin(across / 2) ** 2
    away = 2 * geo.EARTH_M * np.arcsin(np.sqrt(np.minimum(1.0, chord)))
    found[near] = away <= circle.radius_m
    at_rim = np.abs(away - circle.radius_m) <= CLOSE * geo.EARTH_M
    for row in near[at_rim].tolist():
        found[row] = circle.holds(float(lat[row]), float(lon[row]))
    return found


def _in_polygon(polygon: geo.Polygon, lat: Floats, lon: Floats) -> Mask:
    sides = polygon.sides
    south, north = (pick(s[0] for s in sides) for pick in (min, max))
    found = np.zeros(len(lat), np.bool_)
    near = np.flatnonzero((lat >= south) & (lat <= north))
    for turn in (0, 360, -360):
        is_odd = np.zeros(len(near), np.bool_)
        rows, east = lat[near], lon[near] + turn
        for lat_1, lon_1, lat_2, lon_2 in sides:
            is_between = (lat_1 > rows) != (lat_2 > rows)
            at = np.flatnonzero(is_between)
            if len(at):
                rim = (lon_2 - lon_1) * (rows[at] - lat_1) / (lat_2 - lat_1) + lon_1
                is_odd[at] ^= east[at] < rim
        found[near] |= is_odd
    return found
