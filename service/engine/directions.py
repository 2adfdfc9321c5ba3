"""Where the parts of a question lie, and the one direction they make together.

Knows nothing about models and collections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from latent.errors import InputError
from latent.items import Vector, Vectors
from latent.space import unit_row
from service.engine.cursors import fingerprint
from service.engine.parts import Coordinates, Like, Part, Text

SAME = 1e-3
"""Things that are less than this apart are one: a model places no thing twice to the last bit."""


def require_an_aim(parts: Sequence[Part]) -> None:
    """Refuse what only leads away.

    Raises:
        InputError: no part has a positive weight, and one a negative.
    """
    weights = [part.weight for part in parts]
    if min(weights) < 0 and max(weights) <= 0:
        raise InputError(
            "every part of the query leads away from something; say also what to look for, with a"
            " positive weight"
        )


def rows_of(
    parts: Sequence[Part], known: Mapping[str, Vector], placed: Sequence[Vector], dim: int
) -> Vectors:
    """Where each part lies, `(n, dim)` unit rows; `placed` are the places of the parts' things.

    Raises:
        SpaceMismatchError: a vector has another dimension than the collection.
        InputError: a vector points nowhere.
    """
    places = iter(placed)
    rows = []
    for part in parts:
        match part.what:
            case Like(item_id):
                row = known[item_id]
            case Coordinates(vector):
                row = vector
            case Text(_, said) if said:
                row = np.mean([next(places) for _ in said], axis=0)
            case _:
                row = next(places)
        rows.append(unit_row(row, dim))
    return rows[0][None] if len(rows) == 1 else np.stack(rows)


def direction(parts: Sequence[Part], rows: Vectors) -> Vector:
    """The weighted sum of all rows as one unit vector, `(dim,)` float32.

    Raises:
        InputError: the parts cancel each other out.
    """
    if len(parts) == 1 and parts[0].weight > 0:
        only: Vector = rows[0]
        return only
    largest = max(abs(part.weight) for part in parts)
    if largest > 0:
        asked = np.array([part.weight / largest for part in parts])
        total = _net(parts, asked) @ rows.astype(np.float64)
        if np.linalg.norm(total) >= SAME * np.abs(asked).sum():
            return unit_row(total.astype(np.float32), rows.shape[1])
    raise InputError("the parts of the query cancel each other out; change their weights")


def are_same(one: Vector, other: Vector) -> bool:
    """Whether two unit vectors are of one thing."""
    return float(np.linalg.norm(one.astype(np.float64) - other)) < SAME


def require_three_things(rows: Vectors) -> None:
    """Refuse an analogy that says nothing; rows are those of `parts.analogy`.

    Raises:
        InputError: the first thing is the same as the second or the third.
    """
    third, second, first = rows
    if are_same(first, second):
        raise InputError("A and B of the analogy are the same, so that nothing leads from A to B")
    if are_same(first, third):
        raise InputError("A and C of the analogy are the same, so that the answer could only be B")


def _net(parts: Sequence[Part], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights, where a thing that occurs more than once has all of it at its first place.

    Added up here, its weights cancel to the last bit.
    """
    first: dict[str, int] = {}
    net = np.zeros(len(parts))
    for number, (part, weight) in enumerate(zip(parts, weights, strict=True)):
        net[first.setdefault(fingerprint(Part(part.what).describe()), number)] += weight
    return net
