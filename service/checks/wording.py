"""How alike two texts are as strings: the same words, or nearly the same.

Says nothing about meaning; a model does that. Knows nothing about collections.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TypeAlias

SHINGLE = 4
"""Characters of a shingle (Broder 1997): a few, so that texts of one line have many of them."""

LEAST_PART = 20
"""Shingles that a part of a text must have: shorter ones are contained in many texts by chance."""

Shingles: TypeAlias = frozenset[str]

_NO_WORD = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """The text in lower case, without punctuation, with single spaces and one form of each letter.

    A text of punctuation alone is left as it is, for nothing would be left of it.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _NO_WORD.sub(" ", folded).strip() or " ".join(folded.split())


def shingles(text: str) -> Shingles:
    """All runs of `SHINGLE` characters of the normalised text, which is framed by spaces."""
    framed = f" {normalised(text)} "
    return frozenset(framed[i : i + SHINGLE] for i in range(max(1, len(framed) - SHINGLE + 1)))


NOTHING = shingles("")
"""Those of an empty text, or of one that is gone."""


def resemblance(ours: Shingles, theirs: Shingles) -> float:
    """Share of the shingles that both have, of all that either has: 1 for the same, 0 for none."""
    shared = len(ours & theirs)
    return shared / (len(ours) + len(theirs) - shared)


def containment(ours: Shingles, theirs: Shingles) -> float:
    """Share of the shingles of the shorter text that the longer one has; 0 for a very short one."""
    fewer = min(len(ours), len(theirs))
    return len(ours & theirs) / fewer if fewer >= LEAST_PART else 0.0
