"""A thousand clients that send nothing, or a byte a second: others do not feel them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.rows import Row, UnmeasuredError, at_most
from scripts.soaking.crowd import clients, cores, served, told_by
from scripts.soaking.overload import MODEL
from scripts.soaking.serving import Service
from scripts.soaking.soak import Soak


def rows(soak: Soak) -> Iterator[Row]:
    """1,000 of them in five rounds, with them and without in turn; in the short form 100 in one."""
    count = soak.choose(long=1_000, short=100)
    seconds = soak.choose(long=12.0, short=2.0)
    without: list[float] = []
    beside: list[float] = []
    with served(soak.folder / "slow", model=MODEL) as service:
        told_by(service, "steady", 4, 1.0)
        before = service.resident_mb()
        for _ in range(soak.choose(long=5, short=1)):
            without.append(_p99(service, seconds))
            with clients(service, "slow", count) as others:
                assert others.stdout is not None
                others.stdout.readline()
                try:
                    beside.append(_p99(service, seconds))
                finally:
                    others.communicate("")
        growth = service.resident_mb() - before
    ours, theirs = statistics.median(beside), statistics.median(without)
    how = f"p99 {ours:.1f} ms beside {count:,} slow ones, {theirs:.1f} ms without; {cores()}"
    yield Row("slow clients: p99 of a healthy one", ours / theirs, "×", how, at_most(1.5))
    yield Row("slow clients: memory", growth, "MB", f"beside {count:,} of them", at_most(100))


def _p99(service: Service, seconds: float) -> float:
    told = told_by(service, "steady", 1, seconds)
    if told["wrong"] or set(told["statuses"]) != {"200"}:
        raise UnmeasuredError(f"the healthy client met {told}")
    return float(told["statuses"]["200"]["p99"])
