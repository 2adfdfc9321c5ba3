"""The service killed while it is written to: ready again soon, with all that it acknowledged.

Items are put over HTTP; what was answered with 200 is there after the kill.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import numpy as np

from benchmarks.rows import Row, at_most
from latent.items import Item, Modality, Vectors
from latent.settings import Settings
from latent.wiring import open_store
from scripts.soaking.serving import Service
from scripts.soaking.soak import Soak

DIM = 384
NAME = "main"
AT_ONCE = 2_000
WRITERS = 4
LONGEST = 2.0  # seconds of writing before the kill, at most
SECONDS = at_most(3)


def rows(soak: Soak) -> Iterator[Row]:
    """100,000 items, 7 kills; 500 items and 2 kills in the short form."""
    count, kills = soak.choose(long=100_000, short=500), soak.choose(long=7, short=2)
    data = soak.folder / "data"
    fill(data, count)
    ready, worked, acknowledged, lost = restarted(data, kills)
    how = f"{kills} kills, {acknowledged:,} items acknowledged over HTTP"
    yield Row("service killed: acknowledged items lost", lost, "items", how, at_most(0))
    how = f"{count:,} items of {DIM} numbers; from the start of the process to /readyz"
    target = None if soak.is_quick else SECONDS
    yield Row("service killed: ready again, median", statistics.median(ready), "s", how, target)
    yield Row("service killed: ready again, longest", max(ready), "s", how, target)
    how = "what it took of the processors, whatever else they did"
    yield Row("service killed: work until ready", statistics.median(worked), "s", how)


def fill(data: Path, count: int) -> None:
    """A collection of that many items, with a snapshot."""
    with open_store(Settings(data=data, model="mini")) as store:
        collection = store.ensure(NAME, f"vectors:{DIM}")
        rows = vectors(count)
        for start in range(0, count, AT_ONCE):
            some = rows[start : start + AT_ONCE]
            collection.put(
                [Item(f"i{start + n}", Modality.TEXT, row) for n, row in enumerate(some)]
            )
        collection.publish(force=True)


def vectors(count: int, seed: int = 0) -> Vectors:
    """Random places around a few hundred centres, as those of photos are, `(count, DIM)`."""
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((300, DIM), np.float32)
    rows = centres[chance.integers(0, 300, count)] + chance.standard_normal(
        (count, DIM), np.float32
    )
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def restarted(data: Path, kills: int, seed: int = 0) -> tuple[list[float], list[float], int, int]:
    """Seconds until ready and seconds of work after each kill; items acknowledged, and missing."""
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    ready: list[float] = []
    worked: list[float] = []
    service = Service(data.parent, model="mini")
    for number in range(kills):
        _write_and_kill(service, acknowledged, chance.uniform(0.3, LONGEST), f"k{number}")
        service = Service(data.parent, model="mini")
        ready.append(service.ready_after)
        worked.append(service.worked)
    service.end()
    with open_store(Settings(data=data, model="mini")) as store:
        found = store.collection(NAME).find(sorted(acknowledged))
        flaws = store.collection(NAME).verify()
    return ready, worked, len(acknowledged), len(acknowledged - found.keys()) + len(flaws)


def _write_and_kill(service: Service, acknowledged: set[str], seconds: float, name: str) -> None:
    """Put items from several threads, and kill the service in the midst of it."""
    is_over = threading.Event()

    def write(writer: int) -> None:
        rows = vectors(40, seed=writer).tolist()
        for number in range(100_000):
            ids = [f"{name}-{writer}-{number}-{place}" for place in range(4)]
            items = [
                {"id": each, "vector": rows[(number + place) % 40], "modality": "text"}
                for place, each in enumerate(ids)
            ]
            if is_over.is_set():
                return
            # The service was killed: whatever was on its way was not acknowledged.
            with suppress(OSError, HTTPException):
                service.ask("PUT", f"/v1/collections/{NAME}/items", {"items": items})
                acknowledged.update(ids)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    service.kill()
    is_over.set()
    for thread in threads:
        thread.join()
