"""How sure a score is: what was learnt of a model's cosines from pairs that belong together.

A cosine alone says little: what is high for one question is chance for another, and more items give
chance more tries. So a curve weighs a score together with the question's best, how its scores
spread over a sample of the collection, and how many items there are
(`docs/explanation/relevance.md`). Knows nothing about collections and how samples are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from latent.items import Modality
from latent.models.cuts import Cuts

USUAL_WEIGHT = 10.0
"""How many scores of a sample what is usual counts for: with few items there is little to see."""

UNLEARNT_STEP, UNLEARNT_LEAST, UNLEARNT_SHARE = 2.0, 1.0, 0.5

Judging: TypeAlias = Callable[[float], float]
"""The relevance of a hit of one question, by its score."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Spread:
    """How one question scores over a sample: mean, standard deviation and size of the sample.

    `items` is how many there are to be found, of which the sample is a part.
    """

    mean: float
    deviation: float
    sampled: int
    items: int

    @classmethod
    def of(cls, scores: NDArray[np.floating], items: int) -> Spread:
        """The spread of the scores `(n,)` of a sample."""
        if not len(scores):
            return NOTHING
        mean = float(scores.mean())
        beyond = scores - mean
        # For each question: `std` takes three times as long.
        return cls(mean, math.sqrt(float(beyond @ beyond) / len(scores)), len(scores), items)

    def steadied(self, usual: Usual) -> Spread:
        """Drawn towards what is usual, the more the smaller the sample is.

        As if `USUAL_WEIGHT` scores of the usual mean and deviation had been seen as well.
        """
        own = self.sampled / (self.sampled + USUAL_WEIGHT)
        mean = own * self.mean + (1 - own) * usual.mean
        between = own * (1 - own) * (self.mean - usual.mean) ** 2
        variance = own * self.deviation**2 + (1 - own) * usual.deviation**2 + between
        return Spread(mean, math.sqrt(variance), self.sampled, self.items)


NOTHING = Spread(0.0, 0.0, 0, 1)
"""Where there is nothing to draw a sample from."""


@lru_cache
def tries(items: int) -> float:
    """How many deviations above the mean the best of so many chance scores is to be expected.

    Blom's estimate for normal scores (G. Blom, Statistical Estimates, 1958).
    """
    count = max(items, 1)
    return _NORMAL.inv_cdf((count - 0.375) / (count + 0.25))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Usual(_Strict):
    """Mean and deviation of the scores of things that have nothing to do with each other."""

    mean: float
    deviation: float = Field(gt=0)


class Answerable(_Strict):
    """Weights for whether a question has an answer here at all, by its best score."""

    bias: float
    best: float
    mean: float
    deviation: float
    tries: float = Field(le=0, description="More items make a high score no more telling.")


class Standing(_Strict):
    """Weights for whether a hit is more than any item of the collection, if there is an answer."""

    bias: float
    score: float = Field(ge=0, description="A higher score is never less relevant.")
    best: float
    mean: float
    deviation: float


class Curve(_Strict):
    """Two logistic curves: is there an answer, and if so, is this hit one?"""

    answerable: Answerable
    standing: Standing
    usual: Usual

    def relevance(self, score: float, best: float, spread: Spread) -> float:
        """How surely a hit is what was meant; `best` is the best score of the question."""
        return self.judging(best, spread)(score)

    def judging(self, best: float, spread: Spread) -> Judging:
        """As `relevance`, for all hits of a question: what they share is worked out once."""
        steady = spread.steadied(self.usual)
        asks, hit = self.answerable, self.standing
        answered = probability(
            asks.bias
            + asks.best * best
            + asks.mean * steady.mean
            + asks.deviation * steady.deviation
            + asks.tries * tries(spread.items)
        )
        shared = hit.best * best + hit.mean * steady.mean + hit.deviation * steady.deviation
        bias, weight = hit.bias + shared, hit.score
        return lambda score: answered * probability(bias + weight * score)


class Line(_Strict):
    """A logistic curve of the score alone, for two things that are in no collection."""

    bias: float
    score: float = Field(ge=0)

    def relevance(self, score: float) -> float:
        """How surely both belong together."""
        return probability(self.bias + self.score * score)


class Calibration(_Strict):
    """The curves of a model by pair, as in `text-image` for photos that words find.

    `alone` are those for two things that are compared without a collection. `cuts` say which
    cosines stand for what, where that was fitted.
    """

    curves: Mapping[str, Curve] = Field(default_factory=dict)
    alone: Mapping[str, Line] = Field(default_factory=dict)
    cuts: Cuts | None = None
    about: str = Field("", description="What it was learnt from.")

    def curve(self, asked: Modality, found: Modality) -> Curve | None:
        """The curve for finding things of one kind with a question of another."""
        return self.curves.get(pair(asked, found))

    def over(self, other: Calibration) -> Calibration:
        """This one, with what only the other knows."""
        return Calibration(
            curves={**other.curves, **self.curves},
            alone={**other.alone, **self.alone},
            cuts=self.cuts or other.cuts,
            about="; ".join(one.about for one in (self, other) if one.about),
        )


def pair(asked: Modality, found: Modality) -> str:
    """The name of a pair of modalities."""
    return f"{asked.value}-{found.value}"


@dataclass(frozen=True, slots=True)
class Unlearnt:
    """What is said of a model for which no curve was learnt: from the collection alone.

    A score counts by how many deviations it is above the mean, less one and half of what chance
    gives the best of so many. That is lenient: it lets pass what may be meant, and little of what
    is not is held back. Where there are few items, unrelated things are taken for random directions
    of the space: mean 0, deviation 1/√dim.
    """

    dim: int
    share: float = UNLEARNT_SHARE

    def relevance(self, score: float, best: float, spread: Spread) -> float:
        """As `Curve.relevance`; the best score has no say."""
        return self.judging(best, spread)(score)

    def judging(self, best: float, spread: Spread) -> Judging:
        """As `Curve.judging`."""
        steady = spread.steadied(Usual(mean=0.0, deviation=self.dim**-0.5))
        deviation = max(steady.deviation, 1e-6)
        least = UNLEARNT_LEAST + self.share * tries(spread.items)
        return lambda score: probability(
            UNLEARNT_STEP * ((score - steady.mean) / deviation - least)
        )


def probability(log_odds: float) -> float:
    """Between 0 and 1."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))
