"""Sides are timed in turn, and the median counts."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.turns import in_turn


class Clock:
    """Stands still but when told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def takes(self, *seconds: float) -> Callable[[], None]:
        """Work that takes so long the first time, so long the second, …"""
        left = list(seconds)

        def work() -> None:
            self.now += left.pop(0)

        return work


def test_the_median_of_each_side_is_given_and_the_first_turn_does_not_count() -> None:
    clock = Clock()
    sides = {"ours": clock.takes(100, 1, 9, 2), "theirs": clock.takes(100, 5, 4, 60)}
    assert in_turn(sides, rounds=3, clock=clock) == {"ours": 2, "theirs": 5}


def test_sides_take_turns_and_every_other_round_goes_backwards() -> None:
    order: list[str] = []
    sides = {name: lambda name=name: order.append(name) for name in "ab"}
    in_turn(sides, rounds=3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
