"""Hostile pictures and texts: every one is answered, with a reason where it is refused.

They are sent to a service in a process of its own, with the bundled model, so that a crash, a
failure and memory that is not given back would show.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import islice
from typing import Any
from urllib.parse import quote

from benchmarks.rows import Row, at_most
from scripts.soaking.mutants import pictures, texts
from scripts.soaking.serving import Service
from scripts.soaking.soak import Soak

SEED = 20261123
BATCH = 10
GROWTH = 100.0  # megabytes


@dataclass
class Tally:
    """What became of them."""

    sent: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    slowest: float = 0.0


def rows(soak: Soak) -> Iterator[Row]:
    """Pictures, then texts; each with what failed, what lacked a reason, and memory."""
    many = soak.choose(long=10_000, short=200)
    with Service(soak.folder, model="mini", log_level="ERROR") as service:
        service.ask("PUT", "/v1/collections/main", {})
        yield from _rows("pictures", many, service, _send_pictures(service, many))
        yield from _rows("texts", many, service, _send_texts(service, many))


def _rows(what: str, many: int, service: Service, sending: Iterator[Tally]) -> Iterator[Row]:
    """Memory is compared with what it was after a tenth: caches and pools are full by then."""
    before = None
    tally = Tally()
    for tally in sending:
        if before is None and tally.sent >= many / 10:
            before = service.resident_mb()
    growth = service.resident_mb() - (before or 0.0)
    against = f"{tally.sent} sent, {tally.refused} refused, slowest {tally.slowest:.1f} s"
    for failure in [*tally.failures, *tally.unexplained][:5]:
        against += f"; {failure}"
    yield Row(f"mutated {what} that failed", len(tally.failures), "of them", against, at_most(0))
    yield Row(f"mutated {what} without a reason", len(tally.unexplained), "of them", "", at_most(0))
    yield Row(f"memory after mutated {what}", growth, "MB more", "after a tenth", at_most(GROWTH))


def _send_pictures(service: Service, many: int) -> Iterator[Tally]:
    tally = Tally()
    source = islice(pictures(SEED), many)
    while batch := list(islice(source, BATCH)):
        items = [
            {"id": str(n), "image": base64.b64encode(one.content).decode(), "uri": one.name}
            for n, one in enumerate(batch)
        ]
        answer = _answer(service, tally, "PUT", "items", {"items": items}, len(batch))
        outcomes = answer.get("items", [])
        for one, outcome in zip(batch, outcomes, strict=False):
            is_refused = outcome["status"] == "failed"
            tally.refused += is_refused
            if is_refused and not outcome["error"]["detail"].strip():
                tally.unexplained.append(one.kind)
        if len(outcomes) != len(batch):
            _add_failure(tally, f"{[one.kind for one in batch]}: {answer}")
        yield tally


def _send_texts(service: Service, many: int) -> Iterator[Tally]:
    """In turn as an item, a question, a filter, a field of a body, and a part of a path."""
    tally = Tally()
    for number, text in enumerate(islice(texts(SEED), many)):
        item = {"id": str(number % 50), "text": text, "metadata": {"said": text}}
        asked: Sequence[tuple[str, str, Any]] = (
            ("PUT", "items", {"items": [item]}),
            ("POST", "query", {"query": text, "mode": "hybrid"}),
            ("POST", "query", {"query": "snow", "filter": {"said": text}}),
            ("POST", "query", {"query": "snow", "sort_by": text, "cursor": text or None}),
            ("GET", f"search?q={quote(text[:2_000])}", None),
            ("GET", f"items/{quote(text[:1_000], safe='')}", None),
            ("POST", "query", text),
        )
        method, path, body = asked[number % len(asked)]
        answer = _answer(service, tally, method, path, body, 1)
        if re.fullmatch("[45]..", str(answer.get("status", ""))):
            tally.refused += 1
            if not str(answer.get("detail", "")).strip():
                tally.unexplained.append(f"{method} {path[:40]}")
        yield tally


def _answer(
    service: Service, tally: Tally, method: str, path: str, body: Any, count: int
) -> dict[str, Any]:
    sent = None if body is None else json.dumps(body).encode()
    started = time.monotonic()
    tally.sent += count
    try:
        status, answer = service.answered(method, f"/v1/collections/main/{path}", sent)
    except (OSError, HTTPException, ValueError) as error:
        _add_failure(tally, f"{method} {path[:40]}: {error!r}")
        return {}
    finally:
        tally.slowest = max(tally.slowest, time.monotonic() - started)
    if status >= 500:
        _add_failure(tally, f"{method} {path[:40]}: {status} {answer.get('detail')}")
    return answer


def _add_failure(tally: Tally, what: str) -> None:
    tally.failures.append(what[:300])
