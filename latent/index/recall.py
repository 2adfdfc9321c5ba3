"""The recall contract: what a graph finds of what there is, and how far it must look for that.

After it is built a graph is asked questions whose true neighbours are known by comparing all. Those
in words come from another part of the space than things do, and are measured apart (OOD-DiskANN,
arXiv 2211.12850). The least effort that keeps the promise is what it is searched with. Knows
nothing about where questions come from; `questions` does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latent.index.bases import GONE, Base, Kind
from latent.index.exact import MARGIN
from latent.index.faiss_index import FaissIndex
from latent.index.plans import LEAST_EFFORT, Plan, Way
from latent.index.vectors import Keys
from latent.items import Vectors

log = logging.getLogger(__name__)

PIECE = 8_192  # rows that all questions are compared with at once
AT = 10
"""Recall is of the ten nearest."""
STRIDE = 4
EFFORTS = tuple(round(LEAST_EFFORT * 2 ** (step / STRIDE)) for step in range(4 * STRIDE + 1))
"""From the least to sixteen times as much, which is kept if none is enough."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Places to ask from, `(n, dim)`; `keys` `(n,)` are those of items, -1 where it is none.

    An item does not count as its own neighbour.
    """

    vectors: Vectors
    keys: Keys

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Contract:
    """Recall at 10 by kind of question, and the effort it was measured at.

    The effort is None where every row is compared. A kind that is not there was not measured.
    """

    effort: int | None
    recall: Mapping[str, float]

    def keeps(self, promise: float) -> bool:
        """Whether recall is as promised for every kind that was measured."""
        return min(self.recall.values(), default=1.0) >= promise


def measured(base: Base, questions: Mapping[str, Questions], promise: float) -> Contract:
    """The least effort at which recall is as promised for every kind of question."""
    asked = {kind: some for kind, some in questions.items() if len(some)}
    if base.kind is Kind.EXACT:
        return Contract(None, dict.fromkeys(asked, 1.0))
    if len(base.keys) <= AT or not asked:
        return Contract(LEAST_EFFORT, {})
    lines = {kind: lines_of(base, some) for kind, some in asked.items()}

    def contract(step: int) -> Contract:
        effort = EFFORTS[step]
        found = {kind: _found(base, asked[kind], lines[kind], effort) for kind in asked}
        return Contract(effort, found)

    return _least(contract, promise)


def _least(contract: Callable[[int], Contract], promise: float) -> Contract:
    """The contract of the first of `EFFORTS` that keeps the promise, or of the last.

    Doubled until it is kept, for little efforts cost little to try; then halved in between.
    """
    short = 0  # the last step that is known not to be enough
    for step in range(0, len(EFFORTS), STRIDE):
        found = contract(step)
        if found.keeps(promise):
            break
        short = step
    else:
        log.warning("recall at %d stays below %g: %s", AT, promise, found.recall)
        return found
    while step - short > 1:
        between = (short + step) // 2
        other = contract(between)
        if other.keeps(promise):
            step, found = between, other
        else:
            short = between
    return found


def lines_of(base: Base, questions: Questions) -> NDArray[np.float32]:
    """The score of the tenth nearest of each question, by comparing all; `(n,)`."""
    best = np.full((len(questions), AT), -np.inf, np.float32)
    own, is_gone = base.places(questions.keys), base.keys == GONE
    for start in range(0, len(base.keys), PIECE):
        scores = questions.vectors @ base.vectors[start : start + PIECE].T
        scores[:, is_gone[start : start + PIECE]] = -np.inf
        inside = (own >= start) & (own < start + scores.shape[1])
        scores[inside, own[inside] - start] = -np.inf
        better = np.flatnonzero(scores.max(axis=1) > best.min(axis=1))
        both = np.concatenate([best[better], scores[better]], axis=1)
        best[better] = np.partition(both, -AT, axis=1)[:, -AT:]
    lines: NDArray[np.float32] = best.min(axis=1)
    return lines


def _found(base: Base, questions: Questions, lines: NDArray[np.float32], effort: int) -> float:
    """The share of the ten nearest that a walk finds; what is as near as the tenth counts."""
    index, plan, found = FaissIndex(base), Plan(Way.GRAPH, effort), 0
    answers = index.traced(questions.vectors, AT + 1, plan=plan)
    for (hits, _), own, line in zip(answers, questions.keys.tolist(), lines, strict=True):
        others = [hit for hit in hits if hit.key != own][:AT]
        found += sum(hit.score >= line - MARGIN for hit in others)
    return float(found / (AT * len(questions)))
