"""How alike two texts are as strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.checks import wording
from service.checks.wording import normalised, shingles

LONG = "Two brown dogs run through the deep snow behind a red wooden house in the mountains."


def resemblance(one: str, other: str) -> float:
    return wording.resemblance(shingles(one), shingles(other))


def containment(one: str, other: str) -> float:
    return wording.containment(shingles(one), shingles(other))


@pytest.mark.parametrize(
    "other",
    [LONG.upper(), LONG.replace(" ", "  \n"), LONG.replace(".", "!!"), f"“{LONG}”", LONG + " "],
)
def test_case_spaces_and_punctuation_do_not_count(other: str) -> None:
    assert normalised(other) == normalised(LONG)


def test_letters_of_other_forms_are_one() -> None:
    assert normalised("cafe\u0301 ﬁne Straße") == normalised("CAFÉ fine STRASSE")


def test_accents_and_digits_count() -> None:
    assert normalised("resume") != normalised("résumé")
    assert normalised("room 12") != normalised("room 13")


def test_texts_of_punctuation_alone_are_told_apart() -> None:
    assert normalised("!!!") != normalised("???")


def test_a_small_change_leaves_most_shingles() -> None:
    assert resemblance(LONG, LONG.replace("brown", "black")) > 0.7
    assert resemblance(LONG, "A cook prepares pancakes in a small kitchen.") < 0.15


def test_a_part_is_contained_in_the_whole() -> None:
    assert containment(LONG, LONG[:50]) > 0.9
    assert containment("a dog", LONG) == 0.0  # too short to say anything


@given(st.text(), st.text())
def test_any_two_texts_are_compared_the_same_both_ways(one: str, other: str) -> None:
    assert resemblance(one, other) == resemblance(other, one)
    assert 0.0 <= containment(one, other) <= 1.0
    assert resemblance(one, one) == 1.0
    assert normalised(normalised(one)) == normalised(one)
