"""Work that is due so often a second, however long each takes: a slow answer is not asked less.

Knows nothing about what the work is.
"""

from __future__ import annotations

import http.client
import itertools
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from benchmarks.rows import UnmeasuredError

CLIENTS = 4  # a late answer does not make the next one late

Stages = Mapping[str, float]
"""Milliseconds that a service says it spent, by step."""


@dataclass
class Timetable:
    """Work that is due so often a second, and how long each took, with its stages if it has any."""

    work: Callable[[], Stages | None]
    rate: float
    each: list[tuple[float, Stages]] = field(default_factory=list)
    seconds: float = 0.0

    def keep(self, seconds: float) -> None:
        """Do what is due for a while, on a few threads."""
        started, turns = time.perf_counter(), itertools.count()
        errors: list[BaseException] = []

        def client() -> None:
            try:
                while (due := next(turns) / self.rate) < seconds:
                    time.sleep(max(0.0, started + due - time.perf_counter()))
                    begun = time.perf_counter()
                    stages = self.work() or {}
                    self.each.append((time.perf_counter() - begun, stages))
            except (OSError, http.client.HTTPException, UnmeasuredError) as error:
                errors.append(error)

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = time.perf_counter() - started
        if errors:
            raise UnmeasuredError(str(errors[0]) or repr(errors[0])) from errors[0]

    @property
    def done(self) -> float:
        """How often a second it was done."""
        return len(self.each) / self.seconds

    @property
    def p99_ms(self) -> float:
        return 1e3 * float(np.quantile([seconds for seconds, _ in self.each], 0.99))

    @property
    def slowest(self) -> str:
        """What the slowest hundredth waited for: the median of each stage, and of what is left."""
        late = [one for one in self.each if 1e3 * one[0] >= self.p99_ms]
        names = dict.fromkeys(name for _, stages in late for name in stages)
        medians = {name: statistics.median(one.get(name, 0) for _, one in late) for name in names}
        left = statistics.median(1e3 * seconds - sum(one.values()) for seconds, one in late)
        return ", ".join(f"{name} {ms:.1f}" for name, ms in {**medians, "the rest": left}.items())
