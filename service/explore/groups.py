"""Groups of a cloud in two levels, what is at their centres and borders, and what is in none.

They are found in the space, not on the map: k-means, with as many groups as hold together best by
the simplified silhouette (Hruschka, de Castro and Campello, ICDM 2004). Knows nothing about names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from latent.items import Vector, Vectors
from service.explore.clustering import Clusters, Labels, Neighbours, clusters_of, nearest

TOP = (3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 26)
BELOW = (3, 4, 5, 6, 8)
"""Numbers of groups that are tried; of the upper level, those within a range that grows with n."""
LEAST = 5  # items of a group
JUDGED = 4_000  # rows that a number of groups is judged by
EXAMPLES = 8

Each = Callable[[Callable[[int], Clusters], Sequence[int]], Iterable[Clusters]]

OUTLYING = -2.5
"""Deviations below the usual likeness to neighbours; 6 of 1,000 normal items lie further out."""
MOST_OUTLIERS = 100


@dataclass(slots=True)
class Group:
    """Items that lie together. `parent` is the number of the group it is a part of.

    `central` and `border` are places of items in the cloud: those nearest to its centre, and those
    that nearly belong to another group. `words` say what sets it apart.
    """

    parent: int | None
    size: int
    centre: Vector
    central: list[int]
    border: list[int]
    words: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Groups, those of the upper level first, and the number of the lower one of each item."""

    groups: list[Group]
    labels: Labels


@dataclass(frozen=True, slots=True, eq=False)
class Outliers:
    """Places of items that are like nothing else, strangest first, and how far out they are."""

    places: list[int]
    deviations: list[float]


def grouped(rows: Vectors, *, threads: int = 1) -> Grouping:
    """The groups of rows `(n, dim)`, unit and centred, in two levels.

    However many threads there are, they are the same ones.
    """
    usual = 0.8 * len(rows) ** 0.25  # 3 of 200 items, 8 of 10,000, 14 of 100,000
    choices = [k for k in TOP if usual <= k <= 2 * usual] or TOP[:2]
    with ThreadPoolExecutor(threads) as pool:
        top = _split(rows, choices, pool.map)
        members = [np.flatnonzero(top.labels == one) for one in range(len(top.centres))]
        lower = pool.map(lambda some: _split(rows[some], BELOW), members)
        groups = [_group(rows, top, one, None) for one in range(len(top.centres))]
        labels = np.zeros(len(rows), np.int64)
        for number, (some, below) in enumerate(zip(members, lower, strict=True)):
            labels[some] = len(groups) + below.labels
            inner = rows[some]
            for one in range(len(below.centres)):
                groups.append(_group(inner, below, one, number, some))
    return Grouping(groups, labels)


def assigned(rows: Vectors, groups: Sequence[Group]) -> Labels:
    """The lower group that each new row belongs to."""
    lower = [number for number, group in enumerate(groups) if group.parent is not None]
    centres = np.stack([groups[number].centre for number in lower])
    return np.asarray(lower, np.int64)[nearest(rows, centres)]


def outliers_of(near: Neighbours, *, kinds: Labels) -> Outliers:
    """What is less like its neighbours than is usual among its kind, strangest first."""
    deviations = np.zeros(len(kinds), np.float32)
    if not near.cosines.shape[1]:
        return Outliers([], [])
    likeness = near.cosines[:, :10].mean(1)
    for kind in np.unique(kinds):
        some = kinds == kind
        usual = np.median(likeness[some])
        spread = 1.4826 * np.median(np.abs(likeness[some] - usual))
        deviations[some] = (likeness[some] - usual) / max(float(spread), 1e-3)
    order = np.argsort(deviations, kind="stable")[:MOST_OUTLIERS]
    far = [int(place) for place in order if deviations[place] < OUTLYING]
    return Outliers(far, [round(float(deviations[place]), 2) for place in far])


def _split(rows: Vectors, choices: Sequence[int], each: Each = map) -> Clusters:
    """Rows in as many clusters as hold together best; in one where there are too few.

    `each` tries the choices one after the other, or at the same time.
    """
    least = max(LEAST, len(rows) // 400)
    whole = clusters_of(rows, 1) if len(rows) else None
    if whole is None or len(rows) < 4 * LEAST:
        return whole or Clusters(np.zeros(0, np.int64), rows)
    fit = [k for k in choices if k * 2 * least <= len(rows) or k == min(choices)]
    tried = list(each(lambda k: _merged(rows, clusters_of(rows, k), least), fit))
    tried = [one for one in tried if len(one.centres) > 1]
    return max(tried, key=lambda one: _silhouette(rows, one), default=whole)


def _merged(rows: Vectors, found: Clusters, least: int) -> Clusters:
    """Without the clusters that are too small; their rows go to the nearest of the others."""
    sizes = np.bincount(found.labels, minlength=len(found.centres))
    if (sizes >= least).all() or not (sizes >= least).any():
        return found
    centres = found.centres[sizes >= least]
    return Clusters(nearest(rows, centres), centres)


def _silhouette(rows: Vectors, found: Clusters) -> float:
    """How much nearer rows are to their own centre than to the next one: 1 at most."""
    some = np.random.default_rng(0).choice(len(rows), min(len(rows), JUDGED), replace=False)
    own, other = _distances(rows[some], found.centres, found.labels[some])
    return float(np.mean((other - own) / np.maximum(np.maximum(own, other), 1e-6)))


def _distances(
    rows: Vectors, centres: Vectors, labels: Labels
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """From its own centre, and from the nearest other one, as 1 - cosine."""
    away = 1 - rows @ centres.T
    line = np.arange(len(rows))
    own = away[line, labels].copy()
    away[line, labels] = np.inf
    return own, away.min(1)


def _group(
    rows: Vectors,
    found: Clusters,
    number: int,
    parent: int | None,
    places: Labels | None = None,
) -> Group:
    members = np.flatnonzero(found.labels == number)
    centre = found.centres[number]
    own, other = _distances(rows[members], found.centres, found.labels[members])
    central = members[np.argsort(own, kind="stable")[:EXAMPLES]]
    border = members[np.argsort(other - own, kind="stable")[:EXAMPLES]]
    if len(found.centres) == 1:  # there is no other one to border on
        border = members[np.argsort(-own, kind="stable")[:EXAMPLES]]
    named = [one if places is None else places[one] for one in (central, border)]
    return Group(parent, len(members), centre, *(one.tolist() for one in named))
