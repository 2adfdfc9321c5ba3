"""One set of promises, kept by every VectorIndex; and FAISS agrees with brute force."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from latent.errors import InputError, SpaceMismatchError
from latent.index.arranging import order_of
from latent.index.bases import Base, Kind, build, empty_base
from latent.index.exact import ExactIndex
from latent.index.faiss_index import FaissIndex
from latent.index.plans import Plan, Way
from latent.index.vectors import VectorIndex

DIM = 8


def exact() -> VectorIndex:
    return ExactIndex(DIM)


def exact_in_blocks() -> VectorIndex:
    return ExactIndex(DIM, block=3)


def faiss_flat() -> VectorIndex:
    return FaissIndex(empty_base(DIM))


class Rebuilt(FaissIndex):
    """Builds a new base after every change, so that FAISS itself answers each search."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(empty_base(DIM))
        self._base_kind = kind

    def add(self, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        super().add(keys, vectors)
        self._rebuild()

    def drop(self, keys: NDArray[np.int64]) -> None:
        super().drop(keys)
        if len(self) % 2:  # so that masked rows of a base are met as well
            self._rebuild()

    def _rebuild(self) -> None:
        held = self.held()
        rebuilt = FaissIndex(self._built(*held))
        self._delta, self._state = rebuilt._delta, rebuilt._state

    def _built(self, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> Base:
        return build(keys, vectors, self._base_kind)


class Arranged(Rebuilt):
    """Each new base has its rows in the order of its graph."""

    def _built(self, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> Base:
        base = super()._built(keys, vectors)
        if base.kind is Kind.EXACT:  # of nothing
            return base
        order = order_of(len(keys), base.links_of, first=base.entry())
        return base.arranged(order, keys[order], vectors[order])


def faiss_base() -> VectorIndex:
    return Rebuilt(Kind.EXACT)


def faiss_graph() -> VectorIndex:
    return Rebuilt(Kind.HNSW)


def faiss_arranged() -> VectorIndex:
    return Arranged(Kind.HNSW)


@pytest.fixture(
    params=[exact, exact_in_blocks, faiss_flat, faiss_base, faiss_graph, faiss_arranged],
    ids=["exact", "exact-in-blocks", "faiss-delta", "faiss-base", "faiss-graph", "faiss-arranged"],
)
def index(request: pytest.FixtureRequest) -> VectorIndex:
    make: Callable[[], VectorIndex] = request.param
    return make()


def unit(rows: object) -> NDArray[np.float32]:
    array = np.asarray(rows, np.float32)
    rows_of_length_1: NDArray[np.float32] = array / np.linalg.norm(array, axis=-1, keepdims=True)
    return rows_of_length_1


def random_rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).standard_normal((count, DIM)))


def keys(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert index.search(random_rows(2), 5) == [[], []]
    assert len(index) == 0


def test_it_never_pads_and_gives_the_best_first(index: VectorIndex) -> None:
    rows = random_rows(3)
    index.add(keys(7, 8, 9), rows)
    hits = index.search(rows[:1], 10)[0]
    assert hits[0].key == 7
    assert len(hits) == 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].score == pytest.approx(1.0, abs=1e-6)


def test_ties_are_broken_by_key(index: VectorIndex) -> None:
    row = random_rows(1)
    index.add(keys(5, 3, 9, 1), np.repeat(row, 4, axis=0))
    assert [hit.key for hit in index.search(row, 3)[0]] == [1, 3, 5]


def test_adding_a_key_again_replaces_it(index: VectorIndex) -> None:
    first, second = random_rows(2)
    index.add(keys(4), first[None])
    index.add(keys(4), second[None])
    assert len(index) == 1
    assert index.search(second[None], 5)[0][0].score == pytest.approx(1.0, abs=1e-6)


def test_the_last_of_a_key_given_twice_wins(index: VectorIndex) -> None:
    rows = random_rows(2)
    index.add(keys(4, 4), rows)
    assert len(index) == 1
    assert index.search(rows[1:], 1)[0][0].score == pytest.approx(1.0, abs=1e-6)


def test_a_dropped_key_is_never_found_again(index: VectorIndex) -> None:
    rows = random_rows(3)
    index.add(keys(1, 2, 3), rows)
    index.drop(keys(2, 99))
    assert 2 not in index
    assert 3 in index
    assert [hit.key for hit in index.search(rows[1:2], 5)[0]].count(2) == 0
    assert len(index) == 2


def test_only_restricts_to_those_keys(index: VectorIndex) -> None:
    rows = random_rows(20)
    index.add(np.arange(20, dtype=np.int64), rows)
    hits = index.search(rows[:1], 10, only=keys(3, 5, 400))[0]
    assert {hit.key for hit in hits} == {3, 5}


def test_a_wrong_dimension_is_named(index: VectorIndex) -> None:
    with pytest.raises(SpaceMismatchError, match="3 dimensions"):
        index.add(keys(1), np.ones((1, 3), np.float32))
    with pytest.raises(SpaceMismatchError, match="3 dimensions"):
        index.search(np.ones((1, 3), np.float32), 1)


def test_nan_is_refused(index: VectorIndex) -> None:
    row = np.full((1, DIM), np.nan, np.float32)
    with pytest.raises(InputError):
        index.add(keys(1), row)
    with pytest.raises(InputError):
        index.search(row, 1)
    assert len(index) == 0


def test_searches_run_while_others_add_and_drop(index: VectorIndex) -> None:
    rows = random_rows(400)
    index.add(keys(0), rows[:1])
    failures: list[Exception] = []
    is_done = threading.Event()

    def search() -> None:
        try:
            while not is_done.is_set():
                assert index.search(rows[:1], 3)[0][0].key == 0
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    readers = [threading.Thread(target=search) for _ in range(3)]
    for reader in readers:
        reader.start()
    for start in range(1, 400, 7):
        chunk = np.arange(start, min(start + 7, 400), dtype=np.int64)
        index.add(chunk, rows[chunk])
        index.drop(chunk[::2])
    is_done.set()
    for reader in readers:
        reader.join()
    assert not failures


# Few distinct values make ties and duplicates common, which is where indexes disagree.
vectors = st.lists(st.sampled_from([-1.0, -0.5, 0.5, 1.0]), min_size=DIM, max_size=DIM)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 30), vectors),
        st.tuples(st.just("drop"), st.integers(0, 30), st.none()),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(
    base=st.dictionaries(st.integers(0, 30), vectors, max_size=25),
    steps=steps,
    query=vectors,
    k=st.integers(1, 40),
    only=st.none() | st.lists(st.integers(0, 35), max_size=20),
    kind=st.sampled_from(Kind),
)
def test_faiss_agrees_with_brute_force(
    base: dict[int, list[float]],
    steps: list[tuple[str, int, list[float] | None]],
    query: list[float],
    k: int,
    only: list[int] | None,
    kind: Kind,
) -> None:
    oracle = ExactIndex(DIM)
    first = np.array(sorted(base), np.int64)
    rows = unit([base[key] for key in sorted(base)]) if base else np.empty((0, DIM), np.float32)
    index = FaissIndex(build(first, rows, kind))
    oracle.add(first, rows)
    for verb, key, vector in steps:
        for one in (oracle, index):
            if verb == "add":
                one.add(keys(key), unit([vector]))
            else:
                one.drop(keys(key))
    chosen = None if only is None else np.array(only, np.int64)
    found = index.search(unit([query]), k, only=chosen)
    expected = oracle.search(unit([query]), k, only=chosen)
    if kind is Kind.EXACT or only is not None:
        assert found == expected
    else:
        # A graph may prefer one of two equally near; how near they are it must get right.
        assert [hit.score for hit in found[0]] == [hit.score for hit in expected[0]]
    assert len(index) == len(oracle)


