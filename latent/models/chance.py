"""What chance alone gives a question in a model that was not calibrated.

Questions that hardly anything answers are placed by the model. What is best for them in a
collection is chance: how far the best of a question is above that says whether it has an answer,
and how far a hit stands out from the collection whether it is one. Nothing has to be known of the
model, and nobody has to say what belongs together. Knows nothing about how items are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from latent.items import Vectors
from latent.models.calibration import Judging, Spread, Unlearnt, probability, tries
from latent.models.embedder import Embedder

SPREADING = 2.0
"""How much a question's deviation counts beside its score: one that is answered spreads items."""

LEAST, STEP = 1.5, 2.0
"""How many deviations above chance is as likely an answer as not, and how fast doubt goes."""

SHARE = 0.4
"""As `UNLEARNT_SHARE`, and more lenient, for here a hit must be of a question with an answer."""

FLOOR = 0.2
"""Least deviation of what chance gives, in those of random directions, 1 / √dim."""


@cache
def questions() -> list[str]:
    """Things that are together nowhere, things that few collections have, and nonsense."""
    text = resources.files(__package__).joinpath("chance.txt").read_text(encoding="utf-8")
    return text.splitlines()


def placed(embedder: Embedder) -> Vectors:
    """The places of those questions that the model reads whole, `(n, dim)`.

    Raises:
        UnsupportedMediaError: the model takes no texts.
    """
    short = [one for one in questions() if len(embedder.token_spans(one)) <= embedder.max_tokens]
    return embedder.embed_texts(short)


@dataclass(frozen=True, slots=True)
class Chance:
    """Mean and deviation of what is best by chance, a question's own deviation counted in.

    `standing` says whether a hit stands out from the collection.
    """

    mean: float
    deviation: float
    standing: Unlearnt

    @classmethod
    def of(cls, asked: Vectors, sample: Vectors, items: int) -> Chance:
        """What `asked` `(m, dim)` find by chance among so many items, of which a sample is known.

        The best of more items than the sample has is put as far above its best as the best of
        normal scores would be.
        """
        scores = (asked @ sample.T).astype(np.float64)
        deviation = scores.std(axis=1)
        best = scores.max(axis=1) + deviation * (tries(items) - tries(len(sample)))
        telling = best + SPREADING * deviation
        dim = sample.shape[1]
        deviation_of_all = max(float(telling.std()), FLOOR * dim**-0.5)
        return cls(float(telling.mean()), deviation_of_all, Unlearnt(dim, SHARE))

    def relevance(self, score: float, best: float, spread: Spread) -> float:
        """As `Curve.relevance`: no surer than that there is an answer, nor than the hit is one."""
        return self.judging(best, spread)(score)

    def judging(self, best: float, spread: Spread) -> Judging:
        """As `Curve.judging`."""
        above = (best + SPREADING * spread.deviation - self.mean) / self.deviation
        answered = probability(STEP * (above - LEAST))
        stands_out = self.standing.judging(best, spread)
        return lambda score: min(answered, stands_out(score))
