"""The same vectors in other people's graphs: raw FAISS, hnswlib, usearch, built alike.

All have 32 links, look among 100 when they link, and search one question a call. Knows nothing
about what is held against what.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hardware import named
from benchmarks.rows import UnmeasuredError
from latent.items import Vectors

LINKS, BUILD_EFFORT = 32, 100
Positions = NDArray[np.int64]
Ask = Callable[[NDArray[np.float32], int], Positions]
"""One question `(dim,)` and how many: positions of the nearest, best first."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph that was built: who made it, in how many seconds, how to ask it, its file's bytes."""

    name: str
    seconds: float
    ask: Ask
    size: int

    def answers(self, questions: Vectors, k: int) -> list[list[int]]:
        return [self.ask(question, k).tolist() for question in questions]


def rate(ask: Callable[[Any], object], questions: Vectors, *, threads: int, rounds: int) -> float:
    """Questions a second of as many threads, each asking all of the questions in its own order."""
    with ThreadPoolExecutor(threads) as pool:
        turned = [np.roll(questions, 17 * number, axis=0) for number in range(threads)]
        started = time.perf_counter()
        done = pool.map(lambda some: [ask(one) for _ in range(rounds) for one in some], turned)
        asked = sum(len(some) for some in done)
    return asked / (time.perf_counter() - started)


def raw_faiss(vectors: Vectors, folder: Path, *, threads: int, effort: int) -> Graph:
    """HNSW over 8-bit codes, as the house's own graph is."""
    import faiss

    faiss.omp_set_num_threads(threads)
    codes = faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexHNSWSQ(vectors.shape[1], codes, LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BUILD_EFFORT
    started = time.perf_counter()
    index.train(vectors)
    index.add(vectors)
    seconds = time.perf_counter() - started
    faiss.omp_set_num_threads(1)
    parameters = faiss.SearchParametersHNSW(efSearch=effort)

    def ask(question: NDArray[np.float32], k: int) -> Positions:
        faiss.omp_set_num_threads(1)
        found: Positions = index.search(question[None], k, params=parameters)[1][0]
        return found

    path = folder / "raw.faiss"
    faiss.write_index(index, str(path))
    return Graph(named("faiss-cpu"), seconds, ask, path.stat().st_size)


def hnswlib(vectors: Vectors, folder: Path, *, threads: int, effort: int) -> Graph:
    """HNSW over exact numbers; it has no others."""
    try:
        import hnswlib as library
    except ImportError as error:
        raise UnmeasuredError("hnswlib is not installed") from error
    index = library.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), ef_construction=BUILD_EFFORT, M=LINKS)
    started = time.perf_counter()
    index.add_items(vectors, num_threads=threads)
    seconds = time.perf_counter() - started
    index.set_ef(effort)

    def ask(question: NDArray[np.float32], k: int) -> Positions:
        found: Positions = index.knn_query(question, k, num_threads=1)[0][0].astype(np.int64)
        return found

    path = folder / "hnswlib"
    index.save_index(str(path))
    return Graph(named("hnswlib"), seconds, ask, path.stat().st_size)


def usearch(vectors: Vectors, folder: Path, *, threads: int, effort: int) -> Graph:
    """HNSW over 8-bit codes."""
    try:
        from usearch.index import Index
    except ImportError as error:
        raise UnmeasuredError("usearch is not installed") from error
    index = Index(
        ndim=vectors.shape[1],
        metric="cos",  # of its kinds the one that scales 8-bit codes as they should be
        dtype="i8",
        connectivity=LINKS,
        expansion_add=BUILD_EFFORT,
        expansion_search=effort,
    )
    started = time.perf_counter()
    index.add(np.arange(len(vectors), dtype=np.uint64), vectors, threads=threads)
    seconds = time.perf_counter() - started

    def ask(question: NDArray[np.float32], k: int) -> Positions:
        found: Positions = index.search(question, k, threads=1).keys.astype(np.int64)
        return found

    path = folder / "usearch"
    index.save(str(path))
    return Graph(named("usearch"), seconds, ask, path.stat().st_size)
