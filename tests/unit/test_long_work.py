"""Threads of the service: what takes long takes none from what is short."""

from __future__ import annotations

import asyncio
import threading

from service.embedding.workers import LONG, Workers


def test_what_takes_long_keeps_nothing_else_waiting() -> None:
    async def tried() -> tuple[str, str]:
        workers, may_go = Workers(4), threading.Event()
        long = [asyncio.create_task(workers.long(may_go.wait, 30)) for _ in range(LONG + 2)]
        try:
            async with asyncio.timeout(20):
                return await workers.run(str, 1), await workers.search(str, 2)
        finally:
            may_go.set()
            assert all(await asyncio.gather(*long))
            workers.close()

    assert asyncio.run(tried()) == ("1", "2")
