"""How a snapshot's index is made of the vectors that lie in its folder.

Knows nothing about catalogs and processes; `publishing` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latent.index.bases import Kind, Quantisation, build, write_file
from latent.index.recall import Contract, Questions, measured

INDEX, KEYS, VECTORS = "index.faiss", "keys.npy", "vectors.npy"


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


def make(folder: Path, task: Task, questions: Mapping[str, Questions]) -> Contract:
    """Build the index of the vectors in a folder, write it beside them, and measure it.

    Raises:
        StorageFullError: there is no room.
        StoreError: it could not be written.
    """
    keys = np.load(folder / KEYS, mmap_mode="r")
    vectors = np.load(folder / VECTORS, mmap_mode="r")
    base = build(keys, vectors, task.kind, quantisation=task.quantisation, threads=task.threads)
    write_file(base, folder / INDEX)
    return measured(base, questions, task.recall)
