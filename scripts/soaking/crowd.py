"""A similarity service and the clients that crowd around it, in processes of their own.

Where there are two cores or more, the clients have the last one and the service the others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.rows import UnmeasuredError
from scripts.soaking.serving import ROOT, Service


def served(folder: Path, **settings: object) -> Service:
    """The similarity app with these settings, ready, with a thread for each of its cores."""
    own = _cores()[0]
    return Service(folder, app="similarity", cores=own, threads=len(own), **settings)


def clients(service: Service, *given: object) -> subprocess.Popen[str]:
    """`scripts.soaking.clients` with these words, asking this service."""
    cores = _cores()[1]
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.soaking.clients", str(service.port), *map(str, given)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


def told_by(service: Service, *given: object) -> dict[str, Any]:
    """What such clients say when they are done."""
    with clients(service, *given) as asking:
        said = asking.communicate()[0]
    if asking.returncode:
        raise UnmeasuredError(f"the clients ended with {asking.returncode}")
    found: dict[str, Any] = json.loads(said)
    return found


def cores() -> str:
    """Who has which cores, in words."""
    service, others = _cores()
    return f"service on {len(service)} cores, clients on {len(others)}"


def _cores() -> tuple[frozenset[int], frozenset[int]]:
    every = sorted(os.sched_getaffinity(0))
    if len(every) == 1:
        return frozenset(every), frozenset(every)
    return frozenset(every[:-1]), frozenset(every[-1:])
