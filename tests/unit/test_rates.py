"""How often: no more than the rate in any window, and no less."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from latent.errors import InputError, RateLimitError
from service.guard import rates
from service.guard.rates import Rates, rate_of


class Clock:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def passes(counted: Rates, rate: str, who: str = "one") -> bool:
    try:
        counted.count(who, rate)
    except RateLimitError:
        return False
    return True


@pytest.mark.parametrize("most", [1, 7, 500])
def test_just_so_many_pass(most: int) -> None:
    """The window is an hour, so that none of them leaves it meanwhile."""
    counted, passed = Rates(), 0
    for _ in range(2 * most + 3):
        try:
            counted.count("one", f"{most}/hour")
            passed += 1
        except RateLimitError as error:
            assert 3_590 <= error.retry_after <= 3_600
    assert passed == most


def test_each_is_counted_for_itself() -> None:
    counted = Rates()
    counted.count("one", "1/hour")
    counted.count("other", "1/hour")
    with pytest.raises(RateLimitError, match="more than 1/hour"):
        counted.count("one", "1/hour")


def test_in_no_window_there_are_more_and_whoever_waited_as_told_passes() -> None:
    clock, chance = Clock(), random.Random(0)
    counted, times = Rates(clock=clock), list[float]()
    for _ in range(3_000):
        clock.now += chance.choice([0.0, 0.1, 1.0, 30.0])
        recent = [one for one in times if one > clock.now - 60]
        try:
            counted.count("one", "7/minute")
        except RateLimitError as error:
            assert len(recent) == 7
            if chance.random() < 0.1:
                clock.now += error.retry_after
                assert passes(counted, "7/minute")
                times.append(clock.now)
        else:
            assert len(recent) < 7
            times.append(clock.now)
    assert len(times) > 300


def test_processes_that_share_a_folder_count_together(tmp_path: Path) -> None:
    """Each has a `Rates` of its own; one that comes later knows what passed before."""
    several = [Rates(tmp_path) for _ in range(3)]
    passed = sum(passes(several[number % 3], "10/hour") for number in range(30))
    assert passed == 10
    assert not passes(Rates(tmp_path), "10/hour")
    assert passes(Rates(tmp_path), "10/hour", who="other")


def test_keys_that_are_gone_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds a file open; one that still counts is kept, however many there are."""
    monkeypatch.setattr(rates, "MANY_RINGS", 10)
    clock = Clock()
    counted, before = Rates(tmp_path, clock=clock), len(list(Path("/proc/self/fd").iterdir()))
    for number in range(200):
        clock.now += 1
        assert passes(counted, "1/second", who=str(number))
        assert passes(counted, "1/hour", who="lasting") == (number == 0)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 30  # of 400


def test_of_a_great_many_no_more_pass_than_may_and_hardly_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "MOST_TIMES", 100)
    clock, times = Clock(), list[float]()
    counted = Rates(clock=clock)
    for _ in range(20 * 1_500):  # windows
        clock.now += 0.04
        if passes(counted, "1010/minute"):
            times.append(clock.now)
    assert all(later - one >= 60 for one, later in zip(times, times[1_010:], strict=False))
    assert len(times) >= 0.98 * 20 * 1_010


@pytest.mark.parametrize("text", ["", "many", "5", "0/second", "-1/second", "5/fortnight", "1e3/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="10/second"):
        rate_of(text)
