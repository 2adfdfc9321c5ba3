"""The landscape of a collection: its map and its groups, found together and kept with it.

It stays as it was built: what comes later is placed among its neighbours and moves nothing, what is
gone is left out. Knows nothing about requests and threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latent.index.vectors import Keys
from latent.items import Modality, Vector, Vectors
from service.explore import kept, naming
from service.explore.cloud import Cloud, gap
from service.explore.clustering import Labels, nearest_of, neighbours_of
from service.explore.groups import Group, Outliers, assigned, grouped, outliers_of
from service.explore.projecting import (
    NEIGHBOURS,
    Method,
    Points,
    placed_among,
    projected,
    require,
    trustworthiness,
)
from service.explore.vocabulary import Vocabulary

FILE, FORM = "landscape.kept", "landscape 1"
Version: TypeAlias = tuple[int, int, int] | None

Progress = Callable[[str, float], None]
"""Told which step is at work, and how much of all is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class About:
    """How a landscape came about.

    `gap` is how far the middles of photos and texts were apart before it was centred away;
    `trustworthiness` whether neighbours on the map are neighbours in the space.
    """

    method: Method
    sequence: int
    fitted: int
    made_at: str
    seconds: float
    gap: float | None
    trustworthiness: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Landscape:
    """Items by key, ascending, where they lie on the map, `(n, 2)`, and their lower group, `(n,)`.

    `marks` are fingerprints of the vectors they were placed by. `placed` tells those that came
    after it was built. Places of groups and outliers are keys.
    """

    about: About
    keys: Keys
    marks: NDArray[np.uint32]
    points: Points
    labels: Labels
    placed: NDArray[np.bool_]
    groups: list[Group]
    outliers: Outliers
    means: dict[Modality, Vector] = field(default_factory=dict)


def built(
    cloud: Cloud,
    vocabulary: Vocabulary | None,
    method: Method,
    *,
    threads: int,
    progress: Progress = lambda step, done: None,
) -> Landscape:
    """The landscape of a cloud.

    Raises:
        InputError: the package of the method is not installed.
    """
    require(method)
    began = time.perf_counter()
    progress("centring", 0.0)
    means = cloud.means()
    rows = cloud.centred(means)
    near = neighbours_of(
        rows, NEIGHBOURS, threads=threads, progress=_part(progress, "neighbours", 0.02, 0.3)
    )
    points = projected(
        rows, near, method, threads=threads, progress=_part(progress, "layout", 0.3, 0.85)
    )
    progress("groups", 0.85)
    grouping = grouped(rows, threads=threads)
    naming.name(grouping, cloud, rows, vocabulary)
    progress("outliers", 0.95)
    outliers = outliers_of(near, kinds=cloud.of(Modality.TEXT).astype(np.int64))
    progress("trustworthiness", 0.98)
    trusted = trustworthiness(rows, points)
    about = About(
        method,
        cloud.sequence,
        len(cloud),
        datetime.now(UTC).isoformat(timespec="seconds"),
        round(time.perf_counter() - began, 3),
        gap(means),
        trusted,
    )
    for group in grouping.groups:
        group.central = cloud.keys[group.central].tolist()
        group.border = cloud.keys[group.border].tolist()
    strange = Outliers(cloud.keys[outliers.places].tolist(), outliers.deviations)
    return Landscape(
        about,
        cloud.keys,
        marks_of(cloud),
        points,
        grouping.labels,
        np.zeros(len(cloud), np.bool_),
        grouping.groups,
        strange,
        means,
    )


def followed(landscape: Landscape, cloud: Cloud) -> Landscape:
    """The landscape with what came since, and without what went; nothing else moves."""
    marks = marks_of(cloud)
    at = np.minimum(np.searchsorted(landscape.keys, cloud.keys), max(0, len(landscape.keys) - 1))
    if len(landscape.keys):
        is_known = (landscape.keys[at] == cloud.keys) & (landscape.marks[at] == marks)
    else:
        is_known = np.zeros(len(cloud), np.bool_)
    if is_known.all() and len(cloud) == len(landscape.keys):
        return landscape
    points = np.zeros((len(cloud), 2), np.float32)
    labels = np.zeros(len(cloud), np.int64)
    placed = ~is_known
    old = at[is_known]
    points[is_known], labels[is_known] = landscape.points[old], landscape.labels[old]
    placed[is_known] = landscape.placed[old]
    if not is_known.all() and landscape.groups:
        rows = cloud.centred(landscape.means)
        near = nearest_of(rows[~is_known], rows[is_known], NEIGHBOURS)
        points[~is_known] = placed_among(near, points[is_known])
        labels[~is_known] = assigned(rows[~is_known], landscape.groups)
    return Landscape(
        landscape.about,
        cloud.keys,
        marks,
        points,
        labels,
        placed,
        landscape.groups,
        landscape.outliers,
        landscape.means,
    )


def save(folder: Path, landscape: Landscape) -> None:
    """Keep a landscape. Raises StoreError."""
    groups = [
        {one.name: getattr(group, one.name) for one in fields(group) if one.name != "centre"}
        for group in landscape.groups
    ]
    about: dict[str, Any] = {
        "about": asdict(landscape.about),
        "groups": groups,
        "outliers": asdict(landscape.outliers),
        "means": [modality.value for modality in landscape.means],
    }
    arrays: dict[str, NDArray[Any]] = {
        "keys": landscape.keys,
        "marks": landscape.marks,
        "points": landscape.points,
        "labels": landscape.labels.astype(np.int32),
        "placed": landscape.placed,
        "centres": _stacked([group.centre for group in landscape.groups]),
        "means": _stacked(list(landscape.means.values())),
    }
    kept.save(folder / FILE, FORM, about, arrays)


def version(folder: Path) -> Version:
    """Tells whether somebody has kept another since; None where there is none."""
    try:
        status = (folder / FILE).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def load(folder: Path) -> Landscape | None:
    """The landscape that was kept; None where there is none that is sound."""
    held = kept.load(folder / FILE, FORM)
    if held is None:
        return None
    about, arrays = held.about, held.arrays
    groups = [
        Group(**group, centre=centre)
        for group, centre in zip(about["groups"], arrays["centres"], strict=True)
    ]
    means = {Modality(name): row for name, row in zip(about["means"], arrays["means"], strict=True)}
    return Landscape(
        About(**{**about["about"], "method": Method(about["about"]["method"])}),
        arrays["keys"],
        arrays["marks"],
        arrays["points"],
        arrays["labels"].astype(np.int64),
        arrays["placed"],
        groups,
        Outliers(**about["outliers"]),
        means,
    )


def marks_of(cloud: Cloud) -> NDArray[np.uint32]:
    """A few bits of each vector, to know one that was replaced."""
    if not len(cloud):
        return np.zeros(0, np.uint32)
    bits = np.ascontiguousarray(cloud.rows, "<f4").view(np.uint32)
    marks: NDArray[np.uint32] = np.bitwise_xor.reduce(bits * _odd(bits.shape[1]), axis=1)
    return marks


def _odd(count: int) -> NDArray[np.uint32]:
    """Different odd numbers, so that numbers that change places change the mark."""
    return (np.arange(count, dtype=np.uint32) * np.uint32(2654435761)) | np.uint32(1)


def _stacked(rows: Sequence[Vector]) -> Vectors:
    return np.stack(rows) if rows else np.zeros((0, 0), np.float32)


def _part(progress: Progress, step: str, start: float, end: float) -> Callable[[float], None]:
    return lambda done: progress(step, round(start + (end - start) * done, 4))
