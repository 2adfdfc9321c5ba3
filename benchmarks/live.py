"""Items that are put while questions are asked: two services of one folder, each a process.

One service is told new items all the time; the other is asked, and must know each within a second.
Clients keep to a timetable, however long an answer takes, so that a slow answer is not asked less.
Knows nothing about how a service is made.
"""

from __future__ import annotations

import http.client
import itertools
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from benchmarks.bench import Bench
from benchmarks.filling import NAME, filled
from benchmarks.rows import Row, UnmeasuredError, at_least, at_most
from benchmarks.serving import Service, serving
from benchmarks.vectors import draw
from latent.items import Vectors

DIM = 384
TOGETHER = 10  # items of a request
ASKED_PUTS, ASKED_QUERIES = 510, 50  # a second
CLIENTS = 4  # of each kind: a late answer does not make the next question late
PUTS, QUERIES, VISIBLE, SLOWER, CORES = (
    at_least(500),
    at_least(49),
    at_most(1),
    at_most(2),
    at_most(1),
)
PATIENCE = 30.0  # seconds until an item that is not found is given up


Stages = Mapping[str, float]
"""Milliseconds that a service says it spent, by step."""


@dataclass
class Timetable:
    """Work that is due so often a second, and how long each took, with its stages if it has any."""

    work: Callable[[], Stages | None]
    rate: float
    each: list[tuple[float, Stages]] = field(default_factory=list)
    seconds: float = 0.0

    def keep(self, seconds: float) -> None:
        """Do what is due for a while, on a few threads."""
        started, turns = time.perf_counter(), itertools.count()
        errors: list[BaseException] = []

        def client() -> None:
            try:
                while (due := next(turns) / self.rate) < seconds:
                    time.sleep(max(0.0, started + due - time.perf_counter()))
                    begun = time.perf_counter()
                    stages = self.work() or {}
                    self.each.append((time.perf_counter() - begun, stages))
            except (OSError, http.client.HTTPException, UnmeasuredError) as error:
                errors.append(error)

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = time.perf_counter() - started
        if errors:
            raise UnmeasuredError(str(errors[0]) or repr(errors[0])) from errors[0]

    @property
    def done(self) -> float:
        """How often a second it was done."""
        return len(self.each) / self.seconds

    @property
    def p99_ms(self) -> float:
        return 1e3 * float(np.quantile([seconds for seconds, _ in self.each], 0.99))

    @property
    def slowest(self) -> str:
        """What the slowest hundredth waited for: the median of each stage, and of what is left."""
        late = [one for one in self.each if 1e3 * one[0] >= self.p99_ms]
        names = dict.fromkeys(name for _, stages in late for name in stages)
        medians = {name: statistics.median(one.get(name, 0) for _, one in late) for name in names}
        left = statistics.median(1e3 * seconds - sum(one.values()) for seconds, one in late)
        return ", ".join(f"{name} {ms:.1f}" for name, ms in {**medians, "the rest": left}.items())


class Client:
    """Asks a service; each thread has a connection of its own."""

    def __init__(self, service: Service) -> None:
        self._port = service.port
        self._own = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._opened:
            connection.close()

    def put(self, ids: Sequence[str], vectors: Vectors) -> None:
        items = [
            {"id": one, "vector": row.tolist(), "modality": "image"}
            for one, row in zip(ids, vectors, strict=True)
        ]
        self._send("PUT", f"/v1/collections/{NAME}/items", {"items": items})

    def nearest(self, vector: Vectors) -> tuple[list[str], Stages]:
        """The ids that were found, and what the service says it took."""
        body = {"query": {"vector": vector.tolist()}, "k": 10, "min_relevance": 0}
        answer = orjson.loads(self._send("POST", f"/v1/collections/{NAME}/query", body))
        return [hit["id"] for hit in answer["hits"]], answer["took_ms"]

    def snapshot(self) -> int:
        """The sequence of the snapshot that is searched."""
        index = orjson.loads(self._send("GET", f"/v1/collections/{NAME}", None))["index"]
        self._own.connection.close()  # a service hangs up on who says nothing; it is opened again
        return int(index["snapshot"] or 0)

    def _send(self, method: str, path: str, body: object) -> bytes:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            self._own.connection = connection
            self._opened.append(connection)
        content = None if body is None else orjson.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said: bytes = answer.read()
        if answer.status != 200:
            raise UnmeasuredError(f"{path} answered {said.decode(errors='replace')[:200]}")
        return said


@dataclass(frozen=True)
class _Given:
    """What is asked about, and what is put."""

    asked: Vectors
    new: Vectors


def live(bench: Bench, n: int) -> Iterator[Row]:
    """Questions alone, then beside puts."""
    n, seconds = (1_000, 1.0) if bench.is_quick else (n, 60.0)
    with filled(bench, n, DIM) as ours:
        data, asked = ours.data, ours.drawn.like_things
    new = draw(n, DIM, questions=int(ASKED_PUTS * (seconds + 5)), seed=1).like_things
    with ExitStack() as stack:
        told, other = (
            stack.enter_context(serving(bench, f"vectors:{DIM}", "search", data)) for _ in range(2)
        )
        label = f"{n:,} × {DIM} live"
        writer, reader = (
            stack.enter_context(closing(Client(service))) for service in (told, other)
        )
        busy = Busy([told.pid, other.pid])
        yield from _rows(label, writer, reader, busy, _Given(asked, new), seconds)


def _rows(
    label: str, writer: Client, reader: Client, busy: Busy, given: _Given, seconds: float
) -> Iterator[Row]:
    turn, batch = itertools.cycle(given.asked), itertools.count()

    def put() -> None:
        start = TOGETHER * next(batch)
        rows = given.new[start : start + TOGETHER]
        writer.put([f"new-{start + at}" for at in range(len(rows))], rows)

    def ask() -> Stages:
        return reader.nearest(next(turn))[1]

    Timetable(ask, ASKED_QUERIES).keep(min(3.0, seconds))  # not counted
    quiet = Timetable(ask, ASKED_QUERIES)
    quiet.keep(seconds)
    before = reader.snapshot()
    queries, puts = Timetable(ask, ASKED_QUERIES), Timetable(put, ASKED_PUTS / TOGETHER)
    seen: list[float] = []
    with ThreadPoolExecutor(4) as pool:
        works = [pool.submit(one.keep, seconds) for one in (queries, puts)]
        works.append(pool.submit(_watch, writer, reader, seconds, seen))
        works.append(pool.submit(busy.watch, seconds))
        for work in works:
            work.result()
    merged = reader.snapshot() > before
    how = f"{ASKED_PUTS} asked for, {TOGETHER} in a request, beside {queries.done:.0f} questions"
    yield Row(f"{label}: puts", TOGETHER * puts.done, "a second", how, PUTS)
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
