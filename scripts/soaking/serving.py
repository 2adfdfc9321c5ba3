"""A service as a process of its own, that can be asked, measured and killed.

Asks with what Python brings along. Knows nothing about promises.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from benchmarks.rows import UnmeasuredError

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0  # seconds until a service that is not ready, or gives no answer, is given up
LOOK_EVERY = 0.01


class Service:
    """`nearfield serve`, ready.

    `ready_after` is how many seconds it took to say that it is ready, `worked` how many of a
    processor's that cost.
    """

    def __init__(
        self,
        folder: Path,
        *,
        app: Literal["search", "similarity"] = "search",
        cores: Collection[int] = (),
        **settings: object,
    ) -> None:
        """Start it on `folder/data`, on these cores alone if some are named, and wait until ready.

        Raises:
            UnmeasuredError: it does not start.
        """
        given = {"data": folder / "data", "port": 0, "log_level": "WARNING", **settings}
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        log = folder / "serve.log"
        with log.open("a") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nearfield", "serve", "--json", "--app", app],
                cwd=ROOT,
                env=os.environ | {f"NEARFIELD_{k.upper()}": str(v) for k, v in given.items()},
                text=True,
                stdout=subprocess.PIPE,
                stderr=stream,
                preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
            )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise UnmeasuredError(f"the service did not start: {log.read_text()[-500:]}")
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
            OSError, HTTPException: none came, or it says that it was not done.
        """
        sent = None if body is None else json.dumps(body).encode()
        status, answer = self.answered(method, path, sent)
        if status >= 400:
            raise OSError(f"{method} {path}: {status}: {answer}")
        return answer

    def answered(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer to a request, whatever it says.

        Raises:
            OSError, HTTPException: none came.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def resident_mb(self) -> float:
        """The memory it holds now, in MB."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

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
            return self.answered("GET", "/readyz")[0] == 200
        except (OSError, HTTPException):
            return False

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.end()
