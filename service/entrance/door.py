"""The door of the service: lets in as many requests as will have their turn soon.

How long one that comes now would wait is told from how many are inside and how fast they leave, so
that it needs no tuning to the machine or to what is asked (J. D. C. Little, 1961). Knows nothing
about requests. Belongs to one event loop.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from latent.errors import OverloadedError

MEMORY = 32  # leavings that the pace is taken from; enough for a batch, which leaves at once
LONGEST = 60  # seconds; who comes back later than that has given up
LONG = 0.25  # seconds inside; work of more is decoding and models, which goes on beside itself
FEW = 2  # of what is shorter: it is mostly Python, and takes turns


class Door:
    """Lets in at most `most` at once, and fewer where the last would wait over `patience` seconds.

    However slow they are, `least` are let in, and a few of what is done within moments: more of
    those would only wait for each other.
    """

    def __init__(
        self,
        most: int,
        *,
        patience: float = math.inf,
        least: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._patience = patience
        self._least = min(least, most)
        self._clock = clock
        self._inside = 0
        self._stay: float | None = None  # seconds that one is inside
        self._pace: float | None = None  # seconds between two that leave while others are inside
        self._last = 0.0  # when the last one left, or the first one came

    @property
    def count(self) -> int:
        """How many are inside."""
        return self._inside

    @property
    def room(self) -> int:
        """How many may be inside now."""
        if not self._pace or math.isinf(self._patience):
            return self._most
        least = self._least if (self._stay or 0.0) >= LONG else min(self._least, FEW)
        return max(least, min(self._most, int(self._patience / self._pace)))

    @property
    def is_full(self) -> bool:
        """Whether one who comes now would have to wait for too long."""
        return self._inside >= self.room

    def refusal(self) -> OverloadedError:
        """What is said to who comes while it is full, with when to come back."""
        wait = min(LONGEST, max(1, math.ceil(self._inside * (self._pace or 0.0))))
        return OverloadedError(f"{self._inside} requests are being worked on; try later", wait)

    def require_room(self) -> None:
        """Refuse who would have to wait for too long.

        Raises:
            OverloadedError: there is no room; says when to come back.
        """
        if self.is_full:
            raise self.refusal()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be inside for as long as the block lasts.

        Raises:
            OverloadedError: there is no room.
        """
        self.require_room()
        came = self._clock()
        if not self._inside:
            self._last = came
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            now = self._clock()
            self._stay = _mean(self._stay, now - came)
            # One that takes minutes tells little of the others: no gap is longer than patience.
            gap, self._last = min(now - self._last, self._patience), now
            self._pace = _mean(self._pace, gap)


def _mean(before: float | None, now: float) -> float:
    """The mean of what came lately, of which there may be none."""
    return now if before is None else before + (now - before) / MEMORY
