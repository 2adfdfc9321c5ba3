"""The short form of a query: what is cut, and what stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.errors import InputError
from service.engine import phrases
from service.engine.parts import MAX_PARTS, Text


def terms(line: str) -> list[tuple[float, str]]:
    """Weight and text of each part."""
    found = []
    for part in phrases.parse(line):
        assert isinstance(part.what, Text)
        found.append((part.weight, part.what.text))
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2:beach - people", [(2.0, "beach"), (-1.0, "people")]),
        ("beach + 0.5:sunset - .25:people", [(1.0, "beach"), (0.5, "sunset"), (-0.25, "people")]),
        ("  beach   -   people  ", [(1.0, "beach"), (-1.0, "people")]),
        ("beach\n-\tpeople", [(1.0, "beach"), (-1.0, "people")]),
        ("- people + beach", [(-1.0, "people"), (1.0, "beach")]),
        ("- 2:people + beach", [(-2.0, "people"), (1.0, "beach")]),
        ("+ beach", [(1.0, "beach")]),
        ("2:two dogs", [(2.0, "two dogs")]),
        (" 2:beach ", [(2.0, "beach")]),
        ("0:beach + dog", [(0.0, "beach"), (1.0, "dog")]),
    ],
)
def test_a_line_is_cut_at_signs_that_stand_alone(
    line: str, expected: list[tuple[float, str]]
) -> None:
    assert terms(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "two dogs in the snow",
        " spaces stay ",
        "a well-known t-shirt",
        "-people",
        "rock+roll C++ a- -b",
        "9:30 train",
        "16:9",
        "2: the sequel",
        "2:",
        "chapter 2:beach",
        "note:beach",
        "²:beach",
        "-2:beach",
        'a 5" pipe',
        'he said "hello" to me',
        'an "unfinished quote',
        "C:\\photos",
        "beach – people",
        "",
        "   ",
    ],
)
def test_a_line_without_the_grammar_is_one_text_as_it_stands(line: str) -> None:
    assert terms(line) == [(1.0, line)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('"rock - paper" - people', [(1.0, "rock - paper"), (-1.0, "people")]),
        ('2:"16 candles"', [(2.0, "16 candles")]),
        ('"2:beach"', [(1.0, "2:beach")]),
        ('a "b - c" d - e', [(1.0, 'a "b - c" d'), (-1.0, "e")]),
        ('5" pipe - 3" pipe', [(1.0, '5" pipe'), (-1.0, '3" pipe')]),
        (r'"say \"no - way\"" - b', [(1.0, 'say "no - way"'), (-1.0, "b")]),
        (r"rock \- paper", [(1.0, "rock - paper")]),
        (r"rock \+ paper - b", [(1.0, "rock + paper"), (-1.0, "b")]),
        (r"2\:beach", [(1.0, "2:beach")]),
        (r"a \\ b", [(1.0, "a \\ b")]),
    ],
)
def test_quotes_and_backslashes_protect(line: str, expected: list[tuple[float, str]]) -> None:
    assert terms(line) == expected


@pytest.mark.parametrize("line", ["-", "+", "beach -", "- -", "a - - b", "a - + b", "a + "])
def test_a_sign_with_nothing_beside_it_is_refused(line: str) -> None:
    with pytest.raises(InputError, match="nothing stands beside"):
        phrases.parse(line)


def test_a_weight_beyond_all_numbers_is_refused() -> None:
    with pytest.raises(InputError, match="too large"):
        phrases.parse("9" * 400 + ":beach")


def test_more_terms_than_parts_may_be_are_refused() -> None:
    assert len(phrases.parse(" + ".join("a" * MAX_PARTS))) == MAX_PARTS
    with pytest.raises(InputError, match=str(MAX_PARTS)):
        phrases.parse(" + ".join("a" * (MAX_PARTS + 1)))


SIGNS = st.sampled_from([" ", "-", "+", '"', "\\", ":", "2", ".", "a", "beach", "\n", "\t"])
LINES = st.lists(SIGNS, max_size=40).map("".join) | st.text(max_size=60)


@given(LINES)
def test_any_line_parses_or_is_refused_by_name(line: str) -> None:
    try:
        parts = phrases.parse(line)
    except InputError:
        return
    assert 1 <= len(parts) <= MAX_PARTS
    if len(parts) > 1:
        assert all(isinstance(part.what, Text) and part.what.text for part in parts)


@given(st.text(st.characters(exclude_characters='-+"\\:'), max_size=60))
def test_any_text_without_the_signs_of_the_grammar_stays_as_it_is(line: str) -> None:
    assert terms(line) == [(1.0, line)]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1000).map(lambda n: round(n, 3)), st.booleans(), st.text(max_size=9)
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_texts_and_weights_can_be_said_in_quotes(
    given_terms: list[tuple[float, bool, str]],
) -> None:
    line = " ".join(
        f"{'-' if leads_away else '+'} {weight:f}:{quoted(text)}"
        for weight, leads_away, text in given_terms
    )
    expected = [
        (-weight if leads_away else weight, text) for weight, leads_away, text in given_terms
    ]
    assert terms(line) == expected
