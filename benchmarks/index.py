"""The bench of the index: what is measured, by the names `--only` takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import catalog, graphs, live, over_http
from benchmarks.bench import MINI, Bench
from benchmarks.filling import AT, Filled, filled, filled_with, lots, recall, true_lines
from benchmarks.graphs import Graph
from benchmarks.placed import placed
from benchmarks.restarted import ASKED, restarted
from benchmarks.rows import Row, UnmeasuredError, at_least, at_most, unmeasured
from benchmarks.turns import in_turn
from latent.index.bases import Quantisation
from latent.items import Vectors

Section = Callable[[Bench], Iterator[Row]]

SMALL, MIDDLE, LARGE = 10_000, 100_000, 1_000_000
DIMS = (384, 512)
RECALL, BUILD, READY, MEMORY, HTTP, FILTERED, GROWTH = (
    at_least(0.97),
    at_most(1.3),
    at_most(3),
    at_most(1.1),
    at_most(6),
    at_most(2),
    at_most(3),
)
PEERS = {"raw FAISS": graphs.raw_faiss, "hnswlib": graphs.hnswlib, "usearch": graphs.usearch}


def size_of(bench: Bench, n: int) -> int:
    """How many vectors a run has where a real one has n."""
    return min(n, 1_000) if bench.is_quick else n


def grown(bench: Bench, n: int, dim: int) -> Iterator[Row]:
    """A collection of n vectors beside the graphs of others."""
    n = size_of(bench, n)
    label = f"{n:,} × {dim}"
    with filled(bench, n, dim) as ours:
        lines = {kind: true_lines(ours.drawn.things, some) for kind, some in ours.questions.items()}
        yield Row(f"{label}: rows put", n / ours.put_seconds, "a second", "one by one transaction")
        index = ours.collection.summary().index
        effort = index["effort"] if isinstance(index["effort"], int) else 128
        yield from _own(label, ours, lines, index)
        yield from _filtered(bench, label, ours)
        yield from _after_restart(bench, label, ours.data, n, dim)
        yield from _beside_all(bench, label, ours, lines, effort)


def real(bench: Bench) -> Iterator[Row]:
    """Photos that `mini` placed, asked about by other photos and by captions.

    They are few enough to be compared whole, and are put into a graph all the same.
    """
    with filled_with(bench, placed(bench), "index-photos", exact_limit=100) as ours:
        things = ours.drawn.things
        label = f"{len(things):,} real photos × {things.shape[1]}"
        lines = {kind: true_lines(things, some) for kind, some in ours.questions.items()}
        index = ours.collection.summary().index
        yield from _own(label, ours, lines, index)
        effort = index["effort"] if isinstance(index["effort"], int) else 128
        yield from _beside_all(bench, label, ours, lines, effort)


def _beside_all(
    bench: Bench, label: str, ours: Filled, lines: Mapping[str, NDArray[np.float32]], effort: int
) -> Iterator[Row]:
    """The same vectors in the graphs of others."""
    for name, make in PEERS.items():
        try:
            peer = make(ours.drawn.things, bench.folder, threads=bench.threads, effort=effort)
        except UnmeasuredError as error:
            yield unmeasured(f"{label}: beside {name}", str(error))
            continue
        yield from _beside(bench, label, ours, lines, peer, is_same=name == "raw FAISS")
        del peer


def _beside(
    bench: Bench,
    label: str,
    ours: Filled,
    lines: Mapping[str, NDArray[np.float32]],
    peer: Graph,
    *,
    is_same: bool,
) -> Iterator[Row]:
    said = f"{peer.seconds:.1f} s of {peer.name}, {bench.threads} threads"
    yield Row(
        f"{label}: build",
        ours.publish_seconds / peer.seconds,
        "×",
        f"{ours.publish_seconds:.1f} s from catalog to measured snapshot against {said}",
        BUILD if is_same else None,
    )
    for kind, questions in ours.questions.items():
        found = recall(ours.drawn.things, questions, peer.answers(questions, AT), line=lines[kind])
        yield Row(f"{label}: recall@10 of {peer.name}, {kind}", found, "")
    questions = np.concatenate(list(ours.questions.values()))
    took = in_turn(
        {
            "ours": lambda: [ours.collection.nearest(one, AT) for one in questions],
            "theirs": lambda: [peer.ask(one, AT) for one in questions],
        },
        rounds=bench.rounds,
    )
    mine, theirs = (1e3 * took[side] / len(questions) for side in ("ours", "theirs"))
    how = f"{mine:.2f} ms with scoring and items against {theirs:.2f} of {peer.name} alone"
    yield Row(f"{label}: one question", mine / theirs, "×", how)
    given = {"threads": bench.threads, "rounds": 1}
    mine = graphs.rate(lambda one: ours.collection.nearest(one, AT), questions, **given)
    theirs = graphs.rate(lambda one: peer.ask(one, AT), questions, **given)
    how = f"{mine:.0f} against {theirs:.0f} of {peer.name}, {bench.threads} threads"
    yield Row(f"{label}: questions a second", mine / theirs, "×", how)
    yield Row(f"{label}: file of {peer.name}", peer.size / len(ours.drawn.things), "bytes an item")


def _own(
    label: str,
    ours: Filled,
    lines: Mapping[str, NDArray[np.float32]],
    index: Mapping[str, Any],
) -> Iterator[Row]:
    for kind, questions in ours.questions.items():
        answers = [ours.found(question) for question in questions]
        found = recall(ours.drawn.things, questions, answers, line=lines[kind])
        how = f"effort {index['effort']}; the snapshot says {index['recall'][kind]}"
        yield Row(f"{label}: recall@10, {kind}", found, "", how, RECALL)
    how = f"{index['quantisation']}; {index['bytes'] / len(ours.drawn.things):.0f} on disk"
    yield Row(f"{label}: memory of the index", float(index["bytes_an_item"]), "bytes an item", how)


def _filtered(bench: Bench, label: str, ours: Filled) -> Iterator[Row]:
    """Under filters that nothing to do with the question, asked again and again."""
    things, lot = ours.drawn.things, lots(len(ours.drawn.things))
    questions = ours.questions["image"][: 20 if bench.is_quick else None]

    def ask(where: dict[str, Any] | None) -> list[list[int]]:
        return [
            [int(hit.item.id) for hit in ours.collection.nearest(question, AT, where=where)]
            for question in questions
        ]

    for share in (0.01, 0.001):
        limit = max(AT, round(share * len(things)))
        where: dict[str, Any] = {"lot": {"$lt": limit}}
        took = in_turn(
            {"filtered": partial(ask, where), "all": partial(ask, None)}, rounds=bench.rounds
        )
        each = {name: 1e3 * seconds / len(questions) for name, seconds in took.items()}
        how = f"{each['filtered']:.2f} ms against {each['all']:.2f} without a filter"
        ratio = took["filtered"] / took["all"]
        yield Row(f"{label}: filtered, {100 * share:g} % match", ratio, "×", how, FILTERED)
        rows = np.flatnonzero(lot < limit)
        line = true_lines(things[rows], questions)
        found = recall(things, questions, ask(where), line=line)
        yield Row(f"{label}: recall@10, {100 * share:g} % match", found, "", "", at_least(0.99))


def _after_restart(bench: Bench, label: str, data: Path, n: int, dim: int) -> Iterator[Row]:
    own = f"vectors:{dim}"
    empty = restarted(bench, bench.folder / "empty", dim, model=own)
    found = restarted(bench, data, dim, model=own)
    is_target = n == LARGE and dim == DIMS[0]
    how = f"{empty.ready_seconds:.1f} s of an empty one; mapped, every checksum looked at"
    yield Row(f"{label}: service ready after restart", found.ready_seconds, "s", how, READY)
    how = f"resident after {ASKED:,} questions; {empty.memory / 1e9:.2f} GB of an empty one"
    target = MEMORY if is_target else None
    yield Row(f"{label}: memory of the service", found.memory / 1e9, "GB", how, target)
    how = "one vector question, one client, k = 10"
    yield Row(f"{label}: p50 over HTTP", found.p50_ms, "ms", how, HTTP if is_target else None)
    beside = restarted(bench, data, dim, model=MINI)
    how = f"the same service with {MINI} loaded for words and photos"
    yield Row(f"{label}: memory of the service, with {MINI}", beside.memory / 1e9, "GB", how)


def codes(bench: Bench, n: int) -> Iterator[Row]:
    """One collection walked by each of the codes in turn."""
    n, dim = size_of(bench, n), DIMS[0]
    with filled(bench, n, dim) as ours:
        lines = {kind: true_lines(ours.drawn.things, some) for kind, some in ours.questions.items()}
        asked = np.concatenate(list(ours.questions.values()))
        for quantisation in Quantisation:
            ours.collection.quantise(quantisation.value)
            ours.collection.publish()
            index = ours.collection.summary().index
            label = f"{n:,} × {dim}, {quantisation.value}"
            yield from _own(label, ours, lines, index)
            ms = statistics.median(_ms_each(ours, asked) for _ in range(bench.rounds))
            yield Row(f"{label}: one question", ms, "ms", f"{index['compression']} × compressed")


def growth(bench: Bench) -> Iterator[Row]:
    """One question of 10,000, 100,000 and 1,000,000 vectors."""
    dim, took = DIMS[0], {}
    for n in (SMALL, MIDDLE, LARGE):
        with filled(bench, size_of(bench, n), dim) as ours:
            asked = np.concatenate(list(ours.questions.values()))
            both = [_ms_each(ours, asked) for _ in range(bench.rounds + 1)][1:]
        took[n] = statistics.median(both)
    how = ", ".join(f"{ms:.2f} ms of {n:,}" for n, ms in took.items())
    yield Row(
        f"one question, from {SMALL:,} to {LARGE:,}", took[LARGE] / took[SMALL], "×", how, GROWTH
    )


def _ms_each(ours: Filled, asked: Vectors) -> float:
    started = time.perf_counter()
    for question in asked:
        ours.collection.nearest(question, AT)
    return 1e3 * (time.perf_counter() - started) / len(asked)


def deletes(bench: Bench, n: int) -> Iterator[Row]:
    """Half of a collection dropped in random order: before the next snapshot, and after it."""
    n, dim = size_of(bench, n), DIMS[0]
    label = f"{n:,} × {dim}, half dropped"
    with filled(bench, n, dim) as ours:
        before = ours.collection.summary().index
        order = np.random.default_rng(0).permutation(n)
        for start in range(0, n // 2, 1_000):
            ours.collection.drop([str(i) for i in order[start : min(start + 1_000, n // 2)]])
        left = ours.drawn.things[np.sort(order[n // 2 :])]
        lines = {kind: true_lines(left, some) for kind, some in ours.questions.items()}
        for when in ("before the next snapshot", "after it"):
            for kind, questions in ours.questions.items():
                answers = [ours.found(question) for question in questions]
                found = recall(ours.drawn.things, questions, answers, line=lines[kind])
                yield Row(f"{label}: recall@10 {when}, {kind}", found, "", "", RECALL)
            if when.startswith("before"):
                ours.collection.publish(force=True)
        after = ours.collection.summary().index
        assert isinstance(after["bytes"], int)
        assert isinstance(before["bytes"], int)
        share = after["bytes"] / before["bytes"]
        how = f"{after['bytes'] / 1e6:.0f} MB against {before['bytes'] / 1e6:.0f}"
        yield Row(f"{label}: size of the snapshot", share, "×", how, at_most(0.55))


NAMES = {SMALL: "10k", MIDDLE: "100k", LARGE: "1m"}
SECTIONS: dict[str, Section] = {
    **{f"{name}-{dim}": partial(grown, n=n, dim=dim) for n, name in NAMES.items() for dim in DIMS},
    "photos": real,
    "codes-100k": partial(codes, n=MIDDLE),
    "codes-1m": partial(codes, n=LARGE),
    "http-100k": partial(over_http.rows, n=MIDDLE, dim=512),
    "growth": growth,
    "catalog-100k": partial(catalog.filling, n=MIDDLE),
    "catalog-1m": partial(catalog.filling, n=LARGE),
    "deletes-100k": partial(deletes, n=MIDDLE),
    "deletes-1m": partial(deletes, n=LARGE),
    "live-100k": partial(live.live, n=MIDDLE),
    "live-1m": partial(live.live, n=LARGE),
}
