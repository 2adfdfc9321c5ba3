"""Puts items by a timetable, in a process of its own: who asks does not wait for who tells.

Its arguments are a port, puts a second, seconds, and a file of vectors. It begins when it is sent a
line, and prints one JSON object: how often a second it put, or why it failed.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from benchmarks.client import Client
from benchmarks.rows import UnmeasuredError
from benchmarks.serving import ROOT
from benchmarks.timetable import Timetable

TOGETHER = 10  # items of a request


class Putting:
    """The process; `begin` has it put, `done` waits for its end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("now\n")
        self._process.stdin.flush()

    def done(self) -> float:
        """Puts a second.

        Raises:
            UnmeasuredError: it failed.
        """
        said, _ = self._process.communicate()
        answer = json.loads(said.splitlines()[-1]) if said else {"failed": "it was killed"}
        if "failed" in answer:
            raise UnmeasuredError(f"putting failed: {answer['failed']}")
        return float(answer["rate"])


@contextmanager
def putting(port: int, rate: float, seconds: float, vectors: Path) -> Iterator[Putting]:
    """A process that is ready to put the vectors of a file."""
    given = [str(port), str(rate), str(seconds), str(vectors)]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.putting", *given],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield Putting(process)
        finally:
            process.kill()


def main() -> None:
    port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    vectors = np.load(sys.argv[4], mmap_mode="r")
    turn = itertools.count()
    with closing(Client(port)) as client:

        def put() -> None:
            start = TOGETHER * next(turn)
            rows = vectors[start : start + TOGETHER]
            client.put([f"new-{start + at}" for at in range(len(rows))], rows)

        print("ready", flush=True)
        sys.stdin.readline()
        table = Timetable(put, rate / TOGETHER)
        try:
            table.keep(seconds)
            print(json.dumps({"rate": TOGETHER * table.done}))
        except UnmeasuredError as error:
            print(json.dumps({"failed": str(error)}))


if __name__ == "__main__":
    main()
