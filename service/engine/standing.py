"""All hits of a question at once, by key: what stands out of a whole collection.

Every vector that matches is multiplied with the question's direction and none of the items is read,
so that thousands cost little more than one. Knows nothing about maps.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latent.index.vectors import Keys
from latent.items import Modality, Vector
from service.engine.questions import IDENTICAL, Plan


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Hits by key, most relevant first, `(n,)`, with their relevances; `hits` counts all."""

    keys: Keys
    relevances: NDArray[np.float64]
    hits: int


def standing(plan: Plan, vector: Vector, most: int) -> Standing:
    """The `most` most relevant of all hits, as a search that goes on to the end would find them."""
    asked = plan.question.modality
    named = _named(plan)
    sides = [_side(plan, vector, kind, named, most) for kind in plan.judge.kinds_found(asked)]
    if not sides:
        return Standing(np.zeros(0, np.int64), np.zeros(0), 0)
    keys = np.concatenate([side.keys for side in sides])
    relevances = np.concatenate([side.relevances for side in sides])
    order = np.argsort(-relevances, kind="stable")[:most]
    return Standing(keys[order], relevances[order], sum(side.hits for side in sides))


def _side(plan: Plan, vector: Vector, kind: Modality, named: Keys, most: int) -> Standing:
    """Those of one kind."""
    found = plan.collection.products(vector, where=plan.where, modality=kind)
    is_answer = ~np.isin(found.keys, named)
    keys, scores = found.keys[is_answer], found.scores[is_answer].astype(np.float64)
    order = np.lexsort((keys, -scores))
    keys, scores = keys[order], scores[order]
    matched = None if plan.where is None else len(found.keys)
    spread = plan.judge.spread(vector, kind, matched)
    relevance = plan.judge.judging(kind, float(scores[0]) if len(scores) else 0.0, spread)
    # Relevance falls with the score, so that few have to be judged to tell how many there are.
    falling = scores.tolist()
    hits = bisect_right(falling, -plan.least, key=lambda score: -relevance(score))
    told = np.array([relevance(score) for score in falling[: min(hits, most)]], np.float64)
    return Standing(keys[: len(told)], told, hits)


def _named(plan: Plan) -> Keys:
    """What the question names, which is no answer to it."""
    keys = [plan.collection.keys_of(list(plan.known))]
    for row in () if plan.apart is None else plan.apart:
        found = plan.collection.products(row)
        keys.append(found.keys[found.scores >= IDENTICAL])
    return np.concatenate(keys)
