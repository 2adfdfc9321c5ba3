"""Two collections change places while others ask: every answer is of one of them, whole.

Readers are threads of another process, which hears of a switch only through the catalog.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from benchmarks.rows import Row, at_least, at_most
from latent.comparing import compare
from latent.errors import NearfieldError
from latent.items import Item, Modality, Vectors
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from scripts.soaking.soak import Soak

NAME, NEXT = "main", "next"
DIMS = {NAME: 32, NEXT: 64}
READERS = 3
K = 10


@dataclass
class Seen:
    """What readers were answered, by the dimension of the space they asked in."""

    answers: dict[int, int] = field(default_factory=dict)
    mixed: list[str] = field(default_factory=list)


def rows(soak: Soak) -> Iterator[Row]:
    """1,000 switches of 5,000 items; 20 of 300 in the short form."""
    switches, count = soak.choose(long=1_000, short=20), soak.choose(long=5_000, short=300)
    settings = Settings(data=soak.folder / "data", model="colours", threads=1)
    with open_store(settings) as store:
        for name, dim in DIMS.items():
            store.ensure(name, f"vectors:{dim}").put(_items(dim, count))
            store.collection(name).publish(force=True)
        overlap = compare(store.collection(NAME), store.collection(NEXT)).overlap or 0.0
        seen, took = switched(store, soak.folder, switches)
    how = f"{switches:,} switches of {count:,} items, {READERS} readers in another process"
    answers = sum(seen.answers.values())
    yield Row("switch: answers that were mixed or failed", len(seen.mixed), "", how, at_most(0))
    fewest = min((seen.answers.get(dim, 0) for dim in DIMS.values()), default=0)
    yield Row("switch: answers of the rarer space", fewest, f"of {answers:,}", how, at_least(1))
    yield Row("switch: one", 1000 * statistics.median(took), "ms", how)
    yield Row("switch: overlap of neighbours", overlap, "", "random vectors of both spaces")


def switched(store: Store, folder: Path, switches: int) -> tuple[Seen, list[float]]:
    """Switch that often while others read; gives what they saw, and the seconds of each switch."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    begun, is_over = context.Event(), context.Event()
    told, tell = context.Pipe(duplex=False)
    reader = context.Process(target=_read, args=(folder, begun, is_over, tell))
    reader.start()
    took = []
    try:
        begun.wait()
        for _ in range(switches):
            started = time.monotonic()
            store.switch(NAME, NEXT)
            took.append(time.monotonic() - started)
            time.sleep(0.005)  # for readers to ask something between two
    finally:
        is_over.set()
        seen: Seen = told.recv()
        reader.join()
    return seen, took


def _read(folder: Path, begun: Event, is_over: Event, tell: object) -> None:
    """Ask for the name until it is over, with several threads; tells what was seen."""
    with open_store(Settings(data=folder / "data", model="colours", threads=1)) as store:
        store.collection(NAME)
        begun.set()
        with ThreadPoolExecutor(READERS) as pool:
            asked = [pool.submit(_asked, store, is_over) for _ in range(READERS)]
            parts = [one.result() for one in asked]
    whole = Seen()
    for part in parts:
        whole.mixed += part.mixed
        for dim, count in part.answers.items():
            whole.answers[dim] = whole.answers.get(dim, 0) + count
    tell.send(whole)  # type: ignore[attr-defined]  # a Connection, generic in some versions


def _asked(store: Store, is_over: Event) -> Seen:
    seen = Seen()
    rows = {dim: _rows(dim, 20) for dim in DIMS.values()}
    number = 0
    while not is_over.is_set():
        number = (number + 1) % 20
        try:
            collection = store.collection(NAME)
            dim = collection.space.dim
            hits = collection.nearest(rows[dim][number], K)
        except NearfieldError as error:
            seen.mixed.append(str(error))
            continue
        is_whole = hits[0].item.id == f"i{number}" and len(hits) == K
        if is_whole and all(hit.item.vector.shape == (dim,) for hit in hits):
            seen.answers[dim] = seen.answers.get(dim, 0) + 1
        else:
            seen.mixed.append(f"{dim}: {[hit.item.id for hit in hits]}")
    return seen


def _items(dim: int, count: int) -> list[Item]:
    return [Item(f"i{n}", Modality.TEXT, row) for n, row in enumerate(_rows(dim, count))]


def _rows(dim: int, count: int) -> Vectors:
    rows = np.random.default_rng(dim).standard_normal((count, dim)).astype(np.float32)
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
