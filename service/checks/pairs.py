"""Some things compared with each other: cosines and tiers. Knows nothing about collections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from latent.models import registry
from latent.models.embedder import Embedder
from latent.settings import Settings
from service.checks.looks import look_at
from service.checks.tiers import Tier, tier_of
from service.embedding.placing import place_now
from service.engine.parts import Thing
from service.timing import Timings


@dataclass(frozen=True, slots=True)
class Pairs:
    """Cosine and tier of each thing with each, by their numbers.

    `is_calibrated` says whether the tiers were fitted to the model.
    """

    scores: list[list[float]]
    tiers: list[list[Tier]]
    is_calibrated: bool


def compared(embedder: Embedder, things: Sequence[Thing], settings: Settings) -> Pairs:
    """Compare everything with everything, in the calling thread.

    Raises:
        InputError: a text is empty or too long, a picture cannot be read.
        UnsupportedMediaError: the model does not take this modality.
    """
    rows = np.stack(place_now(embedder, things, settings, Timings())).astype(np.float64)
    scores = np.clip(rows @ rows.T, -1.0, 1.0).tolist()
    looks = [look_at(thing, settings) for thing in things]
    cuts = registry.cuts(embedder.space, settings)
    tiers = [
        [tier_of(one, other, score, cuts) for other, score in zip(looks, row, strict=True)]
        for one, row in zip(looks, scores, strict=True)
    ]
    return Pairs(scores, tiers, cuts.is_fitted)
