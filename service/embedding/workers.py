"""Threads for what must not happen on the event loop.

Knows nothing about what the work is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


FEW = 2
"""Threads for searches. They take turns at Python's lock, and each more makes all of them wait for
it more often: 32 clients got 340 answers a second from two, 200 from one, 100 from three."""

LONG = 2
"""Threads for what looks at all items: it waits for its like, and nobody waits for it."""


class Workers:
    """A few threads: decoding, searching, the catalog; others for what takes long."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._few = ThreadPoolExecutor(min(threads, FEW), thread_name_prefix="searcher")
        self._long = ThreadPoolExecutor(min(threads, LONG), thread_name_prefix="looker")

    async def search(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As `run`, on few threads: for what is short and mostly Python."""
        loop = asyncio.get_running_loop()
        run = copy_context().run
        return await loop.run_in_executor(self._few, partial(run, work, *args, **kwargs))

    async def long(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As `run`, on threads of their own: for what may take as long as a collection is large."""
        loop = asyncio.get_running_loop()
        run = copy_context().run
        return await loop.run_in_executor(self._long, partial(run, work, *args, **kwargs))

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run blocking work in a thread and give its result; it knows what request it is for."""
        loop = asyncio.get_running_loop()
        run = copy_context().run
        return await loop.run_in_executor(self._pool, partial(run, work, *args, **kwargs))

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
        for pool in (self._pool, self._few, self._long):
            pool.shutdown(wait=True, cancel_futures=True)
