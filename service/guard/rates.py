"""How often: so many requests in a time, over a window that moves along.

One may pass if the one so many before it is older than the window; so each needs a look at one
time alone. The times lie in a ring, in memory or in a file that several processes map: then all of
them count together. Knows nothing about keys and requests.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import struct
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from limits import RateLimitItem, parse

from latent.errors import InputError, RateLimitError

try:
    import fcntl
except ImportError:  # Windows, where one process serves
    fcntl = None  # type: ignore[assignment]

MANY_RINGS = 1_000  # from which on those are let go of that nothing is held against any more
MOST_TIMES = 65_536  # kept of one rate; of more requests each stands for several
_TIME, _COUNT = struct.Struct("<d"), struct.Struct("<q")


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
    """Counts what each one asks; in every window of that length at most so many pass.

    With `shared`, a folder, together with all processes that count in it. For one thread.
    """

    def __init__(
        self, shared: Path | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = shared
        self._clock = clock  # the same for all processes of a machine
        self._rings: dict[tuple[str, str], Ring] = {}

    def count(self, who: str, rate: str) -> None:
        """Count one request.

        Raises:
            RateLimitError: it is one too many, and was not counted; says when there is room again.
        """
        now = self._clock()
        if (ring := self._rings.get((who, rate))) is None:
            if len(self._rings) >= MANY_RINGS:  # keys come and go
                self._rings = {of: one for of, one in self._rings.items() if not one.is_idle(now)}
            ring = self._rings[who, rate] = Ring(rate_of(rate), self._file(who, rate))
        wait = ring.wait(now)
        if wait > 0:
            raise RateLimitError(
                f"more than {rate} requests with this key; try again later",
                max(1, math.ceil(wait)),
            )

    def _file(self, who: str, rate: str) -> Path | None:
        if self._shared is None:
            return None
        name = hashlib.sha256(f"{rate} {who}".encode()).hexdigest()[:32]
        return self._shared / f"{name}.times"


class Ring:
    """The times of the last requests that passed, as many as may pass in a window."""

    def __init__(self, rate: RateLimitItem, file: Path | None = None) -> None:
        self._amount, self._window = rate.amount, float(rate.get_expiry())
        self._each = math.ceil(rate.amount / MOST_TIMES)
        # More than are looked back to: the one that is being written to is not looked at.
        self._places = rate.amount // self._each + 2
        size = _COUNT.size + self._places * _TIME.size
        self._file: int | None = None
        if file is None:
            self._memory = mmap.mmap(-1, size)
        else:
            self._file = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
            weakref.finalize(self, os.close, self._file)
            os.truncate(self._file, size)
            self._memory = mmap.mmap(self._file, size)

    def wait(self, now: float) -> float:
        """Count one more, if it may pass; else seconds until one may, and it is not counted."""
        if self._file is None or fcntl is None:
            return self._counted(now)
        fcntl.flock(self._file, fcntl.LOCK_EX)  # let go of by the system if this process dies
        try:
            return self._counted(now)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def is_idle(self, now: float) -> bool:
        """Whether all that passed was so long ago that a new ring would do."""
        (passed,) = _COUNT.unpack_from(self._memory)
        if not passed:
            return True
        (last,) = _TIME.unpack_from(self._memory, self._place(passed - 1))
        return bool(last + self._window < now)

    def _counted(self, now: float) -> float:
        (passed,) = _COUNT.unpack_from(self._memory)
        if passed >= self._amount:
            # Where the time of that one is not kept, that of the next one is.
            number = passed - self._amount + self._each - 1
            (before,) = _TIME.unpack_from(self._memory, self._place(number))
            if (wait := before + self._window - now) > 0:
                return float(wait)
        if passed % self._each == 0:
            _TIME.pack_into(self._memory, self._place(passed), now)
        _COUNT.pack_into(self._memory, 0, passed + 1)
        return 0.0

    def _place(self, number: int) -> int:
        """Where the time of a request is kept, by how many passed before it."""
        return _COUNT.size + (number // self._each % self._places) * _TIME.size
