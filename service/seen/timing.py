"""How long each stage of one request took.

Knows nothing about what the stages do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

STAGES = ("decode", "embed", "search", "catalog")


class Timings:
    """Milliseconds by stage; a stage entered twice adds up."""

    def __init__(self) -> None:
        self._ms = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count the time inside the block to `stage`, also when it fails."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._ms[stage] += (time.perf_counter() - started) * 1000

    def add(self, other: Timings) -> None:
        """Count what another has counted, too."""
        for stage, ms in other._ms.items():
            self._ms[stage] += ms

    def share(self, several: Iterable[Timings]) -> None:
        """Let each of several count an equal part of this."""
        some = list(several)
        part = Timings()
        part._ms = {stage: ms / max(1, len(some)) for stage, ms in self._ms.items()}
        for one in some:
            one.add(part)

    def took_ms(self) -> Mapping[str, float]:
        """Milliseconds by stage, rounded to microseconds; 0.0 where a stage did not happen."""
        return {stage: round(ms, 3) for stage, ms in self._ms.items()}
