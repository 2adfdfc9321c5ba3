"""The promise of filters, on a graph: exactly min(k, matching), the nearest, never another.

A collection of 10,000 items that is searched by a graph, against brute force over the same rows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as routine
from hypothesis import strategies as st
from numpy.typing import NDArray

from latent.catalog.catalog import Catalog
from latent.catalog.opening import open_engine
from latent.catalog.rows import Entry
from latent.collection import Collection
from latent.index.plans import Way, choose
from latent.index.served import Limits
from latent.items import Hit, Item, Modality
from latent.models.colours import DIM
from latent.settings import Settings
from latent.wiring import CATALOG, INDEX, open_store

COUNT = 10_000
SHARES = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.35, 0.5, 0.8, 1.0)


def unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")
    return scaled


ROWS = unit(np.random.default_rng(0).standard_normal((COUNT, DIM)))
LOT = np.random.default_rng(1).permutation(COUNT)
FROM_NORTH = np.argsort(np.argsort(-ROWS[:, 0]))
"""Rank by nearness to the first axis: a filter on it has to do with what is asked."""


def mark(row: NDArray[np.float32]) -> bytes:
    """A row as it is told from others; its last bits change when it is scaled to length 1."""
    return (row.round(3) + np.float32(0)).tobytes()


def made(n: int, **changed: Any) -> Item:
    known = {"lot": int(LOT[n]), "rank": int(FROM_NORTH[n]), "own": n}
    modality = Modality.IMAGE if n % 2 else Modality.TEXT
    return Item(f"i{n}", modality, ROWS[n], metadata=known | changed)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    folder = tmp_path_factory.mktemp("data")
    settings = Settings(data=folder, model="colours", threads=2, exact_limit=100)
    with open_store(settings) as store:
        filled = store.ensure("main")
        filled.put([made(n) for n in range(COUNT)])
        filled.publish()
        assert filled.summary().index["kind"] == "hnsw"
        yield filled


def numbers(hits: Iterable[Hit]) -> list[int]:
    return [int(hit.item.id[1:]) for hit in hits]


def truly_nearest(query: NDArray[np.float32], matching: NDArray[Any], k: int) -> list[int]:
    scores = ROWS[matching].astype(np.float64) @ query.astype(np.float64)
    found: list[int] = matching[np.argsort(-scores, kind="stable")[:k]].tolist()
    return found


@pytest.mark.parametrize("field", ["lot", "rank", "from the far end"])
@pytest.mark.parametrize("share", SHARES)
def test_recall_at_10_is_kept_at_every_selectivity(
    collection: Collection, share: float, field: str
) -> None:
    limit = round(share * COUNT)
    where: dict[str, Any] = {field: {"$lt": limit}}
    values = LOT if field == "lot" else FROM_NORTH
    if field == "from the far end":  # what matches is what is farthest from the question
        where, values = {"rank": {"$gte": COUNT - limit}}, COUNT - 1 - FROM_NORTH
    matching = np.flatnonzero(values < limit)
    asked = unit(np.random.default_rng(2).standard_normal((30, DIM)) + 2 * np.eye(1, DIM))
    kept = 0
    ways = set()
    for query in asked:
        found = collection.explained(query, 10, where=where)
        ways.add(found.explain["plan"])
        assert found.explain["matched"] == len(matching)
        assert len(found.hits) == min(10, len(matching))
        assert set(numbers(found.hits)) <= set(matching.tolist())
        kept += len(set(numbers(found.hits)) & set(truly_nearest(query, matching, 10)))
    assert kept >= 0.99 * len(asked) * min(10, len(matching))
    assert ways == {"filtered graph" if share > 0.32 else "exact"}


@routine(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 300),
    low=st.integers(0, COUNT),
    width=st.sampled_from([round(share * COUNT) for share in SHARES]),
    modality=st.none() | st.sampled_from(Modality),
    field=st.sampled_from(["lot", "rank", "own"]),
)
def test_exactly_as_many_as_match_are_found_and_never_another(
    collection: Collection,
    seed: int,
    k: int,
    low: int,
    width: int,
    modality: Modality | None,
    field: str,
) -> None:
    query = unit(np.random.default_rng(seed).standard_normal((1, DIM)))[0]
    values = {"lot": LOT, "rank": FROM_NORTH, "own": np.arange(COUNT)}[field]
    matches = (values >= low) & (values < low + width)
    if modality is not None:
        matches &= (np.arange(COUNT) % 2 == 1) == (modality is Modality.IMAGE)
    matching = np.flatnonzero(matches)
    where: dict[str, Any] = {field: {"$gte": low, "$lt": low + width}}
    hits = collection.nearest(query, k, where=where, modality=modality)
    found = numbers(hits)
    assert len(found) == len(set(found)) == min(k, len(matching))
    assert set(found) <= set(matching.tolist())
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_the_plan_follows_selectivity() -> None:
    ways = [choose(1_000_000, allowed, 36, is_filtered=True) for allowed in (0, 9, 30_000, 40_000)]
    assert [plan.way for plan in ways] == [
        Way.NOTHING, Way.EXACT, Way.EXACT, Way.FILTERED_GRAPH,
    ]  # fmt: skip
    assert ways[-1].effort == 128 * 25
    assert choose(1_000_000, 1_000_000, 36, is_filtered=False).way is Way.GRAPH
    # Whoever asks for thousands is better served by looking at all.
    assert choose(60_000, 60_000, 8_016, is_filtered=False).way is Way.EXACT


# --- while items come and go --------------------------------------------------------------------


class Changeable(Catalog):
    """A catalog in which something happens between the search and the reading of its hits."""

    happens: Any = None

    def by_key(self, entry: Entry, keys: Iterable[int]) -> dict[int, Item]:
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        return super().by_key(entry, keys)


@pytest.fixture
def small(settings: Settings) -> Iterator[tuple[Collection, Changeable]]:
    settings.data.mkdir()
    catalog = Changeable(open_engine(f"sqlite:///{settings.data / CATALOG}"))
    with open_store(settings) as store:
        entry_of = store.ensure("main")
        entry_of.put([made(n, kept=True) for n in range(200)])
    entry = catalog.entry("main")
    yield Collection(catalog, entry, settings.data / INDEX / entry.uid, Limits()), catalog
    catalog.close()


def test_what_changed_under_the_search_is_no_hit_any_more(
    small: tuple[Collection, Changeable],
) -> None:
    collection, catalog = small
    before = numbers(collection.nearest(ROWS[0], 6, where={"kept": True}))
    changed, dropped = before[0], before[1]

    def happens() -> None:
        collection.put([made(changed, kept=False)])
        collection.drop([f"i{dropped}"])

    catalog.happens = happens
    found = numbers(collection.nearest(ROWS[0], 4, where={"kept": True}))
    assert found == before[2:6]


def test_what_became_another_kind_of_thing_is_no_hit_any_more(
    small: tuple[Collection, Changeable],
) -> None:
    collection, catalog = small
    first = collection.nearest(ROWS[0], 1, modality=Modality.TEXT)[0].item
    catalog.happens = lambda: collection.put([replace(first, modality=Modality.IMAGE)])
    found = collection.nearest(ROWS[0], 3, modality=Modality.TEXT)
    assert len(found) == 3
    assert first.id not in {hit.item.id for hit in found}


def test_no_hit_ever_fails_its_filter_while_items_come_and_go(
    small: tuple[Collection, Changeable],
) -> None:
    """At every moment 150 or 151 items are kept."""
    collection, _ = small
    collection.put([made(n, kept=False) for n in range(150, 200)])
    failures: list[str] = []
    is_done = threading.Event()

    def search() -> None:
        while not is_done.is_set():
            hits = collection.nearest(ROWS[160], 140, where={"kept": True})
            if len(hits) != 140 or not all(hit.item.metadata["kept"] for hit in hits):
                failures.append(f"{len(hits)} hits")

    readers = [threading.Thread(target=search) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(40):
        n = 150 + turn
        collection.put([made(n, kept=True), made(n - 1 if turn else 199, kept=False)])
    is_done.set()
    for reader in readers:
        reader.join()
    assert not failures


# --- what others need ---------------------------------------------------------------------------


def test_a_sample_is_the_same_for_the_same_seed_and_of_one_kind(collection: Collection) -> None:
    sample = collection.sample(500, modality=Modality.IMAGE, seed=3)
    assert sample.shape == (500, DIM)
    np.testing.assert_array_equal(sample, collection.sample(500, modality=Modality.IMAGE, seed=3))
    assert (sample != collection.sample(500, modality=Modality.IMAGE, seed=4)).any()
    of_images = {mark(row) for row in ROWS[1::2]}
    assert {mark(row) for row in sample} <= of_images
    assert len({mark(row) for row in sample}) == 500
    assert collection.sample(COUNT + 1).shape == (COUNT, DIM)


def test_a_sample_takes_in_what_came_after_the_snapshot_and_leaves_out_what_went(
    small: tuple[Collection, Changeable],
) -> None:
    collection, _ = small
    collection.publish(force=True)
    collection.drop(["i0"])
    collection.put([made(500)])
    sample = {mark(row) for row in collection.sample(1_000)}
    assert len(sample) == 200
    assert mark(ROWS[500]) in sample
    assert mark(ROWS[0]) not in sample


def test_vectors_are_had_by_id_in_the_order_asked(collection: Collection) -> None:
    np.testing.assert_allclose(collection.vectors_of(["i7", "i3"]), ROWS[[7, 3]], atol=1e-6)
    assert collection.vectors_of([]).shape == (0, DIM)


def test_a_page_of_the_same_question_is_not_matched_again(collection: Collection) -> None:
    asked = []

    class Counting(Catalog):
        def matching(self, *args: Any, **how: Any) -> Any:
            asked.append(how)
            return super().matching(*args, **how)

    counting = Counting(collection._catalog._engine)
    again = Collection(counting, collection._entry, Path("nowhere"), Limits())
    for where in ({"own": 1}, {"own": 1}, {"own": True}, {"own": 1.0}):
        again.nearest(ROWS[0], 3, where={"$uri": {"$exists": True}, **where})
    assert len(asked) == 3  # 1, true and 1.0 are equal to Python
