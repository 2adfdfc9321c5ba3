"""Items that are put while questions are asked: two services of one folder, each a process.

One service is told new items all the time, by clients of another process; the other is asked, and
must know each within a second. All share all cores: two services and what builds snapshots, and
clients that take a quarter of a core. Knows nothing about how a service is made.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from benchmarks.client import PATIENCE, Client
from benchmarks.filling import filled
from benchmarks.putting import TOGETHER, Putting, putting
from benchmarks.rows import Row, UnmeasuredError, at_least, at_most
from benchmarks.serving import serving
from benchmarks.timetable import Stages, Timetable
from benchmarks.vectors import draw
from latent.items import Vectors

DIM = 384
ASKED_PUTS, ASKED_QUERIES = 510, 50  # a second
PUTS, QUERIES, VISIBLE, SLOWER, CORES = (
    at_least(500),
    at_least(49),
    at_most(1),
    at_most(2),
    at_most(1),
)


@dataclass(frozen=True)
class _Given:
    """What is asked about, and the process that puts."""

    asked: Vectors
    puts: Putting


def live(bench: Bench, n: int) -> Iterator[Row]:
    """Questions alone, then beside puts."""
    n, seconds = (1_000, 1.0) if bench.is_quick else (n, 60.0)
    new = bench.folder / "new.npy"
    np.save(new, draw(n, DIM, questions=int(ASKED_PUTS * (seconds + 5)), seed=1).like_things)
    with ExitStack() as stack:
        ours = stack.enter_context(filled(bench, n, DIM))
        model = f"vectors:{DIM}"
        told, other = (
            stack.enter_context(serving(bench, model, "search", ours.data, has_all=True))
            for _ in range(2)
        )
        label = f"{n:,} × {DIM} live"
        writer, reader = (
            stack.enter_context(closing(Client(service.port))) for service in (told, other)
        )
        busy = Busy([told.pid, other.pid])
        puts = stack.enter_context(putting(told.port, ASKED_PUTS, seconds, new))
        yield from _rows(label, writer, reader, busy, _Given(ours.drawn.like_things, puts), seconds)


def _rows(
    label: str, writer: Client, reader: Client, busy: Busy, given: _Given, seconds: float
) -> Iterator[Row]:
    turn = itertools.cycle(given.asked)

    def ask() -> Stages:
        return reader.nearest(next(turn))[1]

    Timetable(ask, ASKED_QUERIES).keep(min(3.0, seconds))  # not counted
    quiet = Timetable(ask, ASKED_QUERIES)
    quiet.keep(seconds)
    before = reader.snapshot()
    queries = Timetable(ask, ASKED_QUERIES)
    seen: list[float] = []
    given.puts.begin()
    with ThreadPoolExecutor(3) as pool:
        works = [pool.submit(queries.keep, seconds)]
        works.append(pool.submit(_watch, writer, reader, seconds, seen))
        works.append(pool.submit(busy.watch, seconds))
        for work in works:
            work.result()
    merged = reader.snapshot() > before
    how = f"{ASKED_PUTS} asked for, {TOGETHER} in a request, beside {queries.done:.0f} questions"
    yield Row(f"{label}: puts", given.puts.done(), "a second", how, PUTS)
    yield Row(f"{label}: questions beside them", queries.done, "a second", "", QUERIES)
    how = f"{queries.p99_ms:.1f} ms beside puts against {quiet.p99_ms:.1f} alone"
    p99 = queries.p99_ms / quiet.p99_ms
    yield Row(f"{label}: p99 of a question", p99, "×", how, SLOWER)
    for when, asked in (("alone", quiet), ("beside puts", queries)):
        late = f"medians of the slowest 1 %, in ms: {asked.slowest}"
        yield Row(f"{label}: p99 {when}", asked.p99_ms, "ms", late)
    how = f"the longest of {len(seen)}, the median {statistics.median(seen):.3f}; another process"
    yield Row(f"{label}: until a put is found", max(seen), "s", how, VISIBLE)
    how = "a new snapshot was taken over" if merged else "no new snapshot was published"
    # A look each second tells a hundredth of a core, not a thousandth.
    yield Row(f"{label}: cores that build snapshots", round(busy.most, 2), "", how, CORES)


def _watch(writer: Client, reader: Client, seconds: float, seen: list[float]) -> None:
    """Put an item now and then, and ask the other service until it is there."""
    chance = np.random.default_rng(2)
    until = time.perf_counter() + seconds
    for number in itertools.count():
        vector = chance.standard_normal(DIM).astype(np.float32)
        writer.put([f"mark-{number}"], vector[None, :])
        begun = time.perf_counter()
        while f"mark-{number}" not in reader.nearest(vector)[0]:
            if time.perf_counter() - begun > PATIENCE:
                raise UnmeasuredError(f"an item was not found within {PATIENCE:.0f} s")
        seen.append(time.perf_counter() - begun)
        if time.perf_counter() > until:
            return
        time.sleep(0.5)


class Busy:
    """How many cores the processes keep busy that some processes have started."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self.most = 0.0

    def watch(self, seconds: float) -> None:
        """Look every second; the most is kept."""
        until = time.perf_counter() + seconds
        spent, since = self.spent(), time.perf_counter()
        while time.perf_counter() < until:
            time.sleep(1)
            now, at = self.spent(), time.perf_counter()
            used = sum(ticks - spent.get(pid, 0.0) for pid, ticks in now.items())
            self.most = max(self.most, used / (at - since))
            spent, since = now, at

    def spent(self) -> dict[int, float]:
        """Seconds of processor time of each, those of threads that have ended as well."""
        found = {}
        for pid in self._pids:
            for child in _children(pid):
                with suppress(OSError):  # it has ended by now
                    found[child] = time.clock_gettime(_clock_of(child))
        return found


def _clock_of(pid: int) -> int:
    """The clock of a process, as `clock_getcpuclockid` of Linux makes it; Python has none.

    It counts nanoseconds: ticks of a hundredth, as `/proc` has them, would be wrong by two of them.
    """
    return (~pid << 3) | 2


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    except OSError:
        return []
