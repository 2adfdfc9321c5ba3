"""Requests share batches; what goes wrong with one is its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence

import numpy as np
import pytest

from latent.errors import InputError, ModelUnavailableError, OverloadedError
from latent.items import Vectors
from service.embedding.batching import Batcher
from service.embedding.workers import Workers
from service.entrance.door import Door

PATIENCE = 10  # seconds until a test that waits for what never comes fails


class Model:
    """Counts batches; while the gate is shut it stays in the first one."""

    def __init__(self, *, shut: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.started = threading.Event()
        self.gate = threading.Event()
        if not shut:
            self.gate.set()

    def embed(self, things: Sequence[int]) -> Vectors:
        self.batches.append(list(things))
        self.started.set()
        assert self.gate.wait(PATIENCE)
        if any(thing < 0 for thing in things):
            raise InputError(f"{min(things)} is negative")
        if any(thing == 666 for thing in things):
            raise ModelUnavailableError("the model broke")
        return np.array([[thing, 1.0] for thing in things], dtype=np.float32)


def batcher(model: Model, *, batch_size: int = 4, max_waiting: int = 8) -> Batcher[int]:
    return Batcher(model.embed, batch_size=batch_size, max_waiting=max_waiting)


async def until(is_so: Callable[[], bool]) -> None:
    """Let other tasks run until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.001)


async def shut_in(model: Model, batching: Batcher[int]) -> asyncio.Task[object]:
    """A request that holds the model busy until the gate opens."""
    task: asyncio.Task[object] = asyncio.create_task(batching.submit([0]))
    await until(model.started.is_set)
    return task


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await work()

    asyncio.run(bounded())


def test_outcomes_come_in_the_order_of_the_things() -> None:
    async def work() -> None:
        batching = batcher(Model())
        outcomes = await batching.submit([5, 3, 4, 1, 2, 9])
        assert [outcome[0] for outcome in outcomes if not isinstance(outcome, InputError)] == [
            *(5, 3, 4, 1, 2, 9)
        ]
        assert await batching.submit([]) == []
        await batching.close()

    run(work)


def test_requests_that_wait_share_a_batch() -> None:
    async def work() -> None:
        model = Model(shut=True)
        batching = batcher(model)
        first = await shut_in(model, batching)
        others = [asyncio.create_task(batching.submit([number])) for number in (1, 2, 3)]
        await until(lambda: batching.waiting == 3)
        model.gate.set()
        await asyncio.gather(first, *others)
        assert model.batches == [[0], [1, 2, 3]]
        await batching.close()

    run(work)


def test_an_idle_model_starts_at_once_with_what_is_there() -> None:
    async def work() -> None:
        model = Model()
        batching = batcher(model)
        await batching.submit([1])
        await batching.submit([2])
        assert model.batches == [[1], [2]]
        await batching.close()

    run(work)


def test_no_batch_is_larger_than_the_limit() -> None:
    async def work() -> None:
        model = Model()
        sizes: list[int] = []
        batching = Batcher(model.embed, batch_size=4, max_waiting=8, on_batch=sizes.append)
        await batching.submit(list(range(10)))
        assert sizes == [4, 4, 2]
        await batching.close()

    run(work)


def test_one_text_does_not_wait_behind_a_thousand() -> None:
    async def work() -> None:
        model = Model(shut=True)
        batching = batcher(model)
        first = await shut_in(model, batching)
        many = asyncio.create_task(batching.submit(list(range(1000, 2000))))
        one = asyncio.create_task(batching.submit([7]))
        await until(lambda: batching.waiting == 2)
        model.gate.set()
        await one
        assert 7 in model.batches[1]
        await asyncio.gather(first, many)
        await batching.close()

    run(work)


def test_one_bad_thing_fails_alone() -> None:
    async def work() -> None:
        model = Model(shut=True)
        batching = batcher(model, batch_size=8)
        first = await shut_in(model, batching)
        good = asyncio.create_task(batching.submit([1, 2, 3]))
        mixed = asyncio.create_task(batching.submit([4, -5, 6]))
        await until(lambda: batching.waiting == 2)
        model.gate.set()
        assert [float(outcome[0]) for outcome in await good] == [1, 2, 3]  # type: ignore[index]
        four, five, six = await mixed
        assert isinstance(five, InputError)
        assert not isinstance(four, InputError)
        assert not isinstance(six, InputError)
        await first
        await batching.close()

    run(work)


