"""The curve of words that find photos, learnt from photos of one's own that have captions.

Questions without an answer are those of `chance`. How well it does is measured twice, each time
fitted on one half of photos and questions and tried on the other. Knows nothing about collections
and models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from latent.errors import InputError
from latent.items import Vectors
from latent.models.calibrating.examples import (
    Examples,
    Pairs,
    alone,
    examples,
    learnt,
    relevances,
    usual_of,
)
from latent.models.calibrating.logistic import parting
from latent.models.calibration import Curve, Line

FEWEST = 50
"""Different captions below which nothing is learnt."""
COLLECTIONS, SMALLEST = 60, 50
"""How many collections are drawn, and how many photos the smallest has."""
SURE = 0.5
WORST = 0.6
"""Least area of a curve that is worth keeping."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How a curve does: the area under the ROC curve between questions with and without an answer.

    At relevance 0.5, `told` is the share of those without that are told so, `kept` that of captions
    which find their photo among the first ten and keep it.
    """

    auroc: float
    told: float
    kept: float


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt of so many captions; `quality` is on what was not fitted on.

    `before` is that of the curve that was there, on the same examples; None where there was none.
    """

    curve: Curve
    line: Line
    captions: int
    quality: Quality
    before: Quality | None


def learn(pairs: Pairs, before: Curve | None = None) -> Learnt:
    """The curve and the line for captions `asked` that mean photos `found`.

    Raises:
        InputError: there are too few captions, or they do not say what the photos show.
    """
    captions = len(np.unique(pairs.meant))
    if captions < FEWEST:
        raise InputError(
            f"{captions} different captions of photos are too few to learn from; it takes {FEWEST}"
        )
    try:
        found = _learnt(pairs, captions, before)
    except ValidationError as error:  # more likeness would make a hit less relevant
        raise _say_nothing() from error
    if found.quality.auroc < WORST:
        raise _say_nothing()
    return found


def _learnt(pairs: Pairs, captions: int, before: Curve | None) -> Learnt:
    usual, photos = usual_of(pairs), len(pairs.found)
    sides = [examples(half, usual, sizes=_sizes(photos // 2), seed=2) for half in pairs.halves(1)]
    crossed = [(learnt([one], usual), other) for one, other in (sides, sides[::-1])]
    return Learnt(
        learnt([examples(pairs, usual, sizes=_sizes(photos), seed=3)], usual),
        alone(pairs, seed=6),
        captions,
        _quality(crossed),
        None if before is None else _quality([(before, side) for side in sides]),
    )


def _say_nothing() -> InputError:
    return InputError(
        "the captions do not say what their photos show, as this model sees it: they part no better"
        " from questions that nothing answers than chance would have them"
    )


def _sizes(most: int) -> list[int]:
    """Sizes of collections, from small ones to all there is."""
    least = min(SMALLEST, most)
    return [round(float(size)) for size in np.geomspace(least, most, COLLECTIONS)]


def _quality(tried: Sequence[tuple[Curve, Examples]]) -> Quality:
    measured = []
    for curve, seen in tried:
        best, strange = relevances(curve, seen.best), relevances(curve, seen.strange)
        told = float(np.mean(strange < SURE))
        kept = float(np.mean(relevances(curve, seen.meant) >= SURE))
        measured.append((parting(best, strange), told, kept))
    return Quality(*(round(float(value), 3) for value in np.mean(measured, axis=0)))


def pairs_of(photos: Vectors, said: Sequence[str], places: Vectors, strange: Vectors) -> Pairs:
    """Photos `(n, dim)` and what is said of each; `places` are those of each different caption.

    In the order in which they first come. Photos that share a caption are meant by it alike.
    """
    numbers = {caption: number for number, caption in enumerate(dict.fromkeys(said))}
    labels = np.array([numbers[caption] for caption in said], np.int64)
    return Pairs(photos, labels, places, np.arange(len(numbers)), strange)
