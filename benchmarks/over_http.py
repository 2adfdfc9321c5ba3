"""What HTTP adds to a search: the same vectors asked of a service, and of raw FAISS in one process.

Both search the same kind of graph and look as far; the service answers with items, metadata and
relevance, from one process and from one for each core. Where there are two cores or more, the
clients have the last one; FAISS has the others, as the service has.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import graphs
from benchmarks.bench import Bench
from benchmarks.filling import AT, NAME, filled, recall, true_lines
from benchmarks.graphs import Graph
from benchmarks.load import FILE
from benchmarks.rows import Row, at_least, at_most
from benchmarks.serving import Service, by, crews, memory, own_cores, serving
from benchmarks.turns import in_turn
from latent.items import Vectors

QUERY, QUERIES = (f"/v1/collections/{NAME}/{path}" for path in ("query", "queries"))
CLIENTS = 32  # enough that nobody waits for a client
MANY = (32, 128)  # questions in a request
BEYOND_MS, SHARE = at_most(1.5), at_least(0.6)


@dataclass(frozen=True, slots=True)
class Form:
    """How questions are put: so many in a request, as numbers or as base64."""

    together: int = 1
    is_coded: bool = False

    @property
    def path(self) -> str:
        return QUERY if self.together == 1 else QUERIES

    @property
    def said(self) -> str:
        """How a label tells of it."""
        many = f", {self.together} in a request" if self.together > 1 else ""
        return f"{many}, base64" if self.is_coded else many


@dataclass(frozen=True, slots=True)
class Rate:
    """Questions a second, and microseconds that the clients computed for each."""

    questions: float
    own_us: float


FORMS = [Form(), *(Form(many, coded) for coded in (False, True) for many in MANY)]


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
        questions = bench.folder / "questions.npy"
        np.save(questions, asked)
        how = f"recall@10 {both[0]:.3f} against {both[1]:.3f} of {raw.name}"
        for workers in crews():
            named = f"{label}{by(workers)}"
            with serving(bench, f"vectors:{dim}", "search", ours.data, workers=workers) as service:
                # Each has a client, so that none reads its first items while it is measured.
                warm = 2 * _seconds(bench)
                service.ask(QUERY, clients=workers, seconds=warm, seed=f"{FILE}{questions}")
                yield from _alone(bench, named, service, raw, asked, questions, how)
                rates = {form: _rate(bench, service, form, questions) for form in FORMS}
                yield from memory(named, service)
            yield from _saturated(bench, named, rates, raw, asked, is_all=workers == max(crews()))


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


def _saturated(
    bench: Bench, label: str, rates: dict[Form, Rate], raw: Graph, asked: Vectors, *, is_all: bool
) -> Iterator[Row]:
    """As many as can be, in each form; the target is for a worker on every core.

    Bulk is what the target is met by, if it is: one question a request pays for HTTP each time.
    """
    every, cores = os.sched_getaffinity(0), own_cores()
    os.sched_setaffinity(0, cores)  # threads that are made here inherit it
    threads = len(cores)
    try:
        rounds = 1 if bench.is_quick else 20
        theirs = graphs.rate(lambda one: raw.ask(one, AT), asked, threads=threads, rounds=rounds)
    finally:
        os.sched_setaffinity(0, every)
    for form, rate in rates.items():
        how = (
            f"{rate.questions:.0f} questions a second, {theirs:.0f} of {raw.name} with {threads}"
            f" threads; the clients took {rate.own_us:.0f} µs of their core for each"
        )
        target = SHARE if is_all and form in (FORMS[0], FORMS[-1]) else None
        share = rate.questions / theirs
        yield Row(f"{label}: at saturation{form.said}", share, "of raw FAISS", how, target)


def _rate(bench: Bench, service: Service, form: Form, questions: Path) -> Rate:
    """Questions answered a second, in the median of the rounds."""
    rounds = [
        service.ask(
            form.path,
            clients=CLIENTS,
            seconds=_seconds(bench),
            seed=f"{FILE}{questions}",
            together=form.together,
            is_coded=form.is_coded,
        )
        for _ in range(bench.rounds)
    ]
    own = sum(one.own_seconds for one in rounds) / max(1, sum(one.count for one in rounds))
    return Rate(statistics.median(one.rate for one in rounds), 1e6 * own)


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
