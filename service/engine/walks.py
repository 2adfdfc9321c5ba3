"""A walk from one thing to another: neighbours along the great circle between them.

The points are those of spherical linear interpolation (Shoemake, "Animating rotation with
quaternion curves", SIGGRAPH 1985). Knows nothing about models and the web.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latent.collection import Collection
from latent.errors import InputError
from latent.filters.language import Filter, Where
from latent.items import Hit, Modality, Vector, Vectors
from service.engine.directions import are_same, rows_of
from service.engine.parts import Part, Thing
from service.engine.questions import things_in
from service.seen.timing import Timings

FEWEST, STEPS, MOST = 2, 7, 50
"""Steps that a walk may have, and has if it is not said."""


@dataclass(frozen=True, slots=True)
class Walk:
    """From one thing to another in `steps` steps, both ends among them."""

    start: Part
    end: Part
    steps: int = STEPS
    where: Where | None = None
    modality: Modality | None = None

    @property
    def parts(self) -> list[Part]:
        """Both ends."""
        return [self.start, self.end]


@dataclass(frozen=True, slots=True)
class Step:
    """What stands near a point of the way; `at` is how far along it is, from 0 to 1."""

    at: float
    hit: Hit


@dataclass(frozen=True, slots=True)
class Walked:
    """The steps from start to end; fewer than asked only if fewer items match.

    `angle` is that between both ends, in degrees.
    """

    collection: str
    model: str
    steps: list[Step]
    angle: float
    took_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class WalkPlan:
    """A walk that was checked: what is known of it, and the `things` a model must place."""

    collection: Collection
    walk: Walk
    where: Filter | None
    known: Mapping[str, Vector]
    timings: Timings

    @property
    def things(self) -> list[Thing]:
        """What only the collection's model can place, start first."""
        return things_in(self.walk.parts)


def require_steps(walk: Walk) -> None:
    """Refuse walks of too few or too many steps.

    Raises:
        InputError: naming the limits.
    """
    if not FEWEST <= walk.steps <= MOST:
        raise InputError(f"a walk has between {FEWEST} and {MOST} steps, not {walk.steps}")


def walked(plan: WalkPlan, placed: Sequence[Vector]) -> Walked:
    """The walk, with the places of the plan's things in their order.

    Raises:
        InputError: both ends are the same, or opposite.
        SpaceMismatchError: a vector has another dimension than the collection.
    """
    walk, collection = plan.walk, plan.collection
    start, end = rows_of(walk.parts, plan.known, placed, collection.space.dim)
    ways = np.linspace(0.0, 1.0, walk.steps)
    points = along(start, end, ways)
    with plan.timings.measure("search"):
        steps = _neighbours(plan, points, ways.tolist())
    return Walked(
        collection.name,
        collection.space.model,
        steps,
        math.degrees(_angle(start, end)),
        plan.timings.took_ms(),
    )


def along(start: Vector, end: Vector, ways: NDArray[np.float64]) -> Vectors:
    """Points on the great circle from start (0) to end (1), `(n, dim)` float32, unit rows.

    Raises:
        InputError: the ends are the same, or opposite, where no way is the shortest.
    """
    if are_same(start, end):
        raise InputError("both ends of the walk are the same; there is no way between them")
    if are_same(start, -end):
        raise InputError("the ends of the walk are opposite; no way between them is the shortest")
    angle = _angle(start, end)
    a, b = start.astype(np.float64), end.astype(np.float64)
    points = (
        np.sin((1 - ways) * angle)[:, None] * a + np.sin(ways * angle)[:, None] * b
    ) / math.sin(angle)
    unit: Vectors = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _angle(start: Vector, end: Vector) -> float:
    """The angle between unit vectors; exact for small ones too, where a cosine is not."""
    a, b = start.astype(np.float64), end.astype(np.float64)
    return 2 * math.atan2(float(np.linalg.norm(a - b)), float(np.linalg.norm(a + b)))


def _neighbours(plan: WalkPlan, points: Vectors, ways: Sequence[float]) -> list[Step]:
    """The item nearest to each point that is not nearest to another; the ends choose first."""
    chosen: dict[int, Hit] = {}
    taken: set[str] = set()
    last = len(points) - 1
    for number in [0, last, *range(1, last)]:
        # One of so many is free, if there are as many.
        hits = plan.collection.nearest(
            points[number], len(taken) + 1, where=plan.where, modality=plan.walk.modality
        )
        free = next((hit for hit in hits if hit.item.id not in taken), None)
        if free is not None:
            chosen[number] = free
            taken.add(free.item.id)
    return [Step(ways[number], chosen[number]) for number in sorted(chosen)]
