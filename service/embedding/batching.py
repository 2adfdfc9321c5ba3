"""Concurrent requests share a batch: what waits while the model is busy goes in together.

No artificial delay: an idle model starts at once. A batch takes from every waiting request in
turn, so one text never waits behind a thousand. Knows nothing about models, pictures or the web.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from latent.errors import InputError, OverloadedError
from latent.items import Vector, Vectors

T = TypeVar("T")

Outcome: TypeAlias = Vector | InputError
"""The place of one thing, or why it has none."""


@dataclass(eq=False, slots=True)
class _Submission(Generic[T]):
    """The things of one request: which are still to be taken, and what became of the others."""

    things: Sequence[T]
    done: asyncio.Future[list[Outcome]]
    taken: int = 0
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def take(self) -> int:
        self.taken += 1
        return self.taken - 1

    def settle(self, position: int, outcome: Outcome) -> None:
        self.outcomes[position] = outcome
        if len(self.outcomes) == len(self.things) and not self.done.done():
            self.done.set_result([self.outcomes[number] for number in range(len(self.things))])

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Batcher(Generic[T]):
    """Calls `embed` in one thread of its own, with at most `batch_size` things at once.

    At most `max_waiting` requests may wait; `on_batch` is told the size of every batch.
    Belongs to one event loop; only `now` may be called from other threads.
    """

    def __init__(
        self,
        embed: Callable[[Sequence[T]], Vectors],
        *,
        batch_size: int,
        max_waiting: int,
        on_batch: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._embed = embed
        self._batch_size = batch_size
        self._max_waiting = max_waiting
        self._on_batch = on_batch
        self._waiting: deque[_Submission[T]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._worker: asyncio.Task[None] | None = None
        self._model = threading.Lock()  # one batch at a time, whoever brings it

    @property
    def waiting(self) -> int:
        """Requests that have things not yet given to the model."""
        return len(self._waiting)

    async def submit(self, things: Sequence[T]) -> list[Outcome]:
        """One outcome for each thing, in order; what is wrong with one thing is its own alone.

        Raises:
            OverloadedError: too many requests wait already.
        """
        if not things:
            return []
        if len(self._waiting) >= self._max_waiting:
            raise OverloadedError(f"{len(self._waiting)} requests wait for the model; try later")
        submission = _Submission(things, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await submission.done

    def now(self, things: Sequence[T]) -> list[Outcome] | None:
        """As `submit`, in the calling thread and at once; None where others are at it or wait.

        Who asks alone is spared two changes of threads, which take longer than a small search.
        """
        is_busy = self._waiting or not (self._worker is None or self._worker.done())
        if is_busy or len(things) > self._batch_size or not self._model.acquire(blocking=False):
            return None
        try:
            self._on_batch(len(things))
            return _embed_each(self._embed, things)
        finally:
            self._model.release()

    async def close(self) -> None:
        """Stop after the batch that is in the model now; those who wait are told."""
        for submission in self._waiting:
            submission.fail(OverloadedError("the service is closing"))
        self._waiting.clear()
        if self._worker is not None:
            await asyncio.wait([self._worker])
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._take():
            self._on_batch(len(batch))
            things = [submission.things[position] for submission, position in batch]
            running = loop.run_in_executor(self._thread, self._embedded, things)
            # Gathered, so that whatever the model raised reaches those who asked, not this loop.
            (result,) = await asyncio.gather(running, return_exceptions=True)
            if isinstance(result, BaseException):
                for submission in {submission for submission, _ in batch}:
                    submission.fail(result)
                continue
            for (submission, position), outcome in zip(batch, result, strict=True):
                submission.settle(position, outcome)

    def _embedded(self, things: Sequence[T]) -> list[Outcome]:
        with self._model:
            return _embed_each(self._embed, things)

    def _take(self) -> list[tuple[_Submission[T], int]]:
        """The next batch, one thing from each request in turn; requests that went away are left."""
        batch: list[tuple[_Submission[T], int]] = []
        while self._waiting and len(batch) < self._batch_size:
            submission = self._waiting.popleft()
            if submission.done.done():
                continue
            batch.append((submission, submission.take()))
            if submission.taken < len(submission.things):
                self._waiting.append(submission)
        return batch


def _embed_each(embed: Callable[[Sequence[T]], Vectors], things: Sequence[T]) -> list[Outcome]:
    """Outcomes of a batch; when the model refuses it, its halves, down to the one at fault."""
    try:
        return list(embed(things))
    except InputError as error:
        if len(things) == 1:
            return [error]
    half = len(things) // 2
    return _embed_each(embed, things[:half]) + _embed_each(embed, things[half:])
