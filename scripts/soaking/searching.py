"""The search service as a process that can be killed, and asked with what Python brings along."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.error import HTTPError, URLError

from benchmarks.rows import UnmeasuredError

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0  # seconds until a service that does not get ready is given up
LOOK_EVERY = 0.01


class Searching:
    """`nearfield serve` on a data folder.

    `ready_after` is how many seconds it took to say that it is ready, `worked` how many of a
    processor's that cost.
    """

    def __init__(self, data: Path, **settings: object) -> None:
        """Start it, and wait until it is ready.

        Raises:
            UnmeasuredError: it does not start.
        """
        given = {"data": data, "port": 0, "log_level": "WARNING", **settings}
        began = time.monotonic()
        self.log = data.parent / "serve.log"
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nearfield", "serve", "--json"],
                cwd=ROOT,
                env=os.environ | {f"NEARFIELD_{k.upper()}": str(v) for k, v in given.items()},
                text=True,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise UnmeasuredError(f"the service did not start: {self.log.read_text()[-500:]}")
        self.port = int(re.search(r":(\d+)", json.loads(said)["url"])[1])  # type: ignore[index]
        while not self._is_ready():
            if time.monotonic() - began > PATIENCE:
                self.kill()
                raise UnmeasuredError(f"the service was not ready after {PATIENCE:.0f} s")
            time.sleep(LOOK_EVERY)
        self.ready_after = time.monotonic() - began
        self.worked = self._processor_seconds()

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """The answer to a request.

        Raises:
            OSError: none came, or it says that it was not done.
        """
        sent = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(sent, timeout=PATIENCE) as answer:
            return json.load(answer)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        """SIGTERM, and wait."""
        self._process.terminate()
        self._process.communicate()

    def _processor_seconds(self) -> float:
        """What all of its threads took of a processor so far."""
        after_name = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")

    def _is_ready(self) -> bool:
        try:
            self.ask("GET", "/readyz")
        except HTTPError:  # it answers, and is not ready
            return False
        except URLError:
            return False
        return True

    def __enter__(self) -> Searching:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.end()
