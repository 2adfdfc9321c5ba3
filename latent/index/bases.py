"""Bases: what FAISS holds of an index, made once and never changed after.

A graph is walked by codes, exact numbers or shorter ones (`Quantisation`); what the walk brings
back is scored again with exact vectors, which lie beside it. The only file that names faiss; its
quirks stay here. Knows nothing about what changed since (`faiss_index` does), snapshots, catalogs.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from latent.errors import StorageFullError, StoreError
from latent.index.pages import Pages
from latent.index.plans import LEAST_EFFORT
from latent.index.vectors import Keys
from latent.items import Vectors

Bits: TypeAlias = NDArray[np.uint8]
"""A bit for each row, eight in a byte, the first row lowest."""

GONE = -1
"""The key of a row that no item has any more; those of items are larger than 0."""
LINKS = 32
BUILD_EFFORT = 100
LEARNT_FROM = 20_000
"""Rows that codes are learnt from; more do not make them better, only slower."""
PQ_ROUNDS = 10
GATHERED = 256  # codes gathered at once: they stay in the cache of a core


class Kind(StrEnum):
    """How a base is searched."""

    EXACT = "exact"
    HNSW = "hnsw"


class Quantisation(StrEnum):
    """The codes a graph is walked by, from exact to short."""

    FLOAT32 = "float32"
    FP16 = "fp16"
    SQ8 = "sq8"
    PQ = "pq"
    RABITQ = "rabitq"

    @property
    def is_coarse(self) -> bool:
        """Whether its order of candidates means little, so that all of them are scored again."""
        return self in (Quantisation.PQ, Quantisation.RABITQ)


@dataclass(frozen=True, slots=True)
class Base:
    """Vectors that never change: `vectors` `(n, dim)`, and the key of each, `keys` `(n,)`.

    Keys ascend, or `by_key` `(n,)` gives the rows in the order of their keys. `effort` is how far
    a walk looks at least, so that it keeps the promise (`recall`). `pages` are told of rows that
    were looked up, where they are mapped. The key of a row whose item was replaced or dropped since
    it was linked is `GONE`; walks go through such rows and never bring them back.
    """

    kind: Kind
    keys: Keys
    vectors: Vectors
    faiss_index: Any
    effort: int = LEAST_EFFORT
    quantisation: Quantisation = Quantisation.FLOAT32
    pages: Pages | None = None
    by_key: NDArray[np.int64] | None = None

    @property
    def gone(self) -> NDArray[np.int64]:
        """The rows whose items are no longer there."""
        count = int(np.searchsorted(self.keys, 0, sorter=self.by_key))
        return np.arange(count) if self.by_key is None else np.sort(self.by_key[:count])

    def places(self, keys: Keys) -> NDArray[np.int64]:
        """Where each of `keys` stands; -1 for those that are not here."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        found = np.searchsorted(self.keys, keys, sorter=self.by_key)
        found = np.minimum(found, len(self.keys) - 1)
        rows = found if self.by_key is None else self.by_key[found]
        return np.where(self.keys[rows] == keys, rows, -1)

    def positions(self, keys: Keys) -> NDArray[np.int64]:
        """Where those of `keys` that are here stand, each once."""
        found = self.places(keys)
        found = found[found >= 0]
        is_ascending = bool((found[1:] > found[:-1]).all())
        return found if is_ascending else np.unique(found)

    def holds_just(self, keys: Keys) -> bool:
        """Whether these ascending keys are all there are."""
        if len(keys) != len(self.keys):
            return False
        return np.array_equal(self.keys if self.by_key is None else self.keys[self.by_key], keys)

    def arranged(self, order: NDArray[np.int64], keys: Keys, vectors: Vectors) -> Base:
        """The same with its rows in this order, which `keys` and `vectors` are in already.

        The graph of this one is used up for it.
        """
        self.faiss_index.permute_entries(order)
        return replace(self, keys=keys, vectors=vectors, by_key=_by_key(keys))

    def entry(self) -> int:
        """The row of a graph where walks begin."""
        return int(self.faiss_index.hnsw.entry_point)

    def links_of(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """The rows that rows of a graph are linked to, `(rows, most)`; -1 for none."""
        graph = self.faiss_index.hnsw
        links = faiss.rev_swig_ptr(graph.neighbors.data(), graph.neighbors.size())
        begins = faiss.rev_swig_ptr(graph.offsets.data(), graph.offsets.size())[rows]
        found: NDArray[np.int32] = links[
            begins.astype(np.int64)[:, None] + np.arange(graph.nb_neighbors(0))
        ]
        return found

    @property
    def code_size(self) -> int:
        """Bytes of a vector as it is walked by."""
        if self.kind is Kind.EXACT:
            return 4 * int(self.vectors.shape[1])
        return int(_codes_of(self.faiss_index).code_size)


def _by_key(keys: Keys) -> NDArray[np.int64] | None:
    return None if (keys[1:] > keys[:-1]).all() else np.argsort(keys)


def empty_base(dim: int) -> Base:
    """A base of nothing."""
    return build(np.empty(0, np.int64), np.empty((0, dim), np.float32), Kind.EXACT)


def build(
    keys: Keys,
    vectors: Vectors,
    kind: Kind,
    *,
    quantisation: Quantisation = Quantisation.SQ8,
    threads: int = 1,
) -> Base:
    """Build a base from unit rows; `keys` ascending and unique. A graph of nothing is exact."""
    dim = vectors.shape[1]
    faiss.omp_set_num_threads(threads)
    try:
        if kind is Kind.EXACT or not len(keys):
            # FAISS refuses to train a quantiser on nothing.
            index = faiss.IndexFlatIP(dim)
            if len(keys):
                index.add(vectors)
            return Base(Kind.EXACT, keys, vectors, index)
        return Base(kind, keys, vectors, _graph(vectors, quantisation), quantisation=quantisation)
    finally:
        faiss.omp_set_num_threads(1)


def _graph(vectors: Vectors, quantisation: Quantisation) -> Any:
    """A graph walked by these codes.

    It is built by codes of 8 bits whatever they are: those of 2 bits would link what is not near,
    and exact ones take four times as long to compare.
    """
    dim = vectors.shape[1]
    graph = _empty_graph(dim, Quantisation.SQ8)
    graph.hnsw.efConstruction = BUILD_EFFORT
    graph.train(vectors)
    graph.add(vectors)
    return graph if quantisation is Quantisation.SQ8 else _with_codes(graph, vectors, quantisation)


def _with_codes(graph: Any, vectors: Vectors, quantisation: Quantisation) -> Any:
    """The same links, walked by other codes of the same vectors."""
    other = _empty_graph(vectors.shape[1], quantisation)
    codes = _codes_of(other)
    codes.train(_some(vectors))
    codes.add(vectors)
    # How it is walked goes with the codes: RaBitQ has a way of its own, and knows distances alone.
    way = other.hnsw.search_method, other.hnsw.is_similarity
    other.hnsw = graph.hnsw
    other.hnsw.search_method, other.hnsw.is_similarity = way
    other.ntotal, other.is_trained = len(vectors), True
    return other


def grown(
    path: Path,
    keys: Keys,
    vectors: Vectors,
    *,
    quantisation: Quantisation = Quantisation.SQ8,
    threads: int = 1,
) -> Base:
    """The graph in a file with the rows linked that came behind its own, walked by these codes.

    `keys` and `vectors` are those of all rows, in the order of the graph and then of their arrival.
    Codes of 8 bits go on as they were learnt; others are learnt anew.

    Raises:
        StoreError: the file is no graph.
    """
    graph = _read(path)
    if not isinstance(graph, faiss.IndexHNSW):
        raise StoreError(f"{path.name} holds no graph")
    faiss.omp_set_num_threads(threads)
    try:
        if not isinstance(graph, faiss.IndexHNSWSQ) or _codes_of(graph).code_size != graph.d:
            graph = _with_codes(graph, vectors[: graph.ntotal], Quantisation.SQ8)
        graph.hnsw.efConstruction = BUILD_EFFORT
        if graph.ntotal < len(vectors):
            graph.add(vectors[graph.ntotal :])
        if quantisation is not Quantisation.SQ8:
            graph = _with_codes(graph, vectors, quantisation)
    finally:
        faiss.omp_set_num_threads(1)
    return Base(Kind.HNSW, keys, vectors, graph, quantisation=quantisation, by_key=_by_key(keys))


def _empty_graph(dim: int, quantisation: Quantisation) -> Any:
    inner = faiss.METRIC_INNER_PRODUCT
    if quantisation is Quantisation.FLOAT32:
        return faiss.IndexHNSWFlat(dim, LINKS, inner)
    if quantisation is Quantisation.FP16:
        return faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_fp16, LINKS, inner)
    if quantisation is Quantisation.SQ8:
        return faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_8bit, LINKS, inner)
    if quantisation is Quantisation.RABITQ:
        # It knows distances alone; those of unit rows have the order of inner products.
        return faiss.IndexHNSWRaBitQ(dim, LINKS, 2)
    parts = next(parts for parts in range(max(1, dim // 8), 0, -1) if dim % parts == 0)
    index = faiss.IndexHNSWPQ(dim, parts, LINKS, 8, inner)
    codes = _codes_of(index)
    codes.do_polysemous_training = False  # a minute for what a walk does not use
    codes.pq.cp.niter = PQ_ROUNDS
    codes.pq.cp.min_points_per_centroid = 1  # or it complains on standard error
    return index


def _codes_of(graph: Any) -> Any:
    return faiss.downcast_index(graph.storage)


def _some(vectors: Vectors) -> Vectors:
    """Rows to learn codes from; FAISS wants as many as a code of 8 bits has words."""
    if len(vectors) < 256:
        return np.resize(vectors, (256, vectors.shape[1]))
    if len(vectors) <= LEARNT_FROM:
        return vectors
    chosen = np.random.default_rng(0).choice(len(vectors), LEARNT_FROM, replace=False)
    return np.asarray(vectors[np.sort(chosen)])


def write_file(base: Base, path: Path) -> None:
    """Write the FAISS part of a base.

    Raises:
        StorageFullError: there is no room.
        StoreError: FAISS could not write for another reason.
    """
    try:
        faiss.write_index(base.faiss_index, str(path))
    except RuntimeError as error:
        if os.strerror(errno.ENOSPC) in str(error):
            raise StorageFullError(f"no room left to write {path.name}") from error
        raise StoreError(f"the index could not be written: {error}") from error


def read_file(
    path: Path,
    kind: Kind,
    keys: Keys,
    vectors: Vectors | None,
    *,
    effort: int = LEAST_EFFORT,
    quantisation: Quantisation = Quantisation.SQ8,
    pages: Pages | None = None,
) -> Base:
    """Map a base from its file; an exact one holds its own vectors, so None is given for them.

    Raises:
        StoreError: the file is not such an index.
    """
    index = _read(path, faiss.IO_FLAG_MMAP_IFC)
    if index.ntotal != len(keys):
        raise StoreError(f"{path.name} holds {index.ntotal} vectors, not {len(keys)}")
    if vectors is None:
        size = index.ntotal * index.d
        flat = faiss.rev_swig_ptr(index.get_xb(), size) if size else np.empty(0, np.float32)
        vectors = flat.reshape(index.ntotal, index.d)
    return Base(kind, keys, vectors, index, effort, quantisation, pages, _by_key(keys))


def _read(path: Path, how: int = 0) -> Any:
    try:
        return faiss.read_index(str(path), how)
    except RuntimeError as error:
        raise StoreError(f"{path.name} is not a readable index: {error}") from error


def ask(
    base: Base,
    queries: NDArray[np.float32],
    fetch: int,
    allowed: Bits | None,
    *,
    effort: int | None = None,
) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Scores and positions of up to `fetch` rows near each query, `(n, dim)`, by the base's codes.

    Best first. `allowed` None allows all; `effort` is for graphs, which walk for each by itself.
    """
    # OpenMP keeps one setting for each thread; searching threads are the parallelism here.
    faiss.omp_set_num_threads(1)
    selector, parameters = None, None
    if allowed is not None:
        selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(allowed))
    if effort is not None:
        parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=effort)
    elif selector is not None:  # to make some takes as long as to compare a hundred
        parameters = faiss.SearchParameters(sel=selector)
    scores, positions = base.faiss_index.search(queries, fetch, params=parameters)
    found = positions >= 0  # FAISS pads with -1 where it found too few
    return [
        (some, there) if every else (some[met], there[met])
        for some, there, met, every in zip(
            scores, positions, found, found.all(axis=1).tolist(), strict=True
        )
    ]


def rough_scores(
    base: Base, query: NDArray[np.float32], rows: NDArray[np.int64]
) -> tuple[NDArray[np.float32], float]:
    """Scores of some rows by their 8-bit codes, and the most by which one is wrong.

    Codes are a quarter of the vectors and in memory already. FAISS puts a number into the one of
    256 equal parts of its dimension's range that it lies in, and takes the middle of it.
    """
    storage = _codes_of(base.faiss_index)
    count, dim = len(base.keys), int(storage.d)
    codes = faiss.rev_swig_ptr(storage.codes.data(), count * dim).reshape(count, dim)
    low, width = faiss.vector_to_array(storage.sq.trained).reshape(2, dim)
    weights = query * width / 255
    pieces = [rows[start : start + GATHERED] for start in range(0, len(rows), GATHERED)]
    scores = [np.vecdot(codes[piece].astype(np.float32), weights) for piece in pieces]
    offset = np.float32(query @ low + weights.sum() / 2)
    return np.concatenate(scores) + offset, float(np.abs(weights).sum() / 2)
