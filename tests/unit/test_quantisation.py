"""Codes a graph is walked by: scores stay exact, and a collection may change them at any time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from latent.collection import Collection
from latent.errors import InputError, UnknownCollectionError
from latent.index.bases import Kind, Quantisation, build, read_file, rough_scores, write_file
from latent.index.exact import nearest_of
from latent.index.faiss_index import MANY, FaissIndex
from latent.index.pages import AROUND, Pages, mapped
from latent.index.plans import Plan, Way
from latent.index.recall import Questions, measured
from latent.index.row_files import save
from latent.items import Item, Modality
from latent.models.colours import DIM
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store

Rows = NDArray[np.float32]


def random_rows(count: int, dim: int = 32, seed: int = 0) -> Rows:
    rows = np.random.default_rng(seed).standard_normal((count, dim), np.float32)
    unit: Rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.mark.parametrize("quantisation", Quantisation)
def test_a_graph_walked_by_any_codes_gives_exact_scores(
    tmp_path: Path, quantisation: Quantisation
) -> None:
    rows, keys = random_rows(2_000), np.arange(2_000, dtype=np.int64)
    made = build(keys, rows, Kind.HNSW, quantisation=quantisation)
    write_file(made, tmp_path / "index")
    base = read_file(tmp_path / "index", Kind.HNSW, keys, rows, quantisation=quantisation)
    assert base.code_size == made.code_size
    index, found = FaissIndex(base), 0
    queries = random_rows(20, seed=1)
    for query, (hits, _) in zip(
        queries, index.traced(queries, 10, plan=Plan(Way.GRAPH, 256)), strict=True
    ):
        truth = dict(nearest_of(keys, rows, query, 2_000))
        assert [hit.score for hit in hits] == [truth[hit.key] for hit in hits]
        found += len({hit.key for hit in hits} & set(list(truth)[:10]))
    assert found >= 0.95 * 200


@pytest.mark.parametrize("quantisation", [Quantisation.RABITQ, Quantisation.PQ])
def test_short_codes_keep_the_promise_under_a_filter(quantisation: Quantisation) -> None:
    rows, keys = random_rows(6_000, 16), np.arange(6_000, dtype=np.int64)
    made = build(keys, rows, Kind.HNSW, quantisation=quantisation, threads=2)
    queries = random_rows(40, 16, seed=1)
    asked = {"text": Questions(queries, np.full(40, -1, np.int64))}
    base = replace(made, effort=measured(made, asked, 0.98).effort or 0)
    only = np.sort(np.random.default_rng(2).permutation(keys)[:4_800])
    found, ways = 0, set()
    for query, (hits, trace) in zip(
        queries, FaissIndex(base).traced(queries, 10, only=only), strict=True
    ):
        truth = nearest_of(only, rows[only], query, 10)
        found += len(set(hits) & set(truth))
        ways.add(trace.plan.way)
    assert found >= 0.99 * 400
    assert ways <= {Way.FILTERED_GRAPH, Way.EXACT}


def test_codes_get_shorter_in_this_order() -> None:
    rows, keys = random_rows(300, 64), np.arange(300, dtype=np.int64)
    sizes = [
        build(keys, rows, Kind.HNSW, quantisation=Quantisation(name)).code_size
        for name in ("float32", "fp16", "sq8", "rabitq", "pq")
    ]
    assert sizes[:3] == [256, 128, 64]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("count", "dim"), [(1, 8), (3, 7), (40, 3), (300, 13)])
def test_words_of_a_quantiser_fit_any_number_of_rows_and_dimensions(count: int, dim: int) -> None:
    base = build(
        np.arange(count, dtype=np.int64),
        random_rows(count, dim),
        Kind.HNSW,
        quantisation=Quantisation.PQ,
    )
    assert len(FaissIndex(base).search(random_rows(1, dim), count)[0]) == count


def test_codes_of_8_bits_are_never_more_wrong_than_they_say(tmp_path: Path) -> None:
    rows, keys = random_rows(5_000, 48), np.arange(5_000, dtype=np.int64)
    rows[7] = np.eye(48, dtype=np.float32)[3]  # far out of the range of all others
    write_file(build(keys, rows, Kind.HNSW, threads=2), tmp_path / "index")
    base = read_file(tmp_path / "index", Kind.HNSW, keys, rows)
    chosen = np.arange(0, 5_000, 2)
    for query in random_rows(5, 48, seed=1):
        rough, error = rough_scores(base, query, chosen)
        wrong = np.abs(rough - rows[chosen] @ query)
        assert wrong.max() <= error + 1e-6
        assert error < 0.05
        ((hits, trace),) = FaissIndex(base).traced(
            query[None], 10, only=chosen, plan=Plan(Way.EXACT)
        )
        assert hits == nearest_of(chosen, rows[chosen], query, 10)
        assert 10 <= trace.candidates < MANY


# --- a collection -------------------------------------------------------------------------------


def filled(store: Store, count: int = 300) -> Collection:
    collection = store.ensure("main")
    rows = random_rows(count, DIM)
    collection.put([Item(f"i{n}", Modality.TEXT, row) for n, row in enumerate(rows)])
    collection.publish()
    return collection


def test_a_collection_changes_its_codes_with_its_next_snapshot(settings: Settings) -> None:
    settings = settings.model_copy(update={"exact_limit": 100})
    with open_store(settings) as store:
        collection = filled(store)
        before = collection.nearest(random_rows(1, DIM)[0], 10)
        for name in ("rabitq", "float32"):
            collection.quantise(name)
            assert collection.publish()
            assert not collection.publish()
            index = collection.summary().index
            assert index["quantisation"] == name
            after = collection.nearest(random_rows(1, DIM)[0], 10)
            assert [hit.item.id for hit in after] == [hit.item.id for hit in before]
            assert collection.verify() == []
        assert (index["compression"], index["snapshot"]) == (1.0, 3)
        assert isinstance(index["bytes_an_item"], int)
        assert index["bytes_an_item"] > 4 * DIM
    with open_store(settings) as store:
        assert store.collection("main").summary().index["quantisation"] == "float32"


def test_a_small_collection_is_compared_whole_whatever_its_codes(store: Store) -> None:
    collection = filled(store, 20)
    collection.quantise("pq")
    assert not collection.publish()
    assert collection.summary().index["quantisation"] == "float32"


def test_unknown_codes_are_refused_with_those_there_are(store: Store) -> None:
    collection = filled(store, 3)
    with pytest.raises(InputError, match="float32, fp16, sq8, pq, rabitq"):
        collection.quantise("bits")
    store.delete("main")
    with pytest.raises(UnknownCollectionError):
        collection.quantise("pq")


# --- masked rows --------------------------------------------------------------------------------


def test_half_of_a_graph_may_be_dropped_one_by_one() -> None:
    rows, keys = random_rows(1_000), np.arange(0, 3_000, 3, dtype=np.int64)
    index = FaissIndex(build(keys, rows, Kind.HNSW))
    gone = np.random.default_rng(0).permutation(keys)[:500]
    for key in gone:
        index.drop(np.array([key, key + 1], np.int64))
    left = np.setdiff1d(keys, gone)
    assert len(index) == 500
    assert index.keys().tolist() == left.tolist() == index.held()[0].tolist()
    assert not any(int(key) in index for key in gone[:9])
    for query in random_rows(5, seed=1):
        truth = nearest_of(left, rows[left // 3], query, 10)
        assert index.search(query[None], 10)[0] == truth
        assert index.search(query[None], 10, only=left)[0] == truth
        few = np.concatenate([left[:20], gone[:20]])
        expected = nearest_of(left[:20], rows[left[:20] // 3], query, 10)
        assert index.search(query[None], 10, only=few)[0] == expected


def test_a_filter_asked_again_sees_what_was_written_between() -> None:
    rows, keys = random_rows(200), np.arange(200, dtype=np.int64)
    index = FaissIndex(build(keys, rows, Kind.HNSW))
    only = keys[:100]
    assert index.search(rows[:1], 1, only=only)[0][0].key == 0
    index.drop(keys[:1])
    assert index.search(rows[:1], 1, only=only)[0][0].key != 0
    index.add(keys[1:2], rows[:1])
    assert index.search(rows[:1], 1, only=only)[0][0].key == 1


def test_a_load_is_published_without_being_read_into_memory_first(settings: Settings) -> None:
    with open_store(settings.model_copy(update={"exact_limit": 100})) as store:
        collection = store.ensure("main")
        rows = random_rows(300, DIM)
        collection.put([Item(f"i{n}", Modality.TEXT, row) for n, row in enumerate(rows)])
        assert collection._catalog.written_since(collection._entry, 0) == (300, 300)
        assert collection._index._is_far_behind()
        assert collection.publish(least=1_000)
        assert not collection._index._is_far_behind()
        collection.drop(["i1", "i2"])
        assert collection._catalog.written_since(collection._entry, 1) == (2, 298)
        assert not collection.publish(least=1_000)
        assert len(collection.nearest(rows[1], 300)) == 298


# --- mapped rows --------------------------------------------------------------------------------


def test_mapped_rows_are_let_go_of_and_come_back(tmp_path: Path) -> None:
    rows = random_rows(5_000)
    save(tmp_path / "rows.npy", rows)
    found, pages = mapped(tmp_path / "rows.npy", whole=0)
    assert pages is not None
    assert np.array_equal(found, rows)
    let_go: list[int] = []

    class Watched:
        def madvise(self, advice: int) -> None:
            let_go.append(advice)

    few = Pages(found, Watched(), most=10 * AROUND)  # type: ignore[arg-type]
    for _ in range(6):
        few.looked_up(5)
    assert len(let_go) == 2
    pages.looked_up(10**9)
    assert np.array_equal(found, rows)


def test_a_small_file_stays_in_memory(tmp_path: Path) -> None:
    rows = random_rows(5)
    save(tmp_path / "rows.npy", rows)
    assert mapped(tmp_path / "rows.npy", whole=rows.nbytes)[1] is None
    assert mapped(tmp_path / "rows.npy", whole=rows.nbytes - 1)[1] is not None
