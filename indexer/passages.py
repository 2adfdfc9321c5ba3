"""Splits a text into passages that a model reads whole, so that no word is silently cut off.

A passage ends where a reader would pause: at the end of a paragraph, else of a sentence, else of
a word, and inside a word only if the word alone is too long. Passages do not overlap; together
they hold every character that is not space. Knows nothing about files.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import NamedTuple

from latent.models.embedder import Embedder

PARAGRAPH = re.compile(r"\n\s*\n")
# Possessive (++), or a line of a thousand dots would be tried a thousand times.
SENTENCE = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*\s+|[。！？]+|\n+")
WORD = re.compile(r"\s+")

STRETCH = 20_000  # characters given to a tokenizer at once; keeps its memory small
TokenSpans = Callable[[str], list[tuple[int, int]]]


class Span(NamedTuple):
    """A passage of a text: characters `start` to `end`, half open."""

    start: int
    end: int


class _Piece(NamedTuple):
    start: int
    end: int
    tokens: int


def passages(text: str, embedder: Embedder) -> list[Span]:
    """Where the passages of `text` stand, in order, without the space around them.

    Each has at most `embedder.max_tokens` tokens as the embedder itself counts them; only a
    single character that is more than that is given whole. A text without tokens has none.
    Takes time in proportion to the length of the text.
    """
    limit = embedder.max_tokens
    pieces = [
        piece
        for start, end in _stretches(text)
        for piece in _Stretch(text, start, end, embedder.token_spans).pieces(limit)
    ]
    spans: list[Span] = []
    for piece in _packed(pieces, limit):
        span = _trimmed(text, piece.start, piece.end)
        if piece.tokens and span:
            spans.extend(_held_to(limit, text, span, embedder.token_spans))
    return spans


class _Stretch:
    """A part of a text, its tokens, and the ways to cut it."""

    def __init__(self, text: str, start: int, end: int, token_spans: TokenSpans) -> None:
        self._text = text
        self._span = (start, end)
        self._starts = [start + at for at, _ in token_spans(text[start:end])]

    def pieces(self, limit: int) -> list[_Piece]:
        return self._split(*self._span, limit, ways=(PARAGRAPH, SENTENCE, WORD))

    def _split(
        self, start: int, end: int, limit: int, ways: tuple[re.Pattern[str], ...]
    ) -> list[_Piece]:
        tokens = bisect_left(self._starts, end) - bisect_left(self._starts, start)
        if tokens <= limit:
            return [_Piece(start, end, tokens)]
        if not ways:
            return self._cut_between_tokens(start, end, limit)
        cuts = [match.end() for match in ways[0].finditer(self._text, start, end)]
        pieces = [
            piece
            for left, right in _between(start, cuts, end)
            for piece in self._split(left, right, limit, ways[1:])
        ]
        return _packed(pieces, limit)

    def _cut_between_tokens(self, start: int, end: int, limit: int) -> list[_Piece]:
        tokens = self._starts[bisect_left(self._starts, start) : bisect_left(self._starts, end)]
        cuts = sorted(set(tokens[limit::limit]))  # a character may be several tokens
        edges = list(_between(start, cuts, end))
        return [
            _Piece(left, right, bisect_left(tokens, right) - bisect_left(tokens, left))
            for left, right in edges
        ]


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """The text in parts of bounded length, cut after a paragraph, else after a space."""
    start = 0
    while len(text) - start > STRETCH:
        window = text[start : start + STRETCH]
        cut = window.rfind("\n\n") + 2
        if cut < STRETCH // 4:
            cut = max(window.rfind(" "), window.rfind("\n")) + 1
        cut = cut if cut > STRETCH // 4 else STRETCH
        yield start, start + cut
        start += cut
    if start < len(text):
        yield start, len(text)


def _between(start: int, cuts: list[int], end: int) -> Iterator[tuple[int, int]]:
    for cut in cuts:
        if start < cut < end:
            yield start, cut
            start = cut
    yield start, end


def _packed(pieces: list[_Piece], limit: int) -> list[_Piece]:
    """Neighbours joined as long as they fit together; what has no token joins the one before."""
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and joined[-1].tokens + piece.tokens <= limit:
            last = joined.pop()
            piece = _Piece(last.start, piece.end, last.tokens + piece.tokens)
        joined.append(piece)
    return joined


def _trimmed(text: str, start: int, end: int) -> Span | None:
    kept = text[start:end]
    start += len(kept) - len(kept.lstrip())
    kept = kept.strip()
    return Span(start, start + len(kept)) if kept else None


def _held_to(limit: int, text: str, span: Span, token_spans: TokenSpans) -> Iterator[Span]:
    """The passage, or parts of it where it alone has more tokens than it had in its paragraph."""
    tokens = token_spans(text[span.start : span.end])
    middle = span.start + tokens[len(tokens) // 2][0] if len(tokens) > limit else span.start
    if middle == span.start:
        middle = (span.start + span.end) // 2 if len(tokens) > limit else span.start
    if middle == span.start:
        yield span
        return
    for left, right in ((span.start, middle), (middle, span.end)):
        part = _trimmed(text, left, right)
        if part:
            yield from _held_to(limit, text, part, token_spans)
