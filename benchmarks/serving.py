"""The service under 1, 8 and 64 clients: a real process, asked by another over sockets.

Where there are two cores or more, the clients have the last one and the service the others.
"""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from benchmarks.bench import MINI, Bench
from benchmarks.load import CODED, EMBEDDINGS, TOGETHER, Answers
from benchmarks.rows import Row, UnmeasuredError, at_least, at_most
from benchmarks.texts import fresh_texts
from indexer.pipeline import index
from latent.wiring import open_store

ROOT = Path(__file__).parents[1]
QUERY = "/v1/collections/bench/query"
CLIENTS = (1, 8, 64)
PATIENT_MS = "60000"  # a bench asks how much is done, not who is turned away
PATIENCE = 120.0  # seconds until a service that does not get ready is given up
OVERHEAD_MS, REMEMBERED = at_most(2), at_least(0.99)
OWN_TEXTS = 40


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs, and the cores its clients have."""

    port: int
    client_cores: frozenset[int]
    pid: int

    def ask(
        self,
        path: str,
        *,
        clients: int,
        seconds: float,
        seed: str,
        together: int = TOGETHER,
        is_coded: bool = False,
    ) -> Answers:
        """Have clients ask for a while; without a seed all ask the same."""
        form = [str(together), CODED if is_coded else ""]
        given = [str(self.port), path, str(clients), str(seconds), seed, *form]
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.load", *given],
            cwd=ROOT,
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, self.client_cores),
        )
        if ended.returncode:
            raise UnmeasuredError(ended.stderr.strip().splitlines()[-1])
        return Answers(**json.loads(ended.stdout))

    def processes(self) -> list[int]:
        """The process that was started, and those it started itself."""
        of = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, of.split())]

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", self._metrics(), re.MULTILINE)
        return sum(map(float, found))

    def exactly(self, sample: str) -> float:
        """One sample of a metric, with its labels; 0 where it was never counted."""
        found = re.findall(rf"^{re.escape(sample)} (\S+)$", self._metrics(), re.MULTILINE)
        return sum(map(float, found))

    def _metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            text: str = answer.read().decode()
            return text


def embeddings(bench: Bench, model: str) -> Iterator[Row]:
    """The similarity app, asked for vectors of short texts."""
    name = bench.name_of(model)
    for workers in crews():
        label = f"{model}, embeddings{by(workers)}"
        with serving(bench, name, "similarity", bench.folder / "none", workers=workers) as service:
            yield from _rows(bench, service, EMBEDDINGS, name, label)


def queries(bench: Bench) -> Iterator[Row]:
    """The search app, asked about a collection of photos."""
    data = bench.folder / "served"
    settings = bench.settings(data=data, model=MINI)
    with open_store(settings) as store:
        index([bench.small.folder], store.ensure("bench"), store.embedder(), settings)
    for workers in crews():
        label = f"{MINI}, queries of {bench.count} photos{by(workers)}"
        with serving(bench, MINI, "search", data, workers=workers) as service:
            yield from _rows(bench, service, QUERY, MINI, label)
            yield from memory(label, service)


def crews() -> list[int]:
    """How many workers services are tried with: one, and one for each core."""
    return sorted({1, len(own_cores())})


def by(workers: int) -> str:
    """How a label tells of several workers."""
    return f", {workers} workers" if workers > 1 else ""


def memory(label: str, service: Service) -> Iterator[Row]:
    """What the processes of a service take; pages that several have are counted once."""
    sizes = [_memory_of(pid) for pid in service.processes()]
    whole, each = sum(pss for _, pss in sizes), max(rss for rss, _ in sizes)
    how = f"{len(sizes)} processes; the largest has {each / 1e6:.0f} MB resident"
    yield Row(f"{label}: memory", whole / 1e6, "MB", how)


def _memory_of(pid: int) -> tuple[int, int]:
    """Bytes of a process that are in memory, and its share of them (RSS and PSS)."""
    said = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", said, re.MULTILINE))
    return 1024 * int(found["Rss"]), 1024 * int(found["Pss"])


def _rows(bench: Bench, service: Service, path: str, name: str, label: str) -> Iterator[Row]:
    cores = len(_cores()[0])
    seconds = 0.3 if bench.is_quick else 2.0
    service.ask(path, clients=8, seconds=seconds, seed="warm")
    rates: dict[int, list[float]] = {clients: [] for clients in CLIENTS}
    alone: list[float] = []
    own: list[float] = []
    inside: list[float] = []
    embedded = batches = 0.0
    for number in range(bench.rounds):
        for clients in CLIENTS:
            before, placing = _batches(service), _placing(service)
            answers = service.ask(
                path, clients=clients, seconds=seconds, seed=f"{number} {clients} {path}"
            )
            rates[clients].append(answers.rate)
            if clients == 1:
                alone.append(answers.p50_ms)
                own.append(_own_ms(bench, name, seed=number))
                spent = [now - then for now, then in zip(_placing(service), placing, strict=True)]
                inside.append(1e3 * spent[0] / max(spent[1], 1))
            if clients == max(CLIENTS):
                after = _batches(service)
                embedded, batches = embedded + after[0] - before[0], batches + after[1] - before[1]
    rate = {clients: statistics.median(one) for clients, one in rates.items()}
    for clients in CLIENTS[1:]:
        yield Row(
            f"{label}: throughput with {clients} clients",
            rate[clients] / rate[1],
            "×",
            f"{rate[clients]:.0f} a second against {rate[1]:.0f} with 1 client; cores: {cores}",
            at_least(cores) if clients == max(CLIENTS) else None,
        )
    yield Row(f"{label}: texts a batch with 64 clients", embedded / max(batches, 1), "texts")
    p50, model_ms = statistics.median(alone), statistics.median(own)
    beyond = statistics.median(one - its for one, its in zip(alone, own, strict=True))
    within = f"{statistics.median(inside):.2f} on average in the service"
    against = f"p50 {p50:.2f} ms with 1 client, the model alone {model_ms:.2f} ms, {within}"
    yield Row(f"{label}: beyond the model's own time", beyond, "ms", against, OVERHEAD_MS)
    yield from _repeated(service, path, label, seconds, p50)


def _repeated(
    service: Service, path: str, label: str, seconds: float, new_ms: float
) -> Iterator[Row]:
    service.ask(path, clients=1, seconds=0.05, seed="")  # now it was asked once
    before = service.metric("nearfield_known_things_total")
    answers = service.ask(path, clients=1, seconds=seconds, seed="")
    known = service.metric("nearfield_known_things_total") - before
    how = f"p50 {answers.p50_ms:.2f} ms, {new_ms:.2f} ms for a new text"
    share = known / answers.count
    yield Row(f"{label}: repeated texts answered from memory", share, "", how, REMEMBERED)


def _batches(service: Service) -> tuple[float, float]:
    name = "nearfield_batch_size"
    return service.metric(f"{name}_sum"), service.metric(f"{name}_count")


def _placing(service: Service) -> tuple[float, float]:
    """Seconds until a model had placed the things of requests, and how many had some."""
    name = 'nearfield_stage_seconds_%s{stage="embed"}'
    return service.exactly(name % "sum"), service.exactly(name % "count")


def _cores() -> tuple[frozenset[int], frozenset[int]]:
    """Those of the service, and those of its clients."""
    every = sorted(os.sched_getaffinity(0))
    if len(every) == 1:
        return frozenset(every), frozenset(every)
    return frozenset(every[:-1]), frozenset(every[-1:])


def own_cores() -> frozenset[int]:
    """Those that the services of a bench have."""
    return _cores()[0]


def _own_ms(bench: Bench, name: str, *, seed: int) -> float:
    """Median milliseconds of one text in the model, on the cores and threads of the service."""
    every = os.sched_getaffinity(0)
    cores = _cores()[0]
    os.sched_setaffinity(0, cores)  # threads that are made here inherit it
    try:
        embedder = bench.embedder(name, threads=len(cores))
        took = []
        for text in fresh_texts(OWN_TEXTS, seed=f"own {seed}"):
            started = time.perf_counter()
            embedder.embed_texts([text])
            took.append(time.perf_counter() - started)
    finally:
        os.sched_setaffinity(0, every)
    return 1e3 * statistics.median(took)


@contextmanager
def serving(
    bench: Bench, name: str, app: str, data: Path, *, workers: int = 1, has_all: bool = False
) -> Iterator[Service]:
    """A service of so many workers on its cores, ready; on those of its clients too, if it has all.

    That is for clients who do little.
    """
    cores, client_cores = _cores()
    if has_all:
        cores = cores | client_cores
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {"MODEL": name, "DATA": str(data), "PORT": str(port), "THREADS": str(len(cores))}
    given |= {"MAX_WAIT_MS": PATIENT_MS, "WORKERS": str(workers)}
    environment = os.environ | {f"NEARFIELD_{key}": value for key, value in given.items()}
    log = bench.folder / f"serve-{port}.log"
    with log.open("w") as lines:
        process = subprocess.Popen(
            [sys.executable, "-c", "import nearfield; nearfield.main()", "serve", "--app", app],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=lines,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        try:
            _wait(process, port, log)
            yield Service(port, client_cores, process.pid)
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            lines = log.read_text().strip().splitlines()
            raise UnmeasuredError(f"the service ended: {lines[-1] if lines else 'no reason'}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
                return
        except URLError:
            time.sleep(0.1)
    raise UnmeasuredError(f"the service was not ready after {PATIENCE:.0f} s")
