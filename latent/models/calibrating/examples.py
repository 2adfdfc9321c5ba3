"""Examples of hits that are meant and of chance hits, in collections drawn at random.

Knows nothing about where the vectors come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latent.items import Vectors
from latent.models.calibrating.logistic import Numbers, fitted, parting, sigmoid
from latent.models.calibration import (
    Answerable,
    Curve,
    Line,
    Spread,
    Standing,
    Usual,
    tries,
)

SCORE, BEST, MEAN, DEVIATION, TRIES = range(5)
SAMPLE = 512
"""Scores that a spread is taken of, as the product does."""
FIRST = 10
"""A hit that is meant counts if it is among so many."""
ASKED = 80
"""Questions of each kind for one collection."""
THEMED = 4
"""Every so-manieth collection is of one theme: the neighbours of an item."""


@dataclass(frozen=True)
class Pairs:
    """Things to be found `(n, dim)`, questions `(m, dim)`, and which thing each of them means.

    `foreign` questions mean nothing there is. Several things may have the same `label`, and each
    question means those of its own.
    """

    found: Vectors
    labels: NDArray[np.int64]
    asked: Vectors
    meant: NDArray[np.int64]
    foreign: Vectors

    def halves(self, seed: int) -> tuple[Pairs, Pairs]:
        """Two that have no thing and no question in common."""
        chance = np.random.default_rng(seed)
        is_first = chance.random(max(self.labels.max(), self.meant.max()) + 1) < 0.5
        strangers = chance.random(len(self.foreign)) < 0.5
        return (
            self._part(is_first[self.labels], is_first[self.meant], strangers),
            self._part(~is_first[self.labels], ~is_first[self.meant], ~strangers),
        )

    def _part(
        self, found: NDArray[np.bool_], asked: NDArray[np.bool_], foreign: NDArray[np.bool_]
    ) -> Pairs:
        return Pairs(
            self.found[found],
            self.labels[found],
            self.asked[asked],
            self.meant[asked],
            self.foreign[foreign],
        )


@dataclass(frozen=True)
class Examples:
    """What was seen of each hit `(n, 5)`: score, best score, mean, deviation, tries.

    `meant` are hits that are meant, `any` items drawn at random for the same questions, `best` the
    best hits of these, and `strange` those of foreign questions.
    """

    meant: Numbers
    any: Numbers
    best: Numbers
    strange: Numbers


def usual_of(pairs: Pairs, seed: int = 0) -> Usual:
    """The scores of questions with things drawn at random."""
    chance = np.random.default_rng(seed)
    asked = np.concatenate([pairs.asked, pairs.foreign])
    rows = asked[chance.integers(len(asked), size=20_000)]
    scores = np.einsum(
        "nd,nd->n", rows, pairs.found[chance.integers(len(pairs.found), size=20_000)]
    )
    mean, deviation = float(scores.mean()), float(scores.std())
    return Usual(mean=round(mean, 4), deviation=round(deviation, 4))


def examples(pairs: Pairs, usual: Usual, *, sizes: Sequence[int], seed: int) -> Examples:
    """Hits of collections of these sizes: what is meant, if it is found, and chance hits."""
    chance = np.random.default_rng(seed)
    drawn: list[tuple[Numbers, Numbers, Numbers, Numbers]] = []
    for number, size in enumerate(sizes):
        chosen = _collection(pairs, size, chance, is_themed=number % THEMED == 0)
        rows, labels = pairs.found[chosen], pairs.labels[chosen]
        some = chance.permutation(np.flatnonzero(np.isin(pairs.meant, labels)))[:ASKED]
        scores = pairs.asked[some] @ rows.T
        own = np.where(pairs.meant[some, None] == labels, scores, -np.inf).max(1)
        is_found = (scores > own[:, None] + 1e-6).sum(1) < FIRST
        spreads = _spreads(scores, usual, chance)
        anything = scores[np.arange(len(scores)), chance.integers(len(rows), size=len(scores))]
        best = scores.max(1)
        seen = [np.column_stack([one, best, spreads])[is_found] for one in (own, anything, best)]
        scores = pairs.foreign[chance.permutation(len(pairs.foreign))[:ASKED]] @ rows.T
        best = scores.max(1)
        strange = np.column_stack([best, best, _spreads(scores, usual, chance)])
        drawn.append((seen[0], seen[1], seen[2], strange))
    return Examples(*(np.concatenate(kind).astype(np.float64) for kind in zip(*drawn, strict=True)))


def alone(pairs: Pairs, seed: int) -> Line:
    """The curve of the score of two things: those that belong together against any others."""
    chance = np.random.default_rng(seed)
    order = np.argsort(pairs.labels, kind="stable")
    right = pairs.found[order[np.searchsorted(pairs.labels, pairs.meant, sorter=order)]]
    strangers = np.concatenate([pairs.asked, pairs.foreign])
    others = pairs.found[chance.integers(len(pairs.found), size=len(strangers))]
    scores = np.concatenate(
        [np.einsum("nd,nd->n", pairs.asked, right), np.einsum("nd,nd->n", strangers, others)]
    ).astype(np.float64)
    bias, (score,) = fitted(scores[:, None], np.arange(len(scores)) < len(right))
    return Line(bias=round(bias, 4), score=round(float(score), 4))


def learnt(worlds: Sequence[Examples], usual: Usual) -> Curve:
    """The curve that fits the examples best.

    Whether there is an answer is learnt as if what is meant were the best hit, for so it is where
    the model does well, and the curve is a little generous where it does not.
    """
    meant, anything, strange = (
        np.concatenate([getattr(one, kind) for one in worlds])
        for kind in ("meant", "any", "strange")
    )
    columns = [SCORE, MEAN, DEVIATION, TRIES]
    bias, (best, mean, deviation, of_tries) = _weighed(meant, strange, columns)
    if of_tries > 0:
        bias, (best, mean, deviation) = _weighed(meant, strange, columns[:-1])
        of_tries = 0.0
    answerable = Answerable(bias=bias, best=best, mean=mean, deviation=deviation, tries=of_tries)
    columns = [SCORE, BEST, MEAN, DEVIATION]
    bias, (score, best, mean, deviation) = _weighed(meant, anything, columns)
    standing = Standing(bias=bias, score=score, best=best, mean=mean, deviation=deviation)
    return Curve(answerable=answerable, standing=standing, usual=usual)


def parted(curve: Curve, examples: Examples) -> float:
    """How well questions with and without an answer are parted: the area under the ROC curve."""
    asks = curve.answerable
    weights = np.array([asks.best, asks.mean, asks.deviation, asks.tries])
    answered, strange = (seen[:, BEST:] @ weights for seen in (examples.best, examples.strange))
    return parting(answered, strange)


def relevances(curve: Curve, seen: Numbers) -> Numbers:
    """The relevance `(n,)` of hits that were seen `(n, 5)`; as `Curve.relevance` of each."""
    asks, hit = curve.answerable, curve.standing
    answered = seen[:, BEST:] @ [asks.best, asks.mean, asks.deviation, asks.tries]
    stands_out = seen[:, :TRIES] @ [hit.score, hit.best, hit.mean, hit.deviation]
    both: Numbers = sigmoid(asks.bias + answered) * sigmoid(hit.bias + stands_out)
    return both


def _weighed(
    meant: Numbers, chance: Numbers, columns: Sequence[int]
) -> tuple[float, tuple[float, ...]]:
    rows = np.concatenate([meant, chance])[:, columns]
    bias, weights = fitted(rows, np.arange(len(rows)) < len(meant))
    return round(bias, 4), tuple(round(weight, 4) for weight in weights.tolist())


def _collection(
    pairs: Pairs, size: int, chance: np.random.Generator, *, is_themed: bool
) -> NDArray[np.int64]:
    size = min(size, len(pairs.found))
    if not is_themed or size < FIRST:
        return chance.permutation(len(pairs.found))[:size]
    near = pairs.found @ pairs.found[chance.integers(len(pairs.found))]
    return np.argsort(-near)[: min(size, len(pairs.found) // 4)]


def _spreads(scores: NDArray[np.float32], usual: Usual, chance: np.random.Generator) -> Numbers:
    """Mean, deviation and tries of each question `(n, 3)`."""
    size = scores.shape[1]
    sample = scores[:, chance.permutation(size)[:SAMPLE]].astype(np.float64)
    steady = [Spread.of(one, size).steadied(usual) for one in sample]
    return np.array([(one.mean, one.deviation, tries(size)) for one in steady]).reshape(-1, 3)
