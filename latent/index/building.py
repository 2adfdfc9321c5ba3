"""How a snapshot's index is made of the vectors that lie in its folder, and in which order they do.

Knows nothing about catalogs and processes; `publishing` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latent.index.arranging import order_of
from latent.index.bases import Base, Kind, Quantisation, build, grown, write_file
from latent.index.recall import Contract, Questions, measured
from latent.index.row_files import save, save_parts

INDEX, KEYS, VECTORS = "index.faiss", "keys.npy", "vectors.npy"
AT_ONCE = 4_096  # vectors that are moved at once


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


def make(
    folder: Path, task: Task, questions: Mapping[str, Questions], *, onto: Path | None = None
) -> Contract:
    """Build the index of the vectors in a folder, write it beside them, and measure it.

    The rows of a graph are put into its order (`arranging`). With the file of a graph, `onto`, that
    has the first of the rows already, the others are linked to it.

    Raises:
        StorageFullError: there is no room.
        StoreError: it could not be written.
    """
    keys = np.load(folder / KEYS, mmap_mode="r")
    vectors = np.load(folder / VECTORS, mmap_mode="r")
    if onto is None:
        base = build(keys, vectors, task.kind, quantisation=task.quantisation, threads=task.threads)
    else:
        base = grown(onto, keys, vectors, quantisation=task.quantisation, threads=task.threads)
    if base.kind is Kind.HNSW:
        base = _arranged(base, folder)
    write_file(base, folder / INDEX)
    return measured(base, questions, task.recall)


def _arranged(base: Base, folder: Path) -> Base:
    """The same with the rows that are linked beside each other, in the files as well."""
    order = order_of(len(base.keys), base.links_of, first=base.entry())
    keys, vectors, fresh = base.keys[order], base.vectors, folder / f".{VECTORS}"
    starts = range(0, len(order), AT_ONCE)
    save_parts(fresh, (vectors[order[start : start + AT_ONCE]] for start in starts), vectors.shape)
    save(folder / KEYS, keys)
    fresh.replace(folder / VECTORS)
    return base.arranged(order, keys, np.load(folder / VECTORS, mmap_mode="r"))
