"""The door lets in as many as will have their turn soon, and tells the others when to come back."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from latent.errors import OverloadedError
from service.entrance.door import Door


class Clock:
    """Stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def serve(door: Door, clock: Clock, *, times: int, seconds: float) -> None:
    """Visitors one after the other, each of whom stays that long."""
    for _ in range(times):
        with door.inside():
            clock.now += seconds


def test_before_anybody_has_left_the_count_alone_decides(clock: Clock) -> None:
    assert Door(7, patience=1, clock=clock).room == 7


def test_there_is_room_for_those_who_leave_in_time(clock: Clock) -> None:
    door = Door(1_000, patience=1, clock=clock)
    serve(door, clock, times=5, seconds=0.01)
    assert door.room == pytest.approx(100, abs=1)


def test_time_when_nobody_is_inside_makes_no_one_slow(clock: Clock) -> None:
    door = Door(1_000, patience=1, clock=clock)
    for _ in range(5):
        clock.now += 3_600
        serve(door, clock, times=1, seconds=0.01)
    assert door.room == pytest.approx(100, abs=1)


def test_a_batch_that_leaves_at_once_has_the_pace_of_all_of_it(clock: Clock) -> None:
    door = Door(1_000, patience=1, clock=clock)
    for _ in range(40):
        with ExitStack() as batch:
            for _ in range(10):
                batch.enter_context(door.inside())
            clock.now += 0.1
    assert 80 < door.room < 120


def test_one_that_takes_long_keeps_few_of_the_others_out(clock: Clock) -> None:
    door = Door(1_000, patience=1, clock=clock)
    serve(door, clock, times=50, seconds=0.01)
    serve(door, clock, times=1, seconds=60)
    assert door.room > 20
    serve(door, clock, times=100, seconds=0.01)
    assert door.room > 80


def test_one_more_than_there_is_room_for_is_told_when_to_come_back(clock: Clock) -> None:
    door = Door(1_000, patience=8, clock=clock)
    serve(door, clock, times=1, seconds=2)
    with ExitStack() as others:
        for _ in range(4):
            others.enter_context(door.inside())
        with pytest.raises(OverloadedError, match="4 requests") as refused, door.inside():
            pass
        assert refused.value.retry_after == 8
        assert door.count == 4
    assert door.count == 0


def test_however_slow_they_are_a_few_are_let_in_and_speed_is_found_again(clock: Clock) -> None:
    door = Door(1_000, patience=1, least=2, clock=clock)
    serve(door, clock, times=1, seconds=50)
    assert door.room == 2
    serve(door, clock, times=400, seconds=0.01)
    assert door.room > 50


def test_from_the_first_that_leaves_it_is_known_how_long_they_stay(clock: Clock) -> None:
    door = Door(1_000, patience=1, least=8, clock=clock)
    serve(door, clock, times=1, seconds=5)
    assert door.room == 8


def test_the_least_is_no_more_than_the_most(clock: Clock) -> None:
    door = Door(1, patience=1, least=8, clock=clock)
    serve(door, clock, times=1, seconds=50)
    assert door.room == 1


def test_of_what_is_short_only_a_few_are_let_in_beside_each_other(clock: Clock) -> None:
    """Where each would wait too long for those before; as many as there are threads, if long."""
    door = Door(1_000, patience=0.01, least=8, clock=clock)
    serve(door, clock, times=40, seconds=0.01)
    assert door.room == 2
    serve(door, clock, times=40, seconds=5)
    assert door.room == 8


def test_uploads_among_searches_keep_as_many_in_as_there_are_threads(clock: Clock) -> None:
    door = Door(1_000, patience=1, least=8, clock=clock)
    for _ in range(20):
        serve(door, clock, times=3, seconds=0.01)
        serve(door, clock, times=1, seconds=5)
    assert door.room >= 8
