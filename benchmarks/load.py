"""Clients that ask a service as fast as it answers; runs by itself, on cores of its own.

Plain sockets that stay open: what a client library does would be counted against the service.
With a seed of `@FILE` they ask about the vectors in that numpy file, many at once where the path
takes many, as numbers or as base64. Prints one JSON object: how many answers, in how many seconds,
the median of a request in milliseconds, and the processor time that the clients took themselves.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.texts import fresh_texts

EMBEDDINGS = "/v1/embeddings"
REPEATED = "two dogs playing in the snow"
MANY = 512  # texts prepared at once
FILE = "@"
CODED = "base64"
TOGETHER = 32  # questions in a request, where it may hold many


@dataclass(frozen=True, slots=True)
class Answers:
    """What the clients saw."""

    count: int
    seconds: float
    p50_ms: float
    own_seconds: float = 0.0

    @property
    def rate(self) -> float:
        return self.count / self.seconds


def body(path: str, text: str) -> bytes:
    """The request body that asks `path` about a text."""
    asked = {"input": [text]} if path == EMBEDDINGS else {"query": text, "k": 10}
    return json.dumps(asked).encode()


async def ask(
    port: int,
    path: str,
    *,
    clients: int,
    seconds: float,
    seed: str,
    together: int = TOGETHER,
    is_coded: bool = False,
) -> Answers:
    """All clients together; with an empty seed they all repeat one text.

    `together` questions are in a request where it may hold many; vectors are base64 if `is_coded`.
    """
    took: list[float] = []
    asked = [_bodies(path, seed, client, together, is_coded) for client in range(clients)]
    began = time.process_time()
    started = time.perf_counter()
    until = started + seconds
    await asyncio.gather(*(_client(port, path, until, took, some) for some in asked))
    count = len(took) * (together if path.endswith("/queries") else 1)
    whole, own = time.perf_counter() - started, time.process_time() - began
    return Answers(count, whole, 1e3 * statistics.median(took), own)


def _bodies(path: str, seed: str, client: int, together: int, is_coded: bool) -> Iterator[bytes]:
    """What one client asks, one after the other."""
    if not seed:
        return itertools.repeat(body(path, REPEATED))
    if not seed.startswith(FILE):
        return (body(path, text) for text in _endless(f"{seed} {client}"))
    rows = np.load(seed.removeprefix(FILE))
    # Made before it begins, and for a client as a whole: the time is not the service's.
    asked = [
        {"query": {"vector": _written(row, is_coded)}, "k": 10, "min_relevance": 0}
        for row in np.roll(rows, 17 * client, axis=0)[:MANY]
    ]
    if not path.endswith("/queries"):
        return itertools.cycle([json.dumps(one).encode() for one in asked])
    whole = len(asked) - len(asked) % together
    some = (asked[start : start + together] for start in range(0, whole, together))
    return itertools.cycle([json.dumps({"queries": one}).encode() for one in some])


def _written(row: NDArray[np.float32], is_coded: bool) -> str | list[float]:
    if is_coded:
        return base64.b64encode(row.astype("<f4").tobytes()).decode()
    numbers: list[float] = row.tolist()
    return numbers


async def _client(
    port: int, path: str, until: float, took: list[float], bodies: Iterator[bytes]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        content = next(bodies)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        started = time.perf_counter()
        writer.write(head.encode() + content)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length:")[2].split(b"\r\n")[0])
        said = await reader.readexactly(length)
        took.append(time.perf_counter() - started)
        if answer.split(b" ", 2)[1] != b"200":
            raise SystemExit(f"{path} answered {said.decode(errors='replace')[:200]}")
    writer.close()


def _endless(seed: str) -> itertools.chain[str]:
    return itertools.chain.from_iterable(
        fresh_texts(MANY, seed=f"{seed} {turn}") for turn in itertools.count()
    )


def main() -> None:
    port, path, clients, seconds, seed, together, coded = sys.argv[1:]
    found = ask(
        int(port),
        path,
        clients=int(clients),
        seconds=float(seconds),
        seed=seed,
        together=int(together),
        is_coded=coded == CODED,
    )
    print(json.dumps(asdict(asyncio.run(found))))


if __name__ == "__main__":
    main()
