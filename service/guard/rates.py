"""How often: so many requests in a time, over a window that moves along.

Counted in the memory of one process. Knows nothing about keys and requests.
"""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from latent.errors import InputError, RateLimitError


def rate_of(text: str) -> RateLimitItem:
    """A rate such as `10/second` or `600/minute`.

    Raises:
        InputError: it is none.
    """
    try:
        rate = parse(text)
    except ValueError as error:
        raise InputError(f"{text!r} is no rate; write it like 10/second or 600/minute") from error
    if rate.amount < 1 or rate.multiples < 1:
        raise InputError(f"{text!r} allows nothing; write a rate like 10/second or 600/minute")
    return rate


class Rates:
    """Counts what each one asks; in every window of that length at most so many pass."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._parsed: dict[str, RateLimitItem] = {}

    def count(self, who: str, rate: str) -> None:
        """Count one request.

        Raises:
            RateLimitError: it is one too many, and was not counted; says when there is room again.
        """
        if rate not in self._parsed:
            self._parsed[rate] = rate_of(rate)
        item = self._parsed[rate]
        if not self._limiter.hit(item, who):
            reset = self._limiter.get_window_stats(item, who).reset_time
            raise RateLimitError(
                f"more than {rate} requests with this key; try again later",
                max(1, math.ceil(reset - time.time())),
            )
