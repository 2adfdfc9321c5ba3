"""Readers of a service while items come and go and snapshots are swapped under it.

The service runs for itself; readers and a writer are processes beside it. Minutes with the writer
and minutes without it take turns, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from benchmarks.rows import Row, at_least, at_most
from latent.items import Item, Modality
from latent.settings import Settings
from latent.wiring import open_store
from scripts.soaking.restarted import DIM, NAME, fill, vectors
from scripts.soaking.serving import ROOT, Service
from scripts.soaking.soak import Soak

QUERY = f"/v1/collections/{NAME}/query"
READERS, PACE = 4, 10.0  # questions a second, of each
WRITES_A_SECOND = 5.0
PUBLISH_EVERY = 10.0  # seconds


def rows(soak: Soak) -> Iterator[Row]:
    """Ten minutes with a writer among ten without, 60,000 items; seconds in the short form."""
    count = soak.choose(long=60_000, short=300)
    seconds, turns = soak.choose(long=(60.0, 10), short=(2.0, 1))
    fill(soak.folder / "data", count)
    with Service(soak.folder, model="mini") as service:
        quiet: list[float] = []
        busy: list[float] = []
        wrong: list[str] = []
        written = 0
        for turn in range(turns):
            took, amiss = _read(service, seconds)
            quiet += took
            wrong += amiss
            took, amiss, count_of_writes = _read_beside_a_writer(service, soak, seconds, turn)
            busy += took
            wrong += amiss
            written += count_of_writes
    how = (
        f"{len(busy):,} questions in {turns * seconds / 60:.1f} minutes of {written:,} writes and "
        f"snapshots; {count:,} items to begin with"
    )
    yield Row("readers: errors", len(wrong), "", wrong[0] if wrong else how, at_most(0))
    yield Row("readers: writes meanwhile", written, "", how, at_least(1))
    ratio = _p99(busy) / _p99(quiet)
    how = f"{_p99(busy):.1f} ms against {_p99(quiet):.1f} ms without a writer, in turn"
    yield Row(
        "readers: p99 beside a writer", ratio, "×", how, None if soak.is_quick else at_most(2)
    )


def _p99(took: list[float]) -> float:
    return float(np.quantile(took, 0.99))


def _read(service: Service, seconds: float) -> tuple[list[float], list[str]]:
    """Let readers ask for so long."""
    given = [str(service.port), QUERY, str(READERS), str(PACE), str(DIM)]
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.soaking.asking", *given],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as readers:
        time.sleep(seconds)
        told = json.loads(readers.communicate()[0])
    return told["took"], told["wrong"]


def _read_beside_a_writer(
    service: Service, soak: Soak, seconds: float, turn: int
) -> tuple[list[float], list[str], int]:
    """The same, and how many writes there were meanwhile."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    begun, is_over = context.Event(), context.Event()
    told, tell = context.Pipe(duplex=False)
    given = (soak.folder, turn, begun, is_over, tell)
    writer = context.Process(target=_write, args=given)
    writer.start()
    begun.wait()
    took, wrong = _read(service, seconds)
    is_over.set()
    written: int = told.recv()
    writer.join()
    return took, wrong, written


def _write(folder: Path, turn: int, begun: Event, is_over: Event, tell: object) -> None:
    """Put and drop, and publish every few seconds, until it is over; tells how many writes."""
    chance, written = random.Random(turn), 0
    published = time.monotonic()
    fresh = vectors(500, seed=turn + 1)
    with open_store(Settings(data=folder / "data", model="mini", threads=1)) as store:
        collection = store.collection(NAME)
        begun.set()
        while not is_over.wait(1 / WRITES_A_SECOND):
            names = [f"i{number}" for number in chance.sample(range(100_000), 20)]
            if written % 4:
                rows = fresh[chance.sample(range(500), len(names))]
                made = zip(names, rows, strict=True)
                collection.put([Item(name, Modality.TEXT, row) for name, row in made])
            else:
                collection.drop(names)
            written += 1
            if time.monotonic() - published > PUBLISH_EVERY or written == 3:
                collection.publish(force=True)
                published = time.monotonic()
    tell.send(written)  # type: ignore[attr-defined]  # a Connection, generic in some versions
