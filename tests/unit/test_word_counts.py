"""Tokens are counted word by word; what was counted is not counted again."""

from __future__ import annotations

from latent.models.cleaning import SHORT, remembering, spans_of_words


class Counting:
    """Counts a token for each three characters, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, text: str) -> int:
        self.asked.append(text)
        return sum(-(-len(word) // 3) for word in text.split())


def test_the_tokens_of_a_word_share_out_its_characters() -> None:
    spans = spans_of_words("ab  abcdef x", Counting())
    assert spans == [(0, 2), (4, 7), (7, 10), (11, 12)]


def test_a_word_is_counted_once_however_often_it_comes() -> None:
    asked = Counting()
    count = remembering(asked)
    first = spans_of_words("snow and snow", count)
    assert asked.asked == ["snow", "a snow", "and", "a and"]
    assert (
        spans_of_words("snow and snow", count)
        == first
        == spans_of_words("snow and snow", Counting())
    )
    assert len(asked.asked) == 4


def test_long_words_are_counted_and_not_kept() -> None:
    asked = Counting()
    count = remembering(asked)
    word = "w" * (SHORT + 1)
    assert count(word) == count(word) == 17
    assert asked.asked == [word, word]
