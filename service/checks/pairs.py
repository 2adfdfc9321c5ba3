"""Some things compared with each other: cosines, relevance and tiers.

Knows nothing about collections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latent.models import registry
from latent.models.embedder import Embedder
from latent.settings import Settings
from service.checks.looks import look_at
from service.checks.matching import ANYTHING, Wanted
from service.checks.tiers import Tier, tier_of
from service.embedding.placing import place_now
from service.engine.parts import Thing
from service.engine.relevance import PairJudge, kind_of
from service.seen.timing import Timings


@dataclass(frozen=True, slots=True)
class Pairs:
    """Cosine, relevance and tier of each thing with each, by their numbers.

    `relevances[i][j]` says how surely j is meant where i asks, None where that was not learnt of
    the model. `is_calibrated` says whether the tiers were fitted to it. `matches` is None where
    nothing was asked of a match.
    """

    scores: list[list[float]]
    relevances: list[list[float | None]]
    tiers: list[list[Tier]]
    is_calibrated: bool
    matches: list[list[bool]] | None


def compared(
    embedder: Embedder,
    things: Sequence[Thing],
    settings: Settings,
    wanted: Wanted = ANYTHING,
) -> Pairs:
    """Compare everything with everything, in the calling thread; `wanted` is asked of a match.

    Raises:
        InputError: a text is empty or too long, a picture cannot be read; or relevance is asked
            for, and nothing was learnt of the model.
        UnsupportedMediaError: the model does not take this modality.
    """
    judge = PairJudge(embedder.space, settings)
    judge.require(wanted.min_relevance)
    rows = np.stack(place_now(embedder, things, settings, Timings())).astype(np.float64)
    scores = np.clip(rows @ rows.T, -1.0, 1.0).tolist()
    looks = [look_at(thing, settings) for thing in things]
    cuts = registry.cuts(embedder.space, settings)
    tiers = [
        [tier_of(one, other, score, cuts) for other, score in zip(looks, row, strict=True)]
        for one, row in zip(looks, scores, strict=True)
    ]
    kinds = [kind_of(thing) for thing in things]
    relevances = [
        [judge.relevance(score, asked, found) for score, found in zip(row, kinds, strict=True)]
        for row, asked in zip(scores, kinds, strict=True)
    ]
    rows_of = zip(scores, tiers, relevances, strict=True)
    matches = [[wanted.is_met(*one) for one in zip(*row, strict=True)] for row in rows_of]
    return Pairs(scores, relevances, tiers, cuts.is_fitted, matches if wanted.is_anything else None)
