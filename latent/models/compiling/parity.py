"""How near a compiled model places things to where its source places them, and how fast.

Knows embedders, and nothing about how they were made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from latent.items import Vectors
from latent.models.embedder import Embedder, Prepared

NEIGHBOURS = 10
STABLE = 1e-4
"""How far a row may move with what else is in its batch: the promise of every embedder."""

ROUNDS = 5
PATIENCE = 20.0
"""Seconds after which no further round of timing is begun."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Of one kind of thing: cosines to the source, and how many of the nearest ten are the same."""

    least: float
    mean: float
    overlap: float


@dataclass(frozen=True, slots=True)
class Speed:
    """How many times as fast as the source, by what is embedded; None where it takes no such."""

    images: float | None
    texts: float | None
    one_text: float | None


def parity(source: Vectors, rows: Vectors) -> Parity:
    """Compare the same things, row by row."""
    cosines = np.sum(source.astype(np.float64) * rows, axis=1)
    return Parity(float(cosines.min()), float(cosines.mean()), _overlap(source, rows))


def _overlap(source: Vectors, rows: Vectors) -> float:
    k = min(NEIGHBOURS, len(rows) - 1)
    if k < 1:
        return 1.0
    pairs = zip(_nearest(source, k), _nearest(rows, k), strict=True)
    return float(np.mean([len(before & after) / k for before, after in pairs]))


def _nearest(rows: Vectors, k: int) -> list[set[int]]:
    scores = rows @ rows.T
    np.fill_diagonal(scores, -np.inf)
    return [set(best.tolist()) for best in np.argpartition(-scores, k - 1, axis=1)[:, :k]]


def unsteadiness(embed: Callable[[Sequence[int]], Vectors], count: int) -> float:
    """The most any value of a row moves between being embedded alone and among all others."""
    together = embed(range(count))
    alone = np.concatenate([embed([number]) for number in range(min(count, 4))])
    return float(np.abs(together[: len(alone)] - alone).max())


def speed(
    source: Embedder,
    compiled: Embedder,
    pictures: tuple[list[Prepared], list[Prepared]],
    texts: Sequence[str],
) -> Speed:
    """Compare on the same things and threads; `pictures` are prepared for the one and the other."""
    theirs, ours = pictures
    return Speed(
        images=_ratio(lambda: source.embed_images(theirs), lambda: compiled.embed_images(ours))
        if theirs
        else None,
        texts=_ratio(lambda: source.embed_texts(texts), lambda: compiled.embed_texts(texts))
        if texts
        else None,
        one_text=_ratio(
            lambda: source.embed_texts(texts[:1]), lambda: compiled.embed_texts(texts[:1])
        )
        if texts
        else None,
    )


def _ratio(slow: Callable[[], object], fast: Callable[[], object]) -> float:
    """Medians of rounds in turn, the first thrown away."""
    taken: tuple[list[float], list[float]] = ([], [])
    begun = time.perf_counter()
    for work in (slow, fast):
        work()
    while len(taken[0]) < ROUNDS and (len(taken[0]) < 2 or time.perf_counter() - begun < PATIENCE):
        for work, times in zip((slow, fast), taken, strict=True):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
    return median(taken[0]) / median(taken[1])