@settings(max_examples=60, deadline=None)
@given(steps=steps, query=vectors, k=st.integers(1, 40), block=st.integers(1, 5))
def test_it_does_not_matter_where_blocks_end(
    steps: list[tuple[str, int, list[float] | None]], query: list[float], k: int, block: int
) -> None:
    index = ExactIndex(DIM, block=block)
    held: dict[int, NDArray[np.float32]] = {}
    views = []
    for verb, key, vector in steps:
        if verb == "add":
            index.add(keys(key, key + 1), unit([vector, query]))
            held |= {key: unit(vector), key + 1: unit(query)}
        else:
            index.drop(keys(key, key + 1))
            held = {one: row for one, row in held.items() if one not in (key, key + 1)}
        views.append((index.view, dict(held)))
    for view, then in views:  # those of earlier moments, too, are as they were
        found_keys, rows = view.living()
        assert len(view) == len(then)
        assert dict(zip(found_keys.tolist(), rows.tolist(), strict=True)) == {
            key: row.tolist() for key, row in then.items()
        }
    plain = ExactIndex(DIM, block=1_000)
    plain.add(np.array(sorted(held), np.int64), rows_of(held))
    assert index.search(unit([query]), k) == plain.search(unit([query]), k)


def rows_of(held: dict[int, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The rows of what is held, in the order of their keys."""
    return np.array([held[key] for key in sorted(held)], np.float32).reshape(-1, DIM)


def test_blocks_of_many_dropped_rows_are_put_together() -> None:
    rows = random_rows(2_000)
    index = ExactIndex(DIM, block=100)
    index.add(np.arange(2_000, dtype=np.int64), rows)
    index.drop(np.arange(0, 1_500, dtype=np.int64))
    assert len(index.view.blocks) < 10
    index.add(keys(3, 1_999), rows[[1_999, 3]])
    assert [hit.key for hit in index.search(rows[[3, 1_999]], 1)[0]] == [1_999]
    assert {hit.key for (hit,) in index.search(rows[1_990:1_999], 1)} == set(range(1_990, 1_999))
    assert len(index) == 501


def test_a_graph_finds_what_brute_force_finds() -> None:
    rows = random_rows(3000, seed=1)
    numbers = np.arange(3000, dtype=np.int64)
    index, oracle = FaissIndex(build(numbers, rows, Kind.HNSW)), ExactIndex(DIM)
    oracle.add(numbers, rows)
    queries = random_rows(50, seed=2)
    shared = [
        len({h.key for h in found} & {h.key for h in expected})
        for found, expected in zip(
            index.search(queries, 10), oracle.search(queries, 10), strict=True
        )
    ]
    assert sum(shared) >= 0.98 * 500


@pytest.mark.parametrize("share", [3, 30, 300, 1500, 3000])
@pytest.mark.parametrize("way", [Way.EXACT, Way.FILTERED_GRAPH, None])
def test_a_filter_loses_nothing_on_a_graph_whatever_the_plan(share: int, way: Way | None) -> None:
    rows = random_rows(3000, seed=1)
    numbers = np.arange(3000, dtype=np.int64)
    index, oracle = FaissIndex(build(numbers, rows, Kind.HNSW)), ExactIndex(DIM)
    oracle.add(numbers, rows)
    chosen = np.arange(0, 3000, 3000 // share, dtype=np.int64)
    queries = random_rows(20, seed=3)
    plan = Plan(way, None if way is Way.EXACT else 128) if way else None
    expected = oracle.search(queries, 10, only=chosen)
    lost = 0
    found = index.traced(queries, 10, only=chosen, plan=plan)
    for (hits, trace), best in zip(found, expected, strict=True):
        assert way is None or trace.plan.way is way
        assert len(hits) == min(10, len(chosen))
        assert {hit.key for hit in hits} <= set(chosen.tolist())
        lost += len({hit.key for hit in best} - {hit.key for hit in hits})
    assert lost <= 0.01 * sum(map(len, expected))


def test_a_walk_that_meets_too_few_compares_all_that_match() -> None:
    """All that match lie far from the query, where a walk with little effort never comes."""
    rows = random_rows(3000, seed=1)
    query = random_rows(1, seed=2)
    far = np.sort(np.argsort(rows @ query[0])[:600]).astype(np.int64)
    index, oracle = FaissIndex(build(np.arange(3000), rows, Kind.HNSW)), ExactIndex(DIM)
    oracle.add(np.arange(3000, dtype=np.int64), rows)
    ((hits, trace),) = index.traced(query, 10, only=far, plan=Plan(Way.FILTERED_GRAPH, 64))
    assert trace.fell_back
    assert hits == oracle.search(query, 10, only=far)[0]
