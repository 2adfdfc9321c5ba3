"""A service started on a data folder that is there: when it is ready, what it takes, its answers.

Knows nothing about what is in the folder but its name and dimension.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.filling import AT, NAME
from benchmarks.rows import UnmeasuredError
from benchmarks.serving import serving
from benchmarks.vectors import draw
from latent.items import Vectors

ASKED = 2_000
HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Restarted:
    """Seconds until a service was ready, bytes resident after it answered, the median answer."""

    ready_seconds: float
    memory: int
    p50_ms: float


def restarted(bench: Bench, data: Path, dim: int, *, model: str) -> Restarted:
    """Start the search app with this default model, and ask it questions of this dimension.

    None are asked where the folder holds nothing.
    """
    is_empty = not data.exists()
    count = 20 if bench.is_quick else ASKED
    # A small draw lies in the same kind of space; these are asked, and nothing is compared.
    questions = draw(2_000, dim, questions=0 if is_empty else count, seed=1).like_things
    started = time.perf_counter()
    with serving(bench, model, "search", data) as service:
        ready = time.perf_counter() - started
        took = asked(service.port, questions)
        memory = resident(service.pid)
    # The first ones meet pages that nobody has read since the restart.
    p50 = 1e3 * statistics.median(took[len(took) // 10 :]) if took else 0.0
    return Restarted(ready, memory, p50)


def asked(port: int, questions: Vectors) -> list[float]:
    """Seconds of each question, one after the other over one connection.

    Raises:
        UnmeasuredError: one was not answered.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.connect()
    # Head and body are sent apart; the system would wait with the second for an acknowledgement.
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    took = []
    for question in questions:
        body = json.dumps({"query": {"vector": question.tolist()}, "k": AT, "min_relevance": 0})
        started = time.perf_counter()
        connection.request("POST", f"/v1/collections/{NAME}/query", body, HEADERS)
        answer = connection.getresponse()
        said = answer.read()
        took.append(time.perf_counter() - started)
        if answer.status != 200:
            raise UnmeasuredError(f"the service answered {said[:200].decode(errors='replace')}")
    connection.close()
    return took


def resident(process: int) -> int:
    """Bytes of a process that are in memory, its own and those of files it has mapped."""
    said = re.search(
        r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE
    )
    if said is None:
        raise UnmeasuredError("the system does not say what a process has in memory")
    return 1024 * int(said[1])
