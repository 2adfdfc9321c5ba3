"""Two sides timed in turn, so that whatever else the machine does meets both alike.

Knows nothing about what they do.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

ROUNDS = 5

Work = Callable[[], object]


def in_turn(
    sides: Mapping[str, Work],
    *,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each side, after one turn that does not count.

    Every other round goes backwards, so that no side always follows the same one.
    """
    for work in sides.values():
        work()
    took: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            started = clock()
            sides[name]()
            took[name].append(clock() - started)
    return {name: statistics.median(seconds) for name, seconds in took.items()}
