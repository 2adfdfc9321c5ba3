"""What counts as a match: by the cosine, the tier, or the relevance, whichever is asked for.

Knows nothing about how things are found and compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.checks.tiers import Tier

THRESHOLD = 0.9
"""Least cosine of a match where nothing was asked for, for what is no copy."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a match; all that is given must hold.

    A copy is relevant however little its place says so.
    """

    threshold: float | None = None
    least: Tier | None = None
    min_relevance: float | None = None

    @property
    def is_anything(self) -> bool:
        """Whether anything is asked for."""
        return (self.threshold, self.least, self.min_relevance) != (None, None, None)

    def is_met(self, score: float, tier: Tier | None, relevance: float | None) -> bool:
        """Whether two things of this cosine, tier and relevance match."""
        return (
            (self.threshold is None or score >= self.threshold)
            and (self.least is None or (tier is not None and tier.reaches(self.least)))
            and (
                self.min_relevance is None
                or is_copy(tier)
                or (relevance is not None and relevance >= self.min_relevance)
            )
        )

    def is_met_by_default(self, score: float, tier: Tier | None, relevance: float | None) -> bool:
        """As `is_met`; where nothing is asked for, copies and what is very near match."""
        if self.is_anything:
            return self.is_met(score, tier, relevance)
        return score >= THRESHOLD or is_copy(tier)


ANYTHING = Wanted()
"""Where nothing is asked for."""


def is_copy(tier: Tier | None) -> bool:
    """Whether things of this tier are copies of each other."""
    return tier is not None and tier.reaches(Tier.NEAR_COPY)
