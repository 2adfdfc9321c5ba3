"""What of a thing speaks for a direction: parts are taken away, and the fall of the score is told.

Whether that can be believed is tried as well (the deletion test of Samek et al., arXiv 1509.06321):
taking away what was found to speak most must cost more than taking away as much by chance. Knows
nothing about pictures and texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]

PART = 0.25  # of all parts is taken away at once, to try what was found
CHANCES = 5  # random choices that it is held against
LEAST_FALL = 0.01  # of the score; less than that says nothing
LOW = 0.3
"""Faithfulness below which an explanation should not be believed."""


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """`gave` says for each part how much the score falls without it.

    `faithfulness` is the share of the fall that chance does not explain, when the most telling
    quarter is taken away: 1 if a random quarter costs nothing, 0 or less if it costs as much.
    None where there are too few parts to try.
    """

    score: float
    gave: Scores
    faithfulness: float | None

    @property
    def is_low(self) -> bool:
        """Whether it should not be believed."""
        return self.faithfulness is None or self.faithfulness < LOW


Scored = Callable[[Sequence[NDArray[np.bool_]]], Scores]
"""The scores of a thing without the parts that are true, `(parts,)` each."""


def explained(windows: NDArray[np.bool_], scored: Scored) -> Explained:
    """Take away each window, `(windows, parts)`, and share out what it cost among its parts."""
    count = windows.shape[1]
    scores = scored([np.zeros(count, np.bool_), *windows])
    score = float(scores[0])
    falls = score - scores[1:]
    covered = np.maximum(windows.sum(0), 1)
    gave = ((windows * falls[:, None]).sum(0) / covered).astype(np.float32)
    return Explained(score, gave, _faithfulness(score, gave, scored))


def _faithfulness(score: float, gave: Scores, scored: Scored) -> float | None:
    count = len(gave)
    taken = round(count * PART)
    if taken < 1 or count < 4:
        return None
    random = np.random.default_rng(0)
    without = np.zeros((1 + CHANCES, count), np.bool_)
    without[0, np.argsort(-gave, kind="stable")[:taken]] = True
    for row in without[1:]:
        row[random.choice(count, taken, replace=False)] = True
    scores = scored(list(without))
    fall = score - float(scores[0])
    if fall < LEAST_FALL * max(abs(score), 1e-6):
        return 0.0
    by_chance = score - float(scores[1:].mean())
    return float(np.clip(1 - by_chance / fall, -1.0, 1.0))
