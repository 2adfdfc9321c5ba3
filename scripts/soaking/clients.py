"""Clients in a process of their own: some that ask in turn, a flood that does not wait, slow ones.

    clients PORT steady CLIENTS SECONDS      each asks again once it was answered
    clients PORT flood RATE SECONDS          so many begin in a second, whatever becomes of them
    clients PORT slow COUNT                  half-open and dripping, until standard input ends

The first two print one JSON object.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from benchmarks.texts import fresh_texts

PATH = "/v1/embeddings"
DRIP = 1.0  # seconds between two bytes of a slow client
HEALTH_EVERY = 0.05
STALE = 3.0  # seconds until an idle connection is not used again; a server closes it after five
LATE = 20.0  # seconds until a client gives an answer up


class Line:
    """One connection that stays open; opened anew when it was closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and head of the answer."""
        if time.perf_counter() - self._used > STALE:
            self.close()
        self._used = time.perf_counter()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(answer.partition(b"content-length:")[2].split(b"\r\n")[0]))
        if b"connection: close" in answer:
            self.close()
        return int(answer.split(b" ", 2)[1]), answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Tally:
    """Answers by status, with how long each took; whatever went wrong by its name."""

    def __init__(self) -> None:
        self._took: defaultdict[str, list[float]] = defaultdict(list)
        self._wrong: Counter[str] = Counter()

    async def ask(self, line: Line, method: str, path: str, body: bytes = b"") -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(LATE):
                status, head = await line.ask(method, path, body)
        except (OSError, EOFError, TimeoutError) as error:
            self._wrong[type(error).__name__] += 1
            line.close()
            return
        self._took[str(status)].append(time.perf_counter() - began)
        if status == 503 and b"retry-after:" not in head:
            self._wrong["503 without Retry-After"] += 1

    def told(self) -> dict[str, Any]:
        """Counts and milliseconds, for JSON."""
        statuses = {status: _summary(took) for status, took in self._took.items()}
        return {"statuses": statuses, "wrong": dict(self._wrong)}


def _summary(took: list[float]) -> dict[str, float]:
    took.sort()
    at = {f"p{p}": 1e3 * took[min(len(took) - 1, len(took) * p // 100)] for p in (50, 99)}
    return {"count": len(took), **at}


def _bodies() -> Iterator[bytes]:
    for turn in itertools.count():
        for text in fresh_texts(500, seed=f"{os.getpid()} {turn}"):
            yield json.dumps({"input": [text]}).encode()


async def steady(port: int, clients: int, seconds: float) -> dict[str, Any]:
    """Clients that ask again once they were answered."""
    tally, bodies = Tally(), _bodies()
    until = time.perf_counter() + seconds

    async def one() -> None:
        line = Line(port)
        while time.perf_counter() < until:
            await tally.ask(line, "POST", PATH, next(bodies))
        line.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    return tally.told()


async def flood(port: int, rate: float, seconds: float) -> dict[str, Any]:
    """Requests that begin whatever has become of those before; and somebody asks for health."""
    tally, health, bodies = Tally(), Tally(), _bodies()
    free: list[Line] = []
    asking: set[asyncio.Task[None]] = set()

    async def one() -> None:
        line = free.pop() if free else Line(port)
        await tally.ask(line, "POST", PATH, next(bodies))
        free.append(line)

    async def looks() -> None:
        line = Line(port)
        while True:
            await health.ask(line, "GET", "/healthz")
            await asyncio.sleep(HEALTH_EVERY)

    looking = asyncio.create_task(looks())
    began = time.perf_counter()
    sent = 0
    while (now := time.perf_counter() - began) < seconds:
        for _ in range(int(now * rate) - sent):
            task = asyncio.create_task(one())
            asking.add(task)
            task.add_done_callback(asking.discard)
            sent += 1
        await asyncio.sleep(0.002)
    await asyncio.gather(*asking)
    looking.cancel()
    return {**tally.told(), "sent": sent, "seconds": seconds, "health": health.told()}


async def slow(port: int, count: int) -> None:
    """Those who send nothing, half a head, or half a body, a byte a second; and come again."""
    sayings = (b"", b"POST /v1/embeddings HTTP/1.1\r\nHost: ", _half_a_body())
    chance = random.Random(0)

    async def one(saying: bytes) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                with suppress(OSError):
                    writer.write(saying)
                    while not reader.at_eof():
                        await asyncio.sleep(DRIP * chance.uniform(0.5, 1.5))
                        if saying:
                            writer.write(b"x")
                            await writer.drain()
                        with suppress(TimeoutError):
                            async with asyncio.timeout(0.001):
                                await reader.read(1_000)
                writer.close()
            await asyncio.sleep(DRIP * chance.random())

    waiting = asyncio.gather(*(one(sayings[number % 3]) for number in range(count)))
    print("begun", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


def _half_a_body() -> bytes:
    return (
        b"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b'Content-Length: 100000\r\n\r\n{"input": ["'
    )


def main() -> None:
    port, kind, *numbers = sys.argv[1:]
    given = [float(number) for number in numbers]
    if kind == "slow":
        asyncio.run(slow(int(port), int(given[0])))
        return
    asked = steady(int(port), int(given[0]), given[1]) if kind == "steady" else None
    print(json.dumps(asyncio.run(asked or flood(int(port), *given))))


if __name__ == "__main__":
    main()
