"""How long each step of something took.

Blocks of their own class: one of `contextmanager` takes twice as long, and a question
measures a dozen. Knows nothing about what the steps do.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from time import perf_counter


class Clock:
    """Seconds by step; one that is measured twice adds up."""

    def __init__(self, seconds: dict[str, float] | None = None) -> None:
        self.seconds: dict[str, float] = {} if seconds is None else seconds

    def measure(self, step: str) -> AbstractContextManager[None]:
        """Count the time inside the block to a step, also when it fails."""
        return _Block(self.seconds, step)

    def took_ms(self) -> Mapping[str, float]:
        """Milliseconds by step, rounded to microseconds."""
        return {step: round(1000 * seconds, 3) for step, seconds in self.seconds.items()}


class _Block(AbstractContextManager[None]):
    __slots__ = ("_began", "_seconds", "_step")

    def __init__(self, seconds: dict[str, float], step: str) -> None:
        self._seconds = seconds
        self._step = step

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds, step = self._seconds, self._step
        seconds[step] = seconds.get(step, 0.0) + perf_counter() - self._began