def test_a_broken_model_fails_the_batch_and_not_the_next() -> None:
    async def work() -> None:
        batching = batcher(Model())
        with pytest.raises(ModelUnavailableError):
            await batching.submit([666])
        (outcome,) = await batching.submit([1])
        assert not isinstance(outcome, InputError)
        await batching.close()

    run(work)


def test_a_request_that_goes_away_does_not_disturb_the_others() -> None:
    async def work() -> None:
        model = Model(shut=True)
        batching = batcher(model)
        first = await shut_in(model, batching)
        gone = asyncio.create_task(batching.submit([1]))
        stays = asyncio.create_task(batching.submit([2]))
        await until(lambda: batching.waiting == 2)
        gone.cancel()
        first.cancel()  # this one is in the model already
        await asyncio.wait([gone, first])
        model.gate.set()
        (outcome,) = await stays
        assert not isinstance(outcome, InputError)
        assert model.batches == [[0], [2]]
        await batching.close()

    run(work)


def test_more_than_may_wait_are_refused_at_once() -> None:
    async def work() -> None:
        model = Model(shut=True)
        batching = batcher(model, max_waiting=2)
        first = await shut_in(model, batching)
        waiting = [asyncio.create_task(batching.submit([number])) for number in (1, 2)]
        await until(lambda: batching.waiting == 2)
        with pytest.raises(OverloadedError):
            await batching.submit([3])
        model.gate.set()
        await asyncio.gather(first, *waiting)
        assert not isinstance((await batching.submit([4]))[0], InputError)
        await batching.close()

    run(work)


def test_closing_tells_those_who_wait() -> None:
    async def work() -> None:
        model = Model(shut=True)
        batching = batcher(model)
        first = await shut_in(model, batching)
        waits = asyncio.create_task(batching.submit([1]))
        await until(lambda: batching.waiting == 1)
        model.gate.set()
        await batching.close()
        with pytest.raises(OverloadedError, match="closing"):
            await waits
        await first

    run(work)


def test_the_door_lets_in_so_many_and_others_when_they_left() -> None:
    door = Door(2)
    with door.inside():
        with door.inside(), pytest.raises(OverloadedError), door.inside():
            pass
        with door.inside():
            pass
    with pytest.raises(ValueError, match="mine"), door.inside():
        raise ValueError("mine")
    with door.inside(), door.inside():
        pass


def test_workers_keep_the_order() -> None:
    async def work() -> None:
        workers = Workers(threads=2)
        assert await workers.run(len, "three") == 5
        assert await workers.each(abs, [-3, -1, -2]) == [3, 1, 2]
        workers.close()

    run(work)


def test_who_asks_alone_is_answered_at_once_in_any_thread() -> None:
    async def work() -> None:
        model = Model()
        batching = batcher(model)
        outcomes = await asyncio.to_thread(batching.now, [3, -1])
        assert outcomes is not None
        assert outcomes[0][0] == 3  # type: ignore[index]
        assert isinstance(outcomes[1], InputError)
        assert batching.now([1] * 5) is None  # more than the model is given at once
        await batching.close()

    run(work)


def test_nobody_is_answered_at_once_while_others_are_at_it() -> None:
    async def work() -> None:
        model = Model(shut=True)
        batching = batcher(model)
        task = await shut_in(model, batching)
        assert batching.now([1]) is None
        model.gate.set()
        await task
        assert batching.now([1]) is not None
        await batching.close()

    run(work)


def test_a_batch_waits_for_who_is_answered_at_once() -> None:
    async def work() -> None:
        model = Model(shut=True)
        batching = batcher(model)
        alone = asyncio.create_task(asyncio.to_thread(batching.now, [1]))
        await until(model.started.is_set)
        task = asyncio.create_task(batching.submit([2]))
        await until(lambda: not batching.waiting)
        assert model.batches == [[1]]
        model.gate.set()
        assert await alone is not None
        await task
        assert model.batches == [[1], [2]]
        await batching.close()

    run(work)
