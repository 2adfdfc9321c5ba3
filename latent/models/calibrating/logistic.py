"""Logistic regression by Newton's method, and how well its odds part two kinds.

Knows nothing about what the numbers mean.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers: TypeAlias = NDArray[np.float64]

STEPS = 100
PENALTY = 1e-4
"""Of the squared weights of scaled features, against the mean loss of an example."""


def fitted(features: Numbers, is_true: NDArray[np.bool_]) -> tuple[float, Numbers]:
    """Bias and weights `(d,)` for examples `(n, d)`; both kinds count the same in all."""
    mean, deviation = features.mean(0), features.std(0) + 1e-12
    rows = np.column_stack([np.ones(len(features)), (features - mean) / deviation])
    share = is_true.mean()
    each = np.where(is_true, 0.5 / share, 0.5 / (1 - share)) / len(features)
    penalty = np.diag([0.0] + [PENALTY] * features.shape[1])
    weights = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        chance = sigmoid(rows @ weights)
        slope = rows.T @ (each * (is_true - chance)) - penalty @ weights
        bend = (rows * (each * chance * (1 - chance))[:, None]).T @ rows + penalty
        step = np.linalg.solve(bend + 1e-12 * np.eye(len(bend)), slope)
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    scaled = weights[1:] / deviation
    return float(weights[0] - scaled @ mean), scaled


def sigmoid(log_odds: Numbers) -> Numbers:
    """Probabilities of log-odds."""
    chances: Numbers = 1 / (1 + np.exp(-np.clip(log_odds, -500, 500)))
    return chances


def parting(of_true: ArrayLike, of_false: ArrayLike) -> float:
    """Area under the ROC curve: how often one that is true has more than one that is not."""
    order, true = np.sort(np.asarray(of_false)), np.asarray(of_true)
    below = np.searchsorted(order, true, "left") + np.searchsorted(order, true, "right")
    return float(below.mean() / (2 * len(order)))
