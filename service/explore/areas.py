"""A part of the map as a filter: what lies within a line drawn around it.

A line may cross itself, as one drawn by hand does: whatever it goes around is inside (the nonzero
winding rule). Knows nothing about how a map is made.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latent.collection import Collection
from latent.errors import InputError
from latent.filters.language import Filter, among, both
from service.explore.projecting import Points
from service.explore.surveys import Surveys

MOST_CORNERS = 1_000

Corners = NDArray[np.float64]
"""Of a closed line: `(n, 2)`, x and y; the last is joined to the first."""


def corners_of(area: Sequence[Sequence[float]]) -> Corners:
    """The corners of an area as they were sent.

    Raises:
        InputError: too few or too many of them, not all finite, or nothing is enclosed.
    """
    if not 3 <= len(area) <= MOST_CORNERS:
        raise InputError(f"an area has from 3 to {MOST_CORNERS:,} corners, not {len(area):,}")
    try:
        corners = np.array(area, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("each corner of an area is a pair of numbers, x and y") from error
    if corners.shape != (len(area), 2) or not np.isfinite(corners).all():
        raise InputError("each corner of an area is a pair of finite numbers, x and y")
    if not np.ptp(corners, axis=0).all() or np.abs(corners).max() > 1e6:
        raise InputError("an area has a width and a height, and the map reaches from -1 to 1")
    return corners


def inside(points: Points, corners: Corners) -> NDArray[np.bool_]:
    """Which of the points, `(n, 2)`, the line goes around.

    Each edge looks only at the points beside it, so that many corners cost little.
    """
    order = np.argsort(points[:, 1], kind="stable")
    x, y = points[order].astype(np.float64).T
    turns = np.zeros(len(points), np.int32)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        start, end = np.searchsorted(y, (min(y0, y1), max(y0, y1)))
        crossing = x0 + (y[start:end] - y0) * ((x1 - x0) / (y1 - y0))
        turns[start:end] += np.where(crossing > x[start:end], 1 if y1 > y0 else -1, 0)
    is_inside = np.zeros(len(points), np.bool_)
    is_inside[order] = turns != 0
    return is_inside


def narrowed(
    surveys: Surveys,
    collection: Collection,
    where: Filter | None,
    area: Sequence[Sequence[float]] | None,
) -> Filter | None:
    """The filter, and that items lie in an area of the map as it was seen last.

    Raises:
        InputError: it is no area, or there is no map.
    """
    if area is None:
        return where
    corners = corners_of(area)
    survey = surveys.seen(collection)
    if survey is None:
        raise InputError(
            f"collection {collection.name!r} has no map yet, so no area of it can be asked for; "
            "build one with 'nearfield map'"
        )
    found = survey.landscape
    return both(where, among(found.keys[inside(found.points, corners)]))
