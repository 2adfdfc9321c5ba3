"""Does work on threads a little ahead of who needs it, in order and in bounded memory.

Knows nothing about the work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """Work to do: ahead on a thread, or only when it is its turn."""

    do: Callable[[], T]
    is_ahead: bool = True


@contextmanager
def done_ahead(jobs: Iterable[Job[T]], *, threads: int, window: int) -> Iterator[Iterator[T]]:
    """The results of the jobs in order, at most `window` of them waiting.

    On leaving, work that has not begun is dropped and what is under way is waited for.
    """
    with closing(_results(jobs, threads, window)) as results:
        yield results


def _results(jobs: Iterable[Job[T]], threads: int, window: int) -> Generator[T, None, None]:
    waiting: deque[Callable[[], T]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    try:
        for job in jobs:
            waiting.append(pool.submit(job.do).result if job.is_ahead else job.do)
            if len(waiting) > window:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()
    finally:
        pool.shutdown(cancel_futures=True)
