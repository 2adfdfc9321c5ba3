"""Concepts: what a few items marked yes have and those marked no have not, as a direction.

A linear head on the vectors (logistic regression, both sides weighted alike), tried on examples
that it has not seen. Kept with the collection; marks are derived from nothing, so it is backed up.
Knows nothing about requests.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latent.collection import Collection
from latent.errors import InputError, UnknownConceptError
from latent.filters.language import Filter, among, both
from latent.items import Vector, Vectors
from service.engine.parts import Coordinates, Learned, Part
from service.engine.questions import Column
from service.explore import kept

FOLDER, FORM, SUFFIX = "concepts", "concept 1", ".kept"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}")

LEAST = 2  # examples of each side
MOST = 1_000  # examples of both
MOST_COLUMNS = 32  # concepts that hits tell of
MOST_NARROWING = 32  # concepts that items must have: all vectors are looked at for each
FOLDS = 5
SCALE = 8.0  # differences of unit vectors are small beside the penalty of 1
ROUNDS = 25

ENOUGH = 10  # examples, and …
GOOD = 0.8  # … the AUC on unseen ones, from which a concept may be relied on

Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Quality:
    """How a concept did on examples it had not seen, in so many folds.

    `auc` is the chance that a yes stands before a no, 0.5 for guessing; `accuracy` the mean of the
    shares of each side that were told right.
    """

    auc: float
    accuracy: float
    folds: int
    examples: int

    @property
    def is_reliable(self) -> bool:
        """Whether there were enough examples, and it did well on them."""
        return self.examples >= ENOUGH and self.auc >= GOOD


@dataclass(frozen=True, slots=True, eq=False)
class Concept:
    """A named head: the chance that a vector is meant is `1 / (1 + exp(-weights · v - bias))`."""

    name: str
    yes: list[str]
    no: list[str]
    weights: Vector
    bias: float
    quality: Quality

    @property
    def direction(self) -> Vector:
        """Where it leads, of length 1."""
        unit: Vector = self.weights / max(float(np.linalg.norm(self.weights)), 1e-9)
        return unit

    def chances(self, rows: Vectors) -> NDArray[np.float64]:
        """How likely each row is meant, from 0 to 1."""
        return _chances(rows, self.weights, self.bias)


def learn(collection: Collection, name: str, yes: Sequence[str], no: Sequence[str]) -> Concept:
    """Learn a concept of items marked yes and no, and keep it in the place of one of its name.

    Raises:
        InputError: no fit name, too few or too many examples, or an item is marked both ways.
        UnknownItemError: an item is not there.
        StoreError: it cannot be kept.
    """
    path = _path(collection, name)
    yes, no = list(dict.fromkeys(yes)), list(dict.fromkeys(no))
    if both := set(yes) & set(no):
        raise InputError(f"item {min(both)!r} is marked yes and no")
    if min(len(yes), len(no)) < LEAST or len(yes) + len(no) > MOST:
        raise InputError(
            f"a concept needs at least {LEAST} items marked yes and {LEAST} marked no, and at most"
            f" {MOST} in all; there are {len(yes)} and {len(no)}"
        )
    rows = collection.vectors_of([*yes, *no])
    marks = np.arange(len(rows)) < len(yes)
    weights, bias = _fitted(rows, marks)
    made = Concept(name, yes, no, weights, bias, _tried(rows, marks))
    about = {
        "space": collection.space.fingerprint,
        "bias": bias,
        "yes": yes,
        "no": no,
        "quality": asdict(made.quality),
    }
    kept.save(path, FORM, about, {"weights": weights}, is_durable=True)
    return made


def load(collection: Collection, name: str) -> Concept:
    """The concept of that name.

    Raises:
        UnknownConceptError: there is none, or it was learnt in another space.
    """
    held = kept.load(_path(collection, name), FORM)
    if held is None or held.about["space"] != collection.space.fingerprint:
        raise UnknownConceptError(collection.name, name)
    about = held.about
    quality = Quality(**about["quality"])
    weights = held.arrays["weights"]
    return Concept(name, about["yes"], about["no"], weights, about["bias"], quality)


def all_of(collection: Collection) -> list[Concept]:
    """All concepts of a collection, by name."""
    found = []
    for path in sorted((collection.views / FOLDER).glob(f"*{SUFFIX}")):
        try:
            found.append(load(collection, path.name.removesuffix(SUFFIX)))
        except InputError:  # learnt in another space, or gone since it was listed
            continue
    return found


def drop(collection: Collection, name: str) -> None:
    """Forget a concept. Raises UnknownConceptError."""
    path = _path(collection, name)
    if not path.exists():
        raise UnknownConceptError(collection.name, name)
    path.unlink(missing_ok=True)


def resolved(collection: Collection, parts: Sequence[Part]) -> list[Part]:
    """Parts of a question, with the directions of concepts in their place.

    Raises:
        UnknownConceptError: a part names what was not learnt.
    """
    return [
        replace(part, what=Coordinates(load(collection, part.what.name).direction))
        if isinstance(part.what, Learned)
        else part
        for part in parts
    ]


def narrowed(
    collection: Collection, where: Filter | None, least: Mapping[str, float]
) -> Filter | None:
    """The filter, and that every concept named is at least so likely.

    Raises:
        UnknownConceptError: one is not known.
        InputError: a chance is not between 0 and 1, or there are too many.
    """
    if len(least) > MOST_NARROWING:
        raise InputError(f"items may be asked for {MOST_NARROWING} concepts, not for {len(least)}")
    for name, chance in least.items():
        if not 0 <= chance <= 1:
            raise InputError(f"how likely {name!r} is must be from 0 to 1, not {chance}")
        concept = load(collection, name)
        products = collection.products(concept.weights)
        is_likely = products.scores >= _score_of(chance) - concept.bias
        where = both(where, among(products.keys[is_likely]))
    return where


def columns_of(collection: Collection, names: Sequence[str]) -> dict[str, Column]:
    """What tells how likely rows have each concept of these names.

    Raises:
        UnknownConceptError: one is not known.
        InputError: too many.
    """
    if len(names) > MOST_COLUMNS:
        raise InputError(f"hits may tell of {MOST_COLUMNS} concepts, not of {len(names)}")
    return {name: load(collection, name).chances for name in names}


def _path(collection: Collection, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} is no name for a concept: letters, digits, '_', '-' and '.', at most 100,"
            " beginning with a letter or digit"
        )
    return collection.views / FOLDER / f"{name}{SUFFIX}"


def _score_of(chance: float) -> float:
    """The product, with its bias, from which on something is so likely; 1 is never reached."""
    if chance in (0, 1):
        return -math.inf if chance == 0 else math.inf
    return math.log(chance / (1 - chance))


def _chances(rows: Vectors, weights: Vector, bias: float) -> NDArray[np.float64]:
    scores = np.clip(rows @ weights + bias, -30, 30).astype(np.float64)
    chances: NDArray[np.float64] = 1 / (1 + np.exp(-scores))
    return chances


def _fitted(rows: Vectors, marks: Marks) -> tuple[Vector, float]:
    """Weights and bias by Newton's method, with a quadratic penalty on the weights.

    Of fewer rows than dimensions the weights lie in the span of the rows (Kimeldorf and Wahba,
    1971), so they are looked for there: the same ones, a hundred times faster for a few examples.
    """
    middle = (rows[marks].mean(0) + rows[~marks].mean(0)) / 2
    away = (SCALE * (rows - middle)).astype(np.float64)
    span = np.linalg.qr(away.T).Q if len(rows) < rows.shape[1] else np.eye(rows.shape[1])
    inner = np.column_stack([away @ span, np.ones(len(rows))])
    share = np.where(marks, 0.5 / marks.sum(), 0.5 / (~marks).sum()) * len(marks)
    penalty = np.r_[np.ones(span.shape[1]), 1e-6]
    head = np.zeros(inner.shape[1])
    for _ in range(ROUNDS):
        chances = 1 / (1 + np.exp(-np.clip(inner @ head, -30, 30)))
        slope = inner.T @ (share * (chances - marks)) + penalty * head
        bend = (inner.T * (share * chances * (1 - chances))) @ inner + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        head -= step
        if np.abs(step).max() < 1e-6:
            break
    weights: Vector = (SCALE * (span @ head[:-1])).astype(np.float32)
    return weights, float(head[-1] - weights @ middle)


def _tried(rows: Vectors, marks: Marks) -> Quality:
    """Cross-validated: each example judged by a head that was learnt without it."""
    folds = int(min(FOLDS, marks.sum(), (~marks).sum()))
    part = np.empty(len(rows), np.int64)
    random = np.random.default_rng(0)
    for side in (marks, ~marks):
        part[side] = random.permutation(int(side.sum())) % folds
    scores = np.empty(len(rows))
    for fold in range(folds):
        unseen = part == fold
        weights, bias = _fitted(rows[~unseen], marks[~unseen])
        scores[unseen] = rows[unseen] @ weights + bias
    ahead = scores[marks][:, None] - scores[~marks][None, :]
    auc = float(((ahead > 0) + 0.5 * (ahead == 0)).mean())
    told = (float((scores[marks] > 0).mean()) + float((scores[~marks] <= 0).mean())) / 2
    return Quality(round(auc, 4), round(told, 4), folds, len(rows))
