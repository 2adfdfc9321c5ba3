"""Rows of a bench: what is met, what could not be measured, and the form they are printed in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from benchmarks.rows import Results, Row, UnmeasuredError, at_least, at_most, measured, unmeasured
from benchmarks.table import show, shown
from latent.errors import ModelUnavailableError

FORM = {"name", "value", "unit", "against", "target", "met"}


@pytest.mark.parametrize(
    ("value", "target", "met"),
    [
        (8.0, at_least(8), True),
        (7.99, at_least(8), False),
        (20.0, at_most(20), True),
        (20.1, at_most(20), False),
        (1.0, None, None),
        (None, None, False),
        (None, at_least(8), False),
    ],
)
def test_a_target_is_met_or_not_and_what_was_not_measured_is_not(
    value: float | None, target: object, met: bool | None
) -> None:
    assert Row("a", value, "×", "b 1.0", target).met is met  # type: ignore[arg-type]


def test_the_json_form_has_every_field_and_no_other() -> None:
    rows = [Row("text", 9.3, "×", "open_clip 3.3", at_least(8)), unmeasured("peer", "not here")]
    results = json.loads(json.dumps(Results("a processor", "2026-01-01", rows).as_json()))
    assert set(results) == {"hardware", "date", "rows"}
    assert all(set(row) == FORM for row in results["rows"])
    assert results["rows"][0] == {
        "name": "text",
        "value": 9.3,
        "unit": "×",
        "against": "open_clip 3.3",
        "target": "≥ 8",
        "met": True,
    }
    assert results["rows"][1]["value"] is None
    assert results["rows"][1]["met"] is False
    assert "not measured: not here" in results["rows"][1]["against"]


@pytest.mark.parametrize(
    "error",
    [UnmeasuredError("no network"), ModelUnavailableError("no weights"), ImportError("no torch")],
)
def test_a_part_that_cannot_go_on_keeps_what_it_has_and_says_why(error: Exception) -> None:
    def part() -> Iterator[Row]:
        yield Row("first", 1.0, "×")
        raise error

    first, last = measured("the part", part)
    assert (first.name, first.value) == ("first", 1.0)
    assert (last.name, last.value, last.met) == ("the part", None, False)
    assert str(error) in last.against


def test_a_fault_of_the_bench_itself_is_not_hidden() -> None:
    def part() -> Iterator[Row]:
        yield Row("first", 1.0, "×")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(measured("the part", part))


def test_the_table_shows_every_row_with_its_target() -> None:
    rows = [
        Row("text query", 9.31, "×", "open_clip 3.3", at_least(8)),
        Row("decode", 21.0, "ms", "", at_most(20)),
        unmeasured("peer", "does not install"),
    ]
    stream = StringIO()
    show(Results("a processor", "2026-01-01", rows), Console(width=120, file=stream))
    lines = [" ".join(line.split()) for line in stream.getvalue().splitlines()]
    assert lines[:2] == ["a processor", "2026-01-01"]
    assert "text query 9.31 × ≥ 8 yes open_clip 3.3" in lines
    assert "decode 21 ms ≤ 20 no" in lines
    assert "peer — no not measured: does not install" in lines


def test_a_cosine_keeps_the_digits_that_tell_it_from_one() -> None:
    assert shown(Row("parity", 0.999912, "cosine")) == "0.99991 cosine"
    assert shown(Row("rate", 12_345.6, "photos/s")) == "12,346 photos/s"
    assert shown(Row("rate", 123.4, "")) == "123"
