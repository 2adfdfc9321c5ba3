"""How alike two things are, in tiers: from the same bytes to nothing in common.

`docs/reference/tiers.md` says what each tier means and how often it is right. Knows nothing about
where things come from and how models place them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from latent.items import Modality
from latent.media.fingerprints import apart
from latent.models.cuts import Cuts
from service.checks.looks import Look
from service.checks.overlap import overlap
from service.checks.structure import covered
from service.checks.wording import Shingles, containment, normalised, resemblance, shingles


class Tier(StrEnum):
    """From the most alike to the least; those of pictures and of texts stand beside each other."""

    IDENTICAL = "identical"
    SAME_PICTURE = "same_picture"
    SAME_TEXT = "same_text"
    NEAR_COPY = "near_copy"
    ALIKE = "alike"
    PARAPHRASE = "paraphrase"
    RELATED = "related"
    UNRELATED = "unrelated"

    @property
    def rank(self) -> int:
        """Higher is more alike; tiers of pictures and texts that stand for each other share one."""
        return RANKS[self]

    def reaches(self, least: Tier) -> bool:
        """Whether it is at least as alike."""
        return self.rank >= least.rank


RANKS = {
    Tier.IDENTICAL: 5,
    Tier.SAME_PICTURE: 4,
    Tier.SAME_TEXT: 4,
    Tier.NEAR_COPY: 3,
    Tier.ALIKE: 2,
    Tier.PARAPHRASE: 2,
    Tier.RELATED: 1,
    Tier.UNRELATED: 0,
}


def of_rank(rank: int, modality: Modality) -> Tier:
    """The tier of this rank that pictures or texts have."""
    tiers = [tier for tier, found in RANKS.items() if found == rank]
    return tiers[0] if modality is Modality.IMAGE else tiers[-1]


SAME_PICTURE = 0.14
"""Share of the bits of two picture hashes that may differ."""

SAME_UNSEEN = 0.1
"""The same where the pixels of one are not at hand, to see whether something covers a part."""

COVERED = 0.45
"""How much less alike than most its least alike place is where a picture has a cover."""

NEAR_PICTURE = 0.26
"""The same for a near copy, also turned over: of 61 million chance pairs none came so near."""

OVERLAP = 0.91
"""Least correlation of a picture with a part of another that it was cut from."""

NEAR_TEXT = 0.55
"""Least share of common shingles of near copies."""

PART_OF_TEXT = 0.9
"""Least share of the shingles of a text that another one contains, of which it is a part."""


def tier_of(one: Look, other: Look, score: float, cuts: Cuts) -> Tier:
    """The tier of two things whose places have this cosine, in the space of the cuts."""
    if one.contents & other.contents:
        return Tier.IDENTICAL
    if one.modality is not other.modality:
        return Tier.RELATED if score >= cuts.across.related else Tier.UNRELATED
    if one.modality is Modality.IMAGE:
        return _of_pictures(one, other, score, cuts)
    return _of_texts(one.text or "", other.text or "", score, cuts)


def closest(tiers: Iterable[Tier]) -> Tier:
    """The tier that is most alike; `unrelated` where there are none."""
    return max(tiers, key=lambda tier: tier.rank, default=Tier.UNRELATED)


def _of_pictures(one: Look, other: Look, score: float, cuts: Cuts) -> Tier:
    between = apart(one.picture_hash, other.picture_hash)
    if _is_same_picture(one, other, between.upright):
        return Tier.SAME_PICTURE
    if between.turned <= NEAR_PICTURE or score >= cuts.pictures.near_copy:
        return Tier.NEAR_COPY
    if score < cuts.pictures.related:
        return Tier.UNRELATED
    if _shows_a_part(one, other):
        return Tier.NEAR_COPY
    return Tier.ALIKE if score >= cuts.pictures.alike else Tier.RELATED


def _is_same_picture(one: Look, other: Look, distance: float) -> bool:
    """Whether both show the whole of the same picture and nothing else."""
    if one.fine is None or other.fine is None:
        return distance <= SAME_UNSEEN
    return distance <= SAME_PICTURE and covered(one.fine, other.fine) <= COVERED


def _shows_a_part(one: Look, other: Look) -> bool:
    """Whether one is a part of the other; not known where the pixels of one are not at hand."""
    if one.small is None or other.small is None:
        return False
    return overlap(one.small, other.small) >= OVERLAP


def _of_texts(one: str, other: str, score: float, cuts: Cuts) -> Tier:
    if normalised(one) == normalised(other):
        return Tier.SAME_TEXT
    if is_near_text(shingles(one), shingles(other)):
        return Tier.NEAR_COPY
    if score >= cuts.texts.alike:
        return Tier.PARAPHRASE
    return Tier.RELATED if score >= cuts.texts.related else Tier.UNRELATED


def is_near_text(one: Shingles, other: Shingles) -> bool:
    """Whether one text was made of the other by changing, adding or leaving out little."""
    return resemblance(one, other) >= NEAR_TEXT or containment(one, other) >= PART_OF_TEXT
