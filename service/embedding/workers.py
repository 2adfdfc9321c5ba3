"""Threads for what must not happen on the event loop, and the door that keeps it from piling up.

Knows nothing about what the work is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from latent.errors import OverloadedError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Door:
    """Lets in so many requests at once; the others are told at once, before their body is read."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be inside for as long as the block lasts.

        Raises:
            OverloadedError: there is no room.
        """
        if self._inside >= self._most:
            raise OverloadedError(f"{self._inside} requests are being worked on; try later")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


class Workers:
    """A few threads: decoding, searching, the catalog."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run blocking work in a thread and give its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(work, *args, **kwargs))

    async def each(self, work: Callable[[T], R], things: Sequence[T]) -> list[R]:
        """`work` on each thing, results in order; queues no more than there are threads, so that
        other requests get their turn.
        """
        loop = asyncio.get_running_loop()
        turn = asyncio.Semaphore(self._threads)

        async def one(thing: T) -> R:
            async with turn:
                return await loop.run_in_executor(self._pool, work, thing)

        return await asyncio.gather(*(one(thing) for thing in things))

    def close(self) -> None:
        """Wait for what runs; drop what has not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)
