"""How a snapshot's index is made of vectors that lie in its folder: here, or in a process apart.

A large graph takes minutes of computing and as much memory again as it will have. A process of its
own gives both back, cannot take the service down with it, and may be ended at any time; it ends by
itself when the one that started it does. Knows nothing about catalogs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latent.errors import StorageFullError, StoreError
from latent.index.bases import Kind, Quantisation, build, write_file
from latent.index.recall import Contract, Questions, measured
from latent.items import JSON

INDEX, KEYS, VECTORS = "index.faiss", "keys.npy", "vectors.npy"
QUESTIONS = "questions.npz"
POLITE = 10
"""How nice a process in the background is to those that answer questions."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to make of the vectors in a folder, and with how many threads.

    `recall` is the share of the ten nearest that a graph is to find.
    """

    kind: Kind
    quantisation: Quantisation = Quantisation.SQ8
    threads: int = 1
    recall: float = 0.98
    is_polite: bool = False


class Builder:
    """Makes indexes; `stop` ends what is being made, from another thread."""

    def __init__(self) -> None:
        self._is_stopped = False
        self._process: subprocess.Popen[str] | None = None
        self._starting = threading.Lock()

    def stop(self) -> None:
        """End what is being made, and make nothing any more."""
        with self._starting:
            self._is_stopped = True
            if self._process is not None:
                self._process.kill()

    def require_going(self) -> None:
        """Go no further after `stop`.

        Raises:
            StoreError: it was called.
        """
        if self._is_stopped:
            raise StoreError("the snapshot was given up, as everything is being closed")

    def make_apart(self, folder: Path, task: Task) -> Contract:
        """As `make`, in a process of its own.

        Raises:
            StorageFullError: there is no room.
            StoreError: it could not be made, or was stopped.
        """
        process = self._started(folder, task)
        with process:
            try:
                # Standard input stays open meanwhile: its end tells the process that we are gone.
                said = process.stdout.read().strip().splitlines() if process.stdout else []
            except BaseException:
                process.kill()
                raise
        self.require_going()
        try:
            answer = json.loads(said[-1])
        except (IndexError, ValueError) as error:
            last = said[-1] if said else f"exit {process.returncode}"
            raise StoreError(f"the index was not built: {last}") from error
        if "failed" in answer:
            kind = StorageFullError if answer["is_full"] else StoreError
            raise kind(answer["failed"])
        return Contract(answer["effort"], answer["recall"])

    def _started(self, folder: Path, task: Task) -> subprocess.Popen[str]:
        root = str(Path(__file__).parents[2])
        threads = str(task.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        paths = [root, os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else [root]
        environment = {
            **os.environ,
            **dict.fromkeys(names, threads),
            "PYTHONPATH": os.pathsep.join(paths),
        }
        with self._starting:
            self.require_going()
            words = [str(folder), json.dumps(asdict(task))]
            self._process = subprocess.Popen(
                [sys.executable, "-m", "latent.index.building", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=environment,
                start_new_session=True,
            )
            return self._process


def make(folder: Path, task: Task) -> Contract:
    """Build the index of the vectors in a folder, write it beside them, and measure it.

    Raises:
        StorageFullError: there is no room.
        StoreError: it could not be written.
    """
    keys = np.load(folder / KEYS, mmap_mode="r")
    vectors = np.load(folder / VECTORS, mmap_mode="r")
    base = build(keys, vectors, task.kind, quantisation=task.quantisation, threads=task.threads)
    write_file(base, folder / INDEX)
    return measured(base, read_questions(folder), task.recall)


def write_questions(folder: Path, questions: Mapping[str, Questions]) -> None:
    """Put questions where `make` finds them."""
    arrays: dict[str, NDArray[Any]] = {}
    for kind, one in questions.items():
        arrays |= {f"{kind}.vectors": one.vectors, f"{kind}.keys": one.keys}
    with (folder / QUESTIONS).open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def read_questions(folder: Path) -> dict[str, Questions]:
    """The questions that lie in a folder, none if there are none."""
    if not (folder / QUESTIONS).exists():
        return {}
    with np.load(folder / QUESTIONS) as found:
        kinds = {name.removesuffix(".keys") for name in found if name.endswith(".keys")}
        return {
            kind: Questions(found[f"{kind}.vectors"], found[f"{kind}.keys"])
            for kind in sorted(kinds)
        }


def _end_with_the_other() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """The process apart: folder and task as arguments, the contract on standard output."""
    folder, words = sys.argv[1:]
    task = json.loads(words)
    task |= {"kind": Kind(task["kind"]), "quantisation": Quantisation(task["quantisation"])}
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    chosen = Task(**task)
    if chosen.is_polite:
        os.nice(POLITE)
    try:
        contract = make(Path(folder), chosen)
        answer: dict[str, JSON]
        answer = {"effort": contract.effort, "recall": {**contract.recall}}
    except StoreError as error:
        answer = {"failed": str(error), "is_full": isinstance(error, StorageFullError)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
