"""Patterns of `$like`, and which texts have them: one, or thousands at once.

`%` stands for any characters and `_` for one; `\\` takes the next one as it is. A to Z match in
either case, as in SQLite. What stands between two `%` is looked for as early as it can be, which is
enough, so that no pattern takes longer than to read the text a few times. Knows nothing about
filters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

TO_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
MOST_KEPT = 2_048  # patterns; more than one filter may have

_ANY, _ONE = object(), object()


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a text begins with, has in this order, and ends with; all of it where that is None.

    `odd` is the same as an expression, where the pattern asks for single unknown characters.
    """

    first: str
    between: Sequence[str]
    last: str | None
    odd: re.Pattern[str] | None

    def is_in(self, text: str) -> bool:
        """Whether a text has it."""
        text = text.translate(TO_LOWER)
        if self.odd is not None:
            return self.odd.match(text) is not None
        if self.last is None:
            return text == self.first
        if not text.startswith(self.first):
            return False
        at = len(self.first)
        for part in self.between:
            at = text.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return len(text) - len(self.last) >= at and text.endswith(self.last)

    def among(self, lowered: NDArray[np.bytes_]) -> NDArray[np.bool_]:
        """Which of many texts have it: UTF-8, without NUL, A to Z in lower case; `(n,)`."""
        if self.odd is not None:
            texts = (text.decode() for text in lowered.tolist())
            return np.fromiter((self.is_in(text) for text in texts), np.bool_, len(lowered))
        first, last, *between = map(_as_bytes, (self.first, self.last or "", *self.between))
        if any(b"\0" in part for part in (first, last, *between)):  # which numpy would cut off
            return np.zeros(len(lowered), np.bool_)
        if self.last is None:
            return np.equal(lowered, first)
        found = np.strings.startswith(lowered, first)
        at = np.full(len(lowered), len(first))
        for part in between:
            at = np.strings.find(lowered, part, at)
            found &= at >= 0
            at += len(part)
        found &= np.strings.endswith(lowered, last)
        found &= np.strings.str_len(lowered) - len(last) >= at
        return found


@lru_cache(MOST_KEPT)
def pattern_of(written: str) -> Pattern:
    """The pattern that is written so."""
    parts: list[list[object]] = [[]]
    for sign in _signs(written.translate(TO_LOWER)):
        if sign is _ANY:
            parts.append([])
        else:
            parts[-1].append(sign)
    if any(sign is _ONE for part in parts for sign in part):
        return Pattern("", (), None, _expression(parts))
    first, *others = ("".join(map(str, part)) for part in parts)
    last = others.pop() if others else None
    return Pattern(first, tuple(part for part in others if part), last, None)


def is_like(value: str, pattern: str) -> bool:
    """Whether a string has a pattern of `Like`."""
    return pattern_of(pattern).is_in(value)


def _signs(pattern: str) -> Iterator[object]:
    """The characters of a pattern, and what stands for any of them."""
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            yield next(characters)
        else:
            yield {"%": _ANY, "_": _ONE}.get(character, character)


def _expression(parts: Sequence[Sequence[object]]) -> re.Pattern[str]:
    """Atomic groups, so that nothing is tried again once it was found."""
    first, *others = ("".join("." if s is _ONE else re.escape(str(s)) for s in p) for p in parts)
    between = "".join(f"(?>.*?{part})" for part in others[:-1])
    last = f".*{others[-1]}" if others else ""
    return re.compile(rf"{first}{between}{last}\Z", re.DOTALL)


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
