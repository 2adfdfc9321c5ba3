"""A service in a process of its own, and the clients that ask it, in processes of their own.

Where there are two cores or more, the clients have the last one and the service the others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import URLError

from benchmarks.rows import UnmeasuredError

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds until a service that does not get ready is given up

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs."""

    port: int
    pid: int

    def resident_mb(self) -> float:
        """The memory it holds now, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1_000

    def clients(self, *given: object) -> subprocess.Popen[str]:
        """`scripts.soaking.clients` with these words, asking this service."""
        cores = _cores()[1]
        return subprocess.Popen(
            [sys.executable, "-m", "scripts.soaking.clients", str(self.port), *map(str, given)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )

    def told_by(self, *given: object) -> dict[str, Any]:
        """What such clients say when they are done."""
        with self.clients(*given) as clients:
            said = clients.communicate()[0]
        if clients.returncode:
            raise UnmeasuredError(f"the clients ended with {clients.returncode}")
        found: dict[str, Any] = json.loads(said)
        return found


def cores() -> str:
    """Who has which cores, in words."""
    service, clients = _cores()
    return f"service on {len(service)} cores, clients on {len(clients)}"


@contextmanager
def served(folder: Path, **settings: object) -> Iterator[Served]:
    """The similarity app with these settings, ready."""
    own = _cores()[0]
    given = {"port": 0, "threads": len(own), "log_level": "WARNING", **settings}
    environment = os.environ | {f"NEARFIELD_{k.upper()}": str(v) for k, v in given.items()}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", "import nearfield; nearfield.main()"),
                *("serve", "--json", "--app", "similarity"),
            ],
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, own),
        )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            if not said:
                raise UnmeasuredError(f"the service did not start: see {folder / 'serve.log'}")
            port = int(json.loads(said)["url"].rsplit(":", 1)[1])
            _wait(port)
            yield Served(port, process.pid)
        finally:
            process.terminate()
            process.communicate()


def _wait(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
                return
        except URLError:
            time.sleep(0.1)
    raise UnmeasuredError(f"the service was not ready after {PATIENCE:.0f} s")


def _cores() -> tuple[frozenset[int], frozenset[int]]:
    every = sorted(os.sched_getaffinity(0))
    if len(every) == 1:
        return frozenset(every), frozenset(every)
    return frozenset(every[:-1]), frozenset(every[-1:])
