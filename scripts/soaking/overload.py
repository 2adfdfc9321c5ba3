"""Five times as much as the service can do: who is let in is served well, the others are told.

What it can do is measured first: the rate at which eight clients are answered who ask in turn. A
single such client says what unloaded means. `NEARFIELD_MAX_WAIT_MS` is then set to the p99 it saw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.rows import Row, UnmeasuredError, at_least, at_most
from scripts.soaking.crowd import cores, served, told_by
from scripts.soaking.soak import Soak

TIMES = 5
MODEL = "mini"
TOLD_MS, GROWTH_MB = at_most(50), at_most(100)


def rows(soak: Soak) -> Iterator[Row]:
    """A minute of it; in the short form three seconds."""
    seconds = soak.choose(long=60.0, short=3.0)
    quiet = soak.choose(long=10.0, short=2.0)
    with served(soak.folder / "quiet", model=MODEL) as service:
        told_by(service, "steady", 4, 1.0)
        alone = _only(told_by(service, "steady", 1, quiet))
        capacity = _only(told_by(service, "steady", 8, quiet))["count"] / quiet
    patience = max(1, round(alone["p99"]))
    with served(soak.folder / "full", model=MODEL, max_wait_ms=patience) as service:
        told_by(service, "steady", 4, 1.0)
        before = service.resident_mb()
        told = told_by(service, "flood", TIMES * capacity, seconds)
        growth = service.resident_mb() - before
    yield from _judged(told, alone, capacity, growth)


def _judged(
    told: dict[str, Any], alone: dict[str, float], capacity: float, growth: float
) -> Iterator[Row]:
    none = {"count": 0, "p50": 0.0, "p99": 0.0}
    accepted, refused = (told["statuses"].get(status, none) for status in ("200", "503"))
    how = (
        f"{told['sent'] / told['seconds']:.0f} a second sent, capacity {capacity:.0f}; {cores()}; "
        f"p99 alone {alone['p99']:.1f} ms"
    )
    if not accepted["count"]:
        raise UnmeasuredError("nobody was let in")
    others = {s: one["count"] for s, one in told["statuses"].items() if s not in ("200", "503")}
    wrong = sum(others.values()) + sum(told["wrong"].values())
    health = told["health"]
    unwell = sum(one["count"] for s, one in health["statuses"].items() if s != "200")
    unwell += sum(health["wrong"].values())
    well = health["statuses"].get("200", none)
    let_in = accepted["count"] / told["seconds"] / capacity
    yield Row("overload: p99 of those let in", accepted["p99"] / alone["p99"], "×", how, at_most(2))
    yield Row("overload: work that is still done", let_in, "", "share of the capacity")
    what = f"{refused['count']:.0f} refusals, p50 {refused['p50']:.1f} ms"
    yield Row("overload: p99 until a refusal", refused["p99"], "ms", what, TOLD_MS)
    what = f"{others} {told['wrong']}" if wrong else "all 200, or 503 with Retry-After"
    yield Row("overload: answers of another kind", wrong, "", what, at_most(0))
    what = f"{well['count']:.0f} answers, p99 {well['p99']:.1f} ms"
    yield Row("overload: times that health did not answer", unwell, "", what, at_most(0))
    yield Row("overload: answers of health", well["count"], "", what, at_least(1))
    yield Row("overload: memory that it grows by", growth, "MB", how, GROWTH_MB)


def _only(told: dict[str, Any]) -> dict[str, float]:
    """The summary of answers that were all 200."""
    if told["wrong"] or set(told["statuses"]) != {"200"}:
        raise UnmeasuredError(f"unloaded, and yet: {told}")
    found: dict[str, float] = told["statuses"]["200"]
    return found
