"""Texts as a model's makers cleaned them before its tokenizer saw them.

Each way is the one that open_clip has under the same name, so that tokens come out the same. Knows
nothing about tokens.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np

Cleaning: TypeAlias = Literal["none", "whitespace", "lower", "canonicalize"]

WORDS = 10_000  # whose counts are kept
SHORT = 50  # characters of a word that is worth it


def cleaned(text: str, how: Cleaning) -> str:
    """The text without mojibake, entities and spare spaces; what else is done says `how`.

    `lower`: in small letters. `canonicalize`: so, and without ASCII punctuation (big_vision's way).
    """
    return text if how == "none" else _WAYS[how](_repaired(text))


def spans_of_words(text: str, count: Callable[[str], int]) -> list[tuple[int, int]]:
    """As many spans as tokens, or more: the tokens of a word share out its characters.

    For tokenizers that read a cleaned text, whose offsets lead nowhere in the one that was given.
    `count` says how many tokens a piece of text has.
    """
    spans: list[tuple[int, int]] = []
    for word in re.finditer(r"\S+", text):
        # A word may read otherwise behind a space than at the start of a text.
        tokens = max(count(word.group()), count(f"a {word.group()}") - 1, 1)
        if tokens == 1:
            spans.append(word.span())
            continue
        spans += pairwise(np.linspace(word.start(), word.end(), tokens + 1).astype(int).tolist())
    return spans


def remembering(count: Callable[[str], int]) -> Callable[[str], int]:
    """The same counts, kept for the short words that came last: most come again and again.

    To clean and read a word takes tens of microseconds, and a text has many.
    """
    kept = lru_cache(WORDS)(count)
    return lambda word: kept(word) if len(word) <= SHORT else count(word)


def _repaired(text: str) -> str:
    import ftfy  # takes a moment to import, and `mini` does without

    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def _whitespace(text: str) -> str:
    return " ".join(text.split())


def _lower(text: str) -> str:
    return _whitespace(text).lower()


def _canonicalize(text: str) -> str:
    return _whitespace(text.replace("_", " ").translate(_NO_PUNCTUATION).lower())


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WAYS: Mapping[Cleaning, Callable[[str], str]] = {
    "whitespace": _whitespace,
    "lower": _lower,
    "canonicalize": _canonicalize,
}
