"""The page of promises is held against the soak and the tests that it names."""

from __future__ import annotations

import re

import pages
from click.testing import CliRunner

from scripts.soaking.__main__ import main
from scripts.soaking.promises import PROMISES

PAGE = "docs/explanation/promises.md"


def table() -> list[list[str]]:
    lines = [line for line in pages.read(PAGE).splitlines() if re.match(r"\| \d+ \|", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_has_all_twenty_promises_in_order() -> None:
    assert [int(row[0]) for row in table()] == list(range(1, 21))


def test_every_promise_of_the_soak_is_on_the_page_and_no_other() -> None:
    named = [name for row in table() for name in re.findall(r"`([\w-]+)`", row[2])]
    assert sorted(named) == sorted(PROMISES)


def test_every_test_that_the_page_names_is_there() -> None:
    for row in table():
        for name in re.findall(r"`(tests/\S+)`", row[3]):
            assert (pages.ROOT / name).is_file(), name


def test_a_figure_has_a_date_and_none_has_none() -> None:
    for row in table():
        figure, date = row[4], row[5]
        assert bool(re.fullmatch(r"\d{4}-\d\d-\d\d", date)) is (figure != "not measured yet"), row[
            0
        ]


def test_a_promise_that_does_not_exist_is_wrong_use_and_the_others_are_named() -> None:
    ended = CliRunner().invoke(main, ["--only", "nothing"])
    assert ended.exit_code == 2
    assert all(name in " ".join(ended.output.split()) for name in PROMISES)
