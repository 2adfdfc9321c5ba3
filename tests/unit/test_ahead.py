"""Work done ahead comes back in order, and never too much of it at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from indexer.ahead import Job, done_ahead


def test_results_come_in_order_wherever_the_work_was_done() -> None:
    jobs = (Job(lambda n=n: n * n, is_ahead=n % 3 > 0) for n in range(50))  # type: ignore[misc]
    with done_ahead(jobs, threads=4, window=7) as results:
        assert list(results) == [n * n for n in range(50)]


def test_no_more_is_begun_than_the_window_holds() -> None:
    begun = 0

    def jobs() -> Iterator[Job[int]]:
        nonlocal begun
        for number in range(100):
            begun += 1
            yield Job(lambda: 0, is_ahead=number % 2 == 0)

    with done_ahead(jobs(), threads=2, window=5) as results:
        for taken, _ in enumerate(results, start=1):
            assert begun <= taken + 5


def test_heavy_work_fills_the_window_sooner() -> None:
    begun = 0

    def jobs() -> Iterator[Job[int]]:
        nonlocal begun
        for _ in range(100):
            begun += 1
            yield Job(lambda: 0, weight=3)

    with done_ahead(jobs(), threads=2, window=7) as results:
        for taken, _ in enumerate(results, start=1):
            assert begun <= taken + 2
    assert begun == 100


def test_work_heavier_than_the_window_is_done_too() -> None:
    jobs = [Job(lambda n=n: n, weight=50) for n in range(5)]  # type: ignore[misc]
    with done_ahead(jobs, threads=2, window=7) as results:
        assert list(results) == [0, 1, 2, 3, 4]


def test_work_that_waits_for_its_turn_runs_where_it_is_taken() -> None:
    with done_ahead([Job(threading.get_ident, is_ahead=False)], threads=1, window=3) as results:
        assert list(results) == [threading.get_ident()]


def test_an_error_arrives_in_its_place_and_ends_it() -> None:
    ran = []

    def work(number: int) -> int:
        ran.append(number)
        if number == 2:
            raise ValueError("two")
        return number

    jobs = (Job(lambda n=n: work(n)) for n in range(1000))  # type: ignore[misc]
    got: list[int] = []
    with (
        pytest.raises(ValueError, match="two"),
        done_ahead(jobs, threads=1, window=3) as results,
    ):
        got.extend(results)
    assert got == [0, 1]
    assert len(ran) < 10


def test_leaving_early_drops_what_has_not_begun() -> None:
    ran = []
    gate = threading.Event()

    def slow(number: int) -> int:
        ran.append(number)
        if number:
            gate.wait(10)
        return number

    jobs = (Job(lambda n=n: slow(n)) for n in range(30))  # type: ignore[misc]
    with done_ahead(jobs, threads=1, window=20) as results:
        assert next(results) == 0
        gate.set()
    assert len(ran) < 30
