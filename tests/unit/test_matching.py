"""What counts as a match."""

from __future__ import annotations

import pytest

from service.checks.matching import ANYTHING, Wanted
from service.checks.tiers import Tier


@pytest.mark.parametrize(
    ("score", "tier", "is_match"),
    [
        (0.95, Tier.ALIKE, True),
        (0.85, Tier.ALIKE, False),
        (0.3, Tier.NEAR_COPY, True),
        (0.95, None, True),
        (0.85, None, False),
    ],
)
def test_by_default_copies_match_and_what_is_very_near(
    score: float, tier: Tier | None, is_match: bool
) -> None:
    assert not ANYTHING.is_anything
    assert ANYTHING.is_met_by_default(score, tier, None) is is_match


def test_all_that_is_asked_must_hold() -> None:
    wanted = Wanted(threshold=0.5, least=Tier.ALIKE, min_relevance=0.5)
    assert wanted.is_met(0.6, Tier.ALIKE, 0.6)
    assert not wanted.is_met(0.4, Tier.ALIKE, 0.6)
    assert not wanted.is_met(0.6, Tier.RELATED, 0.6)
    assert not wanted.is_met(0.6, Tier.ALIKE, 0.4)
    assert not wanted.is_met(0.6, None, 0.6)
    assert not wanted.is_met(0.6, Tier.ALIKE, None)


def test_what_is_asked_takes_the_place_of_the_default() -> None:
    assert not Wanted(threshold=0.95).is_met_by_default(0.92, Tier.NEAR_COPY, None)
    assert Wanted(threshold=0.1).is_met_by_default(0.2, None, None)
    assert Wanted(min_relevance=0.5).is_met_by_default(0.2, None, 0.6)


def test_a_copy_is_relevant_however_far_away_it_is() -> None:
    wanted = Wanted(min_relevance=0.9)
    assert wanted.is_met(0.1, Tier.SAME_PICTURE, 0.0)
    assert not wanted.is_met(0.1, Tier.ALIKE, 0.0)
