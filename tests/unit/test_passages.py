"""No word is cut off: passages fit the model and together hold the whole text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.passages import passages
from latent.models.colours import ColourEmbedder


class Narrow(ColourEmbedder):
    """Reads few tokens; counts how many characters it was given to tokenise."""

    def __init__(self, max_tokens: int) -> None:
        super().__init__()
        self._limit = max_tokens
        self.characters = 0

    @property
    def max_tokens(self) -> int:
        return self._limit

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        self.characters += len(text)
        return super().token_spans(text)


class Bytes(Narrow):
    """Every UTF-8 byte is a token, as in byte-level BPE; spaces are tokens of nothing."""

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return list(self._spans(text))

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for at, character in enumerate(text):
            if not character.isspace():
                for _ in character.encode("utf-8", "surrogatepass"):
                    yield at, at + 1


def said(text: str, embedder: ColourEmbedder) -> list[str]:
    return [text[start:end] for start, end in passages(text, embedder)]


anything = st.text(st.characters(codec="utf-8"), max_size=300)
sentences = st.lists(
    st.sampled_from(["red", "a green thing.", "blue!", "\n", "\n\n", "x" * 30, "“yellow?” ", "。"])
).map(" ".join)


@settings(deadline=None)
@given(text=anything | sentences, limit=st.integers(1, 9))
def test_every_word_is_in_one_passage_and_every_passage_fits(text: str, limit: int) -> None:
    embedder = Narrow(limit)
    spans = passages(text, embedder)
    covered: set[int] = set()
    last = 0
    for start, end in spans:
        assert last <= start < end <= len(text)
        assert 1 <= len(embedder.token_spans(text[start:end])) <= limit
        covered.update(range(start, end))
        last = end
    if embedder.token_spans(text):
        missing = [at for at, c in enumerate(text) if not c.isspace() and at not in covered]
        assert missing == []
    else:
        assert spans == []


@settings(deadline=None)
@given(text=anything, limit=st.integers(4, 9))
def test_characters_of_several_tokens_stay_whole(text: str, limit: int) -> None:
    embedder = Bytes(limit)
    found = said(text, embedder)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(embedder.token_spans(passage)) <= limit for passage in found)


def test_a_short_text_is_one_passage_without_the_space_around_it() -> None:
    assert passages("  a green thing\n", Narrow(9)) == [(2, 15)]


def test_paragraphs_stay_together_where_they_fit() -> None:
    text = "red red red\n\ngreen green green\n\nblue blue"
    assert said(text, Narrow(4)) == ["red red red", "green green green", "blue blue"]
    assert said(text, Narrow(6)) == ["red red red\n\ngreen green green", "blue blue"]


def test_a_long_paragraph_is_cut_after_a_sentence() -> None:
    text = "The first is red. The next is green. Then blue."
    assert said(text, Narrow(7)) == ["The first is red.", "The next is green.", "Then blue."]


def test_a_long_sentence_is_cut_between_words() -> None:
    assert said("one two three four five", Narrow(2)) == ["one two", "three four", "five"]


def test_a_word_of_too_many_tokens_is_cut_between_them() -> None:
    assert said("red-green-blue", Narrow(2)) == ["red-", "green-", "blue"]


def test_a_text_without_tokens_has_no_passages() -> None:
    assert passages(" \n\t ", Narrow(4)) == []


def test_a_tokenizer_that_counts_a_part_higher_is_still_obeyed() -> None:
    class Moody(Narrow):
        """A text of fewer than 40 characters has twice the tokens it has inside a longer one."""

        def token_spans(self, text: str) -> list[tuple[int, int]]:
            spans = super().token_spans(text)
            return sorted(spans * 2) if len(text) < 40 else spans

    embedder = Moody(4)
    text = "red green blue yellow white black grey purple " * 4
    found = said(text, embedder)
    assert " ".join(found).split() == text.split()
    assert all(len(embedder.token_spans(passage)) <= 4 for passage in found)


@pytest.mark.parametrize("unit", ["word ", "word. ", "word\n\n", "word", "- "])
def test_a_long_text_is_tokenised_about_twice_and_no_more(unit: str) -> None:
    embedder = Narrow(16)
    text = unit * 20_000
    spans = passages(text, embedder)
    assert embedder.characters <= 2.1 * len(text)
    lost = re.sub(r"\s", "", text) != re.sub(r"\s", "", "".join(text[a:b] for a, b in spans))
    assert not lost


def test_a_line_of_signs_is_split_in_a_time_that_ends() -> None:
    signs = ".!?…" * 250_000
    found = passages(signs, ColourEmbedder())
    assert all(signs[start:end].strip() for start, end in found)
