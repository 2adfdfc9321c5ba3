"""Does work on threads a little ahead of who needs it, in order and in bounded memory.

Knows nothing about the work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """Work to do: ahead on a thread, or only when it is its turn. `weight` fills the window."""

    do: Callable[[], T]
    is_ahead: bool = True
    weight: int = 1


class Behind:
    """Does one piece of work on a thread while the next is being made ready."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="behind")
        self._last: Future[None] | None = None

    def do(self, work: Callable[[], None]) -> None:
        """Begin a piece of work, once the last is done. Raises what the last one raised."""
        self.wait()
        self._last = self._pool.submit(work)

    def wait(self) -> None:
        """Until the last piece is done. Raises what it raised."""
        last, self._last = self._last, None
        if last is not None:
            last.result()


@contextmanager
def behind() -> Iterator[Behind]:
    """Work that is done on a thread; on leaving, all of it is."""
    worker = Behind()
    try:
        yield worker
        worker.wait()
    finally:
        worker._pool.shutdown()


@contextmanager
def done_ahead(jobs: Iterable[Job[T]], *, threads: int, window: int) -> Iterator[Iterator[T]]:
    """The results of the jobs in order; those that wait weigh at most `window` together.

    On leaving, work that has not begun is dropped and what is under way is waited for.
    """
    with closing(_results(jobs, threads, window)) as results:
        yield results


def _results(jobs: Iterable[Job[T]], threads: int, window: int) -> Generator[T, None, None]:
    waiting: deque[tuple[int, Callable[[], T]]] = deque()
    weight = 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    try:
        for job in jobs:
            waiting.append((job.weight, pool.submit(job.do).result if job.is_ahead else job.do))
            weight += job.weight
            while weight > window and waiting:
                lighter, result = waiting.popleft()
                weight -= lighter
                yield result()
        while waiting:
            yield waiting.popleft()[1]()
    finally:
        pool.shutdown(cancel_futures=True)
