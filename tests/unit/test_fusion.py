"""Two lists made one by their ranks, and which questions have words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.errors import InputError
from latent.items import Hit, Item, Modality
from service.engine.fusion import fused, require_words, words_in
from service.engine.parts import Like, Part, Picture, Text
from service.query import Mode

ROW = np.ones(1, dtype=np.float32)


def hits(*ids: str, score: float = 0.5) -> list[Hit]:
    return [Hit(Item(item_id, Modality.TEXT, ROW), score) for item_id in ids]


def test_what_stands_in_both_lists_comes_first_and_knows_it() -> None:
    found = fused(hits("a", "b", "c"), hits("c", "d"))
    assert [hit.item.id for hit in found.hits] == ["c", "a", "b", "d"]
    assert [hit.found_by for hit in found.hits] == [
        ("vector", "keyword"),
        *[("vector",)] * 2,
        ("keyword",),
    ]
    assert found.worths == [1 / 63 + 1 / 61, 1 / 61, 1 / 62, 1 / 62]


def test_of_equals_the_nearer_comes_first() -> None:
    found = fused(hits("far", score=0.1), hits("near", score=0.9))
    assert [hit.item.id for hit in found.hits] == ["near", "far"]


@given(st.permutations("abcdef"), st.permutations("abcdef"), st.integers(0, 6), st.integers(0, 6))
def test_every_hit_has_the_worth_of_the_definition(
    one: list[str], other: list[str], some: int, few: int
) -> None:
    near, saying = one[:some], other[:few]
    found = fused(hits(*near), hits(*saying))
    assert {hit.item.id for hit in found.hits} == {*near, *saying}
    for hit, worth in zip(found.hits, found.worths, strict=True):
        ranks = [each.index(hit.item.id) + 1 for each in (near, saying) if hit.item.id in each]
        assert worth == pytest.approx(sum(1 / (60 + rank) for rank in ranks))
    assert found.worths == sorted(found.worths, reverse=True)


def test_words_are_those_of_the_texts_to_look_for() -> None:
    asked = [Part(Text("red sky"), 0.1), Part(Text("sea"), -1.0), Part(Like("a")), Part(Text("x"))]
    assert words_in(asked) == "red sky x"


@pytest.mark.parametrize("what", [Picture(b"a"), Like("a"), Text("   ")])
@pytest.mark.parametrize("mode", [Mode.KEYWORD, Mode.HYBRID])
def test_a_mode_with_words_needs_words(what: Picture | Like | Text, mode: Mode) -> None:
    require_words([Part(what)], Mode.VECTOR)
    with pytest.raises(InputError, match="needs a text"):
        require_words([Part(what)], mode)


@pytest.mark.parametrize("other", [Part(Picture(b"a")), Part(Like("a")), Part(Text("b"), -1.0)])
def test_keyword_mode_takes_nothing_but_words(other: Part) -> None:
    asked = [Part(Text("a")), other]
    require_words(asked, Mode.HYBRID)
    with pytest.raises(InputError, match="words alone"):
        require_words(asked, Mode.KEYWORD)


def test_a_mode_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="vector, keyword, hybrid"):
        require_words([Part(Text("a"))], "words")  # type: ignore[arg-type]
