"""What HTTP adds to a search: the same vectors asked of a service, and of raw FAISS in one process.

Both search the same kind of graph and look as far; the service answers with items, metadata and
relevance. Where there are two cores or more, the clients have the last one; FAISS has the others,
as the service has.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import graphs
from benchmarks.bench import Bench
from benchmarks.filling import AT, NAME, filled, recall, true_lines
from benchmarks.graphs import Graph
from benchmarks.load import FILE
from benchmarks.rows import Row, at_least, at_most
from benchmarks.serving import Service, own_cores, serving
from benchmarks.turns import in_turn
from latent.items import Vectors

QUERY = f"/v1/collections/{NAME}/query"
CLIENTS = 32  # enough that nobody waits for a client
MOST_SERVICES = 3
BEYOND_MS, SHARE = at_most(1.5), at_least(0.6)


def rows(bench: Bench, *, n: int, dim: int) -> Iterator[Row]:
    """One question at a time, and as many as can be."""
    n = min(n, 2_000) if bench.is_quick else n
    label = f"{n:,} × {dim} over HTTP"
    with filled(bench, n, dim) as ours:
        things, asked = ours.drawn.things, ours.drawn.like_things
        effort = ours.collection.summary().index["effort"]
        given = {"threads": bench.threads, "effort": effort if isinstance(effort, int) else 128}
        raw = graphs.raw_faiss(things, bench.folder, **given)
        line = true_lines(things, asked)
        both = (
            recall(things, asked, [ours.found(one) for one in asked], line=line),
            recall(things, asked, raw.answers(asked, AT), line=line),
        )
        data = ours.data
    questions = bench.folder / "questions.npy"
    np.save(questions, asked)
    how = f"recall@10 {both[0]:.3f} against {both[1]:.3f} of {raw.name}"
    with serving(bench, f"vectors:{dim}", "search", data) as service:
        yield from _alone(bench, label, service, raw, asked, questions, how)
        rate = _rate(bench, [service], questions)
    yield from _saturated(bench, label, rate, raw, asked)
    yield from _several(bench, label, dim, data, questions, rate)


def _alone(
    bench: Bench,
    label: str,
    service: Service,
    raw: Graph,
    asked: Vectors,
    questions: Path,
    how: str,
) -> Iterator[Row]:
    """One client, in turn with one thread of FAISS."""
    service.ask(QUERY, clients=1, seconds=_seconds(bench), seed=f"{FILE}{questions}")
    p50: list[float] = []
    took: list[float] = []
    before = _spent(service)
    for _ in range(bench.rounds):
        answers = service.ask(QUERY, clients=1, seconds=_seconds(bench), seed=f"{FILE}{questions}")
        p50.append(answers.p50_ms)
        took.append(in_turn({"raw": partial(raw.answers, asked, AT)}, rounds=1)["raw"])
    after = _spent(service)
    theirs = 1e3 * statistics.median(took) / len(asked)
    mine = statistics.median(p50)
    what = f"p50 {mine:.2f} ms, {theirs:.2f} ms of {raw.name}; {how}"
    yield Row(f"{label}: beyond raw FAISS", mine - theirs, "ms", what, BEYOND_MS)
    count = max(1.0, after["count"] - before["count"])
    search, plan, whole = (
        1e3 * (after[stage] - before[stage]) / count for stage in ("search", "catalog", "whole")
    )
    yield Row(f"{label}: the engine", search + plan, "ms", "on average: search, items, relevance")
    what = "on average: reading, checking, threads, writing, the log"
    yield Row(f"{label}: HTTP inside the service", whole - search - plan, "ms", what)


def _saturated(bench: Bench, label: str, rate: float, raw: Graph, asked: Vectors) -> Iterator[Row]:
    every, cores = os.sched_getaffinity(0), own_cores()
    os.sched_setaffinity(0, cores)  # threads that are made here inherit it
    threads = len(cores)
    try:
        rounds = 1 if bench.is_quick else 20
        theirs = graphs.rate(lambda one: raw.ask(one, AT), asked, threads=threads, rounds=rounds)
    finally:
        os.sched_setaffinity(0, every)
    how = f"{rate:.0f} a second, {theirs:.0f} of {raw.name} with {threads} threads"
    yield Row(f"{label}: at saturation", rate / theirs, "of raw FAISS", how, SHARE)


def _several(
    bench: Bench, label: str, dim: int, data: Path, questions: Path, one: float
) -> Iterator[Row]:
    """Several services on the same folder and the same cores, each with its share of clients."""
    with ExitStack() as stack:
        services: list[Service] = []
        for count in range(1, MOST_SERVICES + 1):
            services.append(stack.enter_context(serving(bench, f"vectors:{dim}", "search", data)))
            if count > 1:
                rate = _rate(bench, services, questions)
                how = f"{rate:.0f} a second against {one:.0f} of one, on {len(own_cores())} cores"
                yield Row(f"{label}: {count} services on the folder", rate / one, "×", how)


def _rate(bench: Bench, services: list[Service], questions: Path) -> float:
    """Answers a second of all of them together, in the median of the rounds."""
    ask = partial(Service.ask, path=QUERY, clients=CLIENTS // len(services))
    rates = []
    with ThreadPoolExecutor(len(services)) as pool:
        for _ in range(bench.rounds):
            asked = partial(ask, seconds=_seconds(bench), seed=f"{FILE}{questions}")
            rates.append(sum(answers.rate for answers in pool.map(asked, services)))
    return statistics.median(rates)


def _spent(service: Service) -> dict[str, float]:
    """Seconds of all requests until now, by stage, and how many there were."""
    stage = 'nearfield_stage_seconds_sum{stage="%s"}'
    whole = f'nearfield_request_seconds_%s{{route="{QUERY.replace(NAME, "{collection}")}"}}'
    return {
        "search": service.exactly(stage % "search"),
        "catalog": service.exactly(stage % "catalog"),
        "whole": service.exactly(whole % "sum"),
        "count": service.exactly(whole % "count"),
    }


def _seconds(bench: Bench) -> float:
    return 0.3 if bench.is_quick else 2.0
