"""What is in a vector: a sparse non-negative mix of everyday words, and how much of it they say.

After SpLiCE (Bhalla et al., arXiv 2402.10376): a lasso without negative weights over words that are
centred, as the vector is. Knows nothing about collections.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from latent.items import Vector, Vectors
from service.explore.vocabulary import Vocabulary

MOST = 10  # words
CANDIDATES = 200  # the words nearest to the vector; others would not be chosen
ROUNDS = 150
HALVINGS = 8
NEAR = 4.0
"""Deviations above the cosines of all words from which a word is truly near: chance gives that to
one word in thirty thousand."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Words with their weights, heaviest first; `cosine` of their mix to the vector itself.

    `near` are those of them that lie near to it also by themselves, the nearest first, none that
    says what another has said: a heavy word of a mix may only make up for what others say too much.
    """

    words: list[tuple[str, float]]
    cosine: float
    near: list[str] = field(default_factory=list)


def mixture_of(vector: Vector, middle: Vector, vocabulary: Vocabulary) -> Mixture:
    """The words that a vector is a mix of; `middle` is that of its own kind."""
    centred = vector - middle
    target = centred / max(float(np.linalg.norm(centred)), 1e-6)
    cosines = vocabulary.rows @ target
    order = np.argsort(-cosines, kind="stable")[:CANDIDATES]
    rows = vocabulary.rows[order]
    chosen = _sparse(rows, target)
    if not len(chosen):
        return Mixture([], 0.0)
    weights = _weights(rows[chosen], target, 0.0)
    mix = weights @ rows[chosen]
    cosine = float(mix @ target / max(float(np.linalg.norm(mix)), 1e-6))
    heaviest = np.argsort(-weights, kind="stable")
    named = [
        (vocabulary.words[order[chosen[i]]], float(weights[i])) for i in heaviest if weights[i] > 0
    ]
    least = float(cosines.mean() + NEAR * cosines.std())
    ours = np.full_like(cosines, -1.0)
    ours[order[chosen]] = cosines[order[chosen]]
    near = [word for word, score in vocabulary.telling(ours, MOST) if score >= least]
    return Mixture(named, cosine, near)


def _sparse(rows: Vectors, target: Vector) -> NDArray[np.int64]:
    """The rows that are left with the least penalty that leaves no more than `MOST`."""
    high = float(max((rows @ target).max(), 0.0))
    low, found = 0.0, np.zeros(0, np.int64)
    for _ in range(HALVINGS):
        penalty = (low + high) / 2
        chosen = np.flatnonzero(_weights(rows, target, penalty) > 1e-4)
        if len(chosen) > MOST:
            low = penalty
        else:
            high, found = penalty, chosen
    return found


def _weights(rows: Vectors, target: Vector, penalty: float) -> NDArray[np.float64]:
    """Non-negative weights of least squares with a penalty on their sum.

    Accelerated projected gradients (Beck and Teboulle, FISTA, 2009).
    """
    gram = (rows @ rows.T).astype(np.float64)
    pull = (rows @ target).astype(np.float64) - penalty
    step = 1 / max(float(np.linalg.norm(gram, 2)), 1e-9)
    weights = ahead = np.zeros(len(rows))
    pace = 1.0
    for _ in range(ROUNDS):
        moved = np.maximum(0.0, ahead + step * (pull - gram @ ahead))
        faster = (1 + (1 + 4 * pace * pace) ** 0.5) / 2
        ahead = moved + (pace - 1) / faster * (moved - weights)
        weights, pace = moved, faster
    return weights
