"""The command line of the benches, and the parts that need no model of another kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pages
import pytest
from click.testing import CliRunner

from benchmarks import answers, embed, index
from benchmarks.__main__ import main
from benchmarks.bench import Bench
from benchmarks.hardware import hardware, peak_float32, peak_int8
from benchmarks.load import EMBEDDINGS, body
from benchmarks.rows import Results, Row
from benchmarks.running import add


def test_a_part_that_does_not_exist_is_wrong_use_and_the_others_are_named() -> None:
    ended = CliRunner().invoke(main, ["embed", "--only", "nothing"])
    assert ended.exit_code == 2
    assert all(name in " ".join(ended.output.split()) for name in embed.SECTIONS)


def test_a_part_that_fails_costs_only_its_own_rows(caplog: pytest.LogCaptureFixture) -> None:
    def part() -> Iterator[Row]:
        yield Row("first", 1.0, "×")
        raise ZeroDivisionError

    results = Results("a processor", "2026-01-01")
    assert not add(results, "the part", part)
    assert add(results, "another", lambda: [Row("other", 2.0, "×")])
    assert [row.name for row in results.rows] == ["first", "the part", "other"]
    assert results.rows[1].met is False
    assert "ZeroDivisionError" in caplog.text


def test_without_an_accelerator_its_row_says_so_and_is_not_met() -> None:
    pytest.importorskip("torch")
    ended = CliRunner().invoke(main, ["embed", "--json", "--quick", "--only", "accelerator"])
    assert ended.exit_code == 0, ended.output
    (row,) = json.loads(ended.stdout)["rows"]
    assert (row["value"], row["met"]) == (None, False)
    assert row["against"].startswith("not measured: ")


def test_a_quick_run_is_one_round_of_few_photos_and_a_real_one_five(tmp_path: Path) -> None:
    assert (Bench(tmp_path, is_quick=True).rounds, Bench(tmp_path, is_quick=True).count) == (1, 24)
    assert Bench(tmp_path).rounds >= 5
    assert Bench(tmp_path).count == 1_000


def test_the_machine_is_named_with_its_cores() -> None:
    assert " cores, " in hardware()
    assert "Python 3" in hardware()


def test_the_peaks_are_of_products_that_can_be_run() -> None:
    pytest.importorskip("torch")
    assert peak_int8(1, rounds=1, side=64) > 0
    assert peak_float32(1, rounds=1, side=64) > 0


def test_clients_ask_what_the_service_takes() -> None:
    assert json.loads(body(EMBEDDINGS, "a dog")) == {"input": ["a dog"]}
    assert json.loads(body("/v1/collections/bench/query", "a dog"))["query"] == "a dog"


def test_the_page_on_benches_names_every_part_and_no_other() -> None:
    parts = pages.rows_in(pages.sections(pages.read("docs/reference/benchmarks.md"))["Parts"])
    assert set(parts) == {*embed.SECTIONS, *answers.SECTIONS, *index.SECTIONS}
