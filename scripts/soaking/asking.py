"""Readers in a process of their own, who ask a service at a steady pace.

    asking PORT PATH READERS PACE DIM       until standard input ends

Prints how long each answer took, in milliseconds, and what went wrong, as one JSON object.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import threading
import time

import numpy as np

PATIENCE = 30.0
K = 10


def asked(
    port: int, path: str, pace: float, dim: int, is_over: threading.Event, seed: int
) -> tuple[list[float], list[str]]:
    """Ask until it is over, `pace` times a second; a late answer delays what comes after it."""
    chance, took, wrong = random.Random(seed), [], []
    rows = np.random.default_rng(seed).standard_normal((64, dim))
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    while not is_over.wait(chance.expovariate(pace)):
        body = json.dumps(
            {"query": {"vector": chance.choice(rows).tolist()}, "k": K, "min_relevance": 0}
        )
        began = time.perf_counter()
        try:
            line.request("POST", path, body, {"Content-Type": "application/json"})
            answer = line.getresponse()
            told = answer.read()
        except (OSError, http.client.HTTPException) as error:
            wrong.append(repr(error))
            line.close()
            continue
        took.append(1_000 * (time.perf_counter() - began))
        if answer.status != 200 or len(json.loads(told)["hits"]) != K:
            wrong.append(f"{answer.status}: {told[:200]!r}")
    line.close()
    return took, wrong


def main() -> None:
    port, path, readers, pace, dim = sys.argv[1:]
    is_over = threading.Event()
    took: list[float] = []
    wrong: list[str] = []

    def ask(seed: int) -> None:
        here, there = asked(int(port), path, float(pace), int(dim), is_over, seed)
        took.extend(here)
        wrong.extend(there)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(int(readers))]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    is_over.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"took": took, "wrong": wrong}))


if __name__ == "__main__":
    main()
