"""Maps and groups, on clouds of points whose groups are known."""

from __future__ import annotations

import gc
import shutil
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from latent.collection import Collection
from latent.items import Item, Modality, Vectors
from latent.settings import Settings
from latent.store import Store
from service.explore import kept, landscape
from service.explore.cloud import cloud_of, gap
from service.explore.clustering import clusters_of, nearest_of, neighbours_of
from service.explore.groups import grouped, outliers_of
from service.explore.projecting import Method, placed_among, projected, trustworthiness, within
from service.explore.surveys import StoppedError, Surveys
from service.explore.vocabulary import vocabulary_of, words

DIM = 16


def blobs(*sizes: int, spread: float = 0.05, seed: int = 1) -> Vectors:
    """Unit rows around as many random directions as there are sizes."""
    random = np.random.default_rng(seed)
    middles = np.linalg.qr(random.normal(size=(DIM, DIM)))[0][: len(sizes)]
    rows = np.repeat(middles, sizes, axis=0) + random.normal(0, spread, (sum(sizes), DIM))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def filled(store: Store, rows: Vectors, *, texts: int = 0) -> Collection:
    collection = store.ensure("main")
    kinds = [Modality.TEXT] * texts + [Modality.IMAGE] * (len(rows) - texts)
    collection.put(
        [Item(f"i{n}", kind, row) for n, (kind, row) in enumerate(zip(kinds, rows, strict=True))]
    )
    return collection


# --- clusters and neighbours ----------------------------------------------------------------------


def test_clusters_are_those_that_were_made() -> None:
    labels = clusters_of(blobs(40, 60, 50), 3).labels
    assert [len(set(part.tolist())) for part in np.split(labels, [40, 100])] == [1, 1, 1]
    assert len(set(labels.tolist())) == 3


def test_copies_of_one_thing_are_one_cluster() -> None:
    assert len(clusters_of(np.repeat(blobs(1), 9, axis=0), 4).centres) == 1


def test_neighbours_are_the_nearest_others_in_order() -> None:
    rows = blobs(30, 30)
    found = neighbours_of(rows, 4)
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -2)
    best = np.sort(likeness, axis=1)[:, ::-1][:, :4]
    np.testing.assert_allclose(found.cosines, best, atol=1e-6)
    assert not (found.places == np.arange(60)[:, None]).any()


def test_neighbours_in_cells_are_nearly_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = blobs(*[40] * 12, spread=0.2)
    exact = neighbours_of(rows, 5).places
    monkeypatch.setattr("service.explore.clustering.EXACT", 10)
    monkeypatch.setattr("service.explore.clustering.CELLS_SEEN", 6)
    near = neighbours_of(rows, 5).places
    kept_of = [len(set(a) & set(b)) / 5 for a, b in zip(exact.tolist(), near.tolist(), strict=True)]
    assert 0.8 < float(np.mean(kept_of)) < 1


def test_neighbours_are_the_same_by_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.explore.clustering.EXACT", 10)
    rows = blobs(*[40] * 15)
    one, many = (neighbours_of(rows, 10, threads=threads) for threads in (1, 4))
    np.testing.assert_array_equal(one.places, many.places)
    np.testing.assert_array_equal(one.cosines, many.cosines)


def test_a_search_for_neighbours_can_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.explore.clustering.EXACT", 10)
    told = []

    def stop(done: float) -> None:
        told.append(done)
        raise StoppedError("no longer wanted")

    with pytest.raises(StoppedError):
        neighbours_of(blobs(*[40] * 15), 10, threads=2, progress=stop)
    assert len(told) == 1


def test_few_rows_have_as_many_neighbours_as_there_are() -> None:
    assert neighbours_of(blobs(3), 15).places.shape == (3, 2)
    assert neighbours_of(blobs(1), 15).places.shape == (1, 0)
    assert nearest_of(blobs(2), blobs(1), 5).places.shape == (2, 1)


# --- groups ---------------------------------------------------------------------------------------


def test_groups_hold_what_lies_together() -> None:
    found = grouped(blobs(80, 70, 60, 50))
    tops = [group for group in found.groups if group.parent is None]
    assert sorted(group.size for group in tops) == [50, 60, 70, 80]
    assert sum(group.size for group in found.groups if group.parent is not None) == 260


def test_groups_are_the_same_by_many_threads() -> None:
    rows = blobs(*[40] * 8, spread=0.15)
    one, many = (grouped(rows, threads=threads) for threads in (1, 4))
    np.testing.assert_array_equal(one.labels, many.labels)
    assert [group.central for group in one.groups] == [group.central for group in many.groups]


def test_examples_are_members_the_central_ones_nearest_to_the_centre() -> None:
    rows = blobs(80, 70, 60)
    for number, group in enumerate(grouped(rows).groups):
        if group.parent is None:
            best = float((rows[group.central] @ group.centre).min())
            assert best > float((rows[group.border] @ group.centre).mean()), number


def test_a_handful_is_one_group_and_nothing_is_none() -> None:
    assert [group.parent for group in grouped(blobs(6)).groups] == [None, 0]
    assert grouped(blobs(3)[:0]).groups == []


def test_what_is_like_nothing_else_is_an_outlier() -> None:
    rows = np.vstack([blobs(60, 60)[:120], -blobs(1, 1, 1)[2:]])
    found = outliers_of(neighbours_of(rows, 10), kinds=np.zeros(121, np.int64))
    assert found.places[0] == 120
    assert found.deviations == sorted(found.deviations)


# --- maps -----------------------------------------------------------------------------------------


def test_a_map_keeps_neighbours_together() -> None:
    rows = blobs(60, 60, 60)
    near = neighbours_of(rows, 15)
    flat = projected(rows, near, Method.PCA, threads=1)
    assert float(np.abs(flat).max()) == pytest.approx(1)
    assert (trustworthiness(rows, flat) or 0) > 0.8
    shuffled = np.random.default_rng(0).permutation(flat)
    assert (trustworthiness(rows, shuffled) or 1) < 0.6


def test_tsne_keeps_them_better_and_tells_how_far_it_is() -> None:
    pytest.importorskip("openTSNE")
    rows = blobs(*[40] * 6, spread=0.15)
    near = neighbours_of(rows, 15)
    told: list[float] = []
    flat = projected(rows, near, Method.TSNE, threads=1, progress=told.append)
    better = trustworthiness(rows, flat) or 0
    assert better > (trustworthiness(rows, projected(rows, near, Method.PCA, threads=1)) or 1)
    assert told == sorted(told)
    assert told[-1] == 1


@pytest.mark.parametrize("n", range(4))
def test_a_few_points_have_places_too(n: int) -> None:
    flat = projected(blobs(5)[:n], neighbours_of(blobs(5)[:n], 15), Method.PCA, threads=1)
    assert flat.shape == (n, 2)
    assert np.isfinite(flat).all()


def test_points_of_one_place_stay_finite() -> None:
    assert np.isfinite(within(np.ones((4, 2)))).all()


def test_a_new_item_stands_among_its_neighbours() -> None:
    points = np.array([[0, 0], [1, 1], [-1, -1]], np.float32)
    rows = blobs(1, 1, 1)
    placed = placed_among(nearest_of(rows[1:2], rows, 3), points)
    np.testing.assert_allclose(placed, [[1, 1]], atol=0.01)


# --- the landscape of a collection ----------------------------------------------------------------


def built(collection: Collection) -> landscape.Landscape:
    return landscape.built(cloud_of(collection), None, Method.PCA, threads=1)


def test_the_gap_between_photos_and_texts_is_told_and_taken_away(store: Store) -> None:
    rows = blobs(30, 30)
    cloud = cloud_of(filled(store, rows, texts=30))
    found = gap(cloud.means())
    assert found is not None
    assert found > 1
    centred = cloud.centred()
    is_text = cloud.of(Modality.TEXT)
    between = centred[is_text].mean(0) - centred[~is_text].mean(0)
    assert float(np.linalg.norm(between)) < 0.2
    assert built(store.collection("main")).about.gap == pytest.approx(found)


def test_what_comes_later_moves_nothing(store: Store) -> None:
    rows = blobs(40, 40)
    collection = filled(store, rows)
    before = built(collection)
    collection.put([Item("new", Modality.IMAGE, rows[3])])
    collection.drop(["i7"])
    after = landscape.followed(before, cloud_of(collection))
    shared = np.isin(before.keys, after.keys)
    np.testing.assert_array_equal(before.points[shared], after.points[:-1])
    assert np.abs(after.points[-1] - before.points[3]).max() < 0.1
    assert after.labels[-1] == before.labels[3]
    assert after.placed.tolist() == [False] * 79 + [True]


def test_an_item_that_was_replaced_is_placed_anew(store: Store) -> None:
    rows = blobs(40, 40)
    collection = filled(store, rows)
    before = built(collection)
    collection.put([Item("i0", Modality.IMAGE, rows[50])])
    after = landscape.followed(before, cloud_of(collection))
    assert np.abs(after.points[0] - before.points[50]).max() < 0.1
    assert after.placed.sum() == 1


def test_a_landscape_is_kept_as_it_was(store: Store, tmp_path: Path) -> None:
    before = built(filled(store, blobs(40, 40), texts=20))
    landscape.save(tmp_path, before)
    after = landscape.load(tmp_path)
    assert after is not None
    assert after.about == before.about
    np.testing.assert_array_equal(after.points, before.points)
    assert [(g.size, g.central) for g in after.groups] == [
        (g.size, g.central) for g in before.groups
    ]
    for modality, mean in before.means.items():
        np.testing.assert_array_equal(after.means[modality], mean)


def test_a_damaged_file_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "some.kept"
    kept.save(path, "form 1", {"a": 1}, {"b": np.arange(3)})
    held = kept.load(path, "form 1")
    assert held is not None
    assert held.about == {"a": 1}
    assert kept.load(path, "form 2") is None
    content = bytearray(path.read_bytes())
    content[-30] ^= 1
    path.write_bytes(content)
    assert kept.load(path, "form 1") is None


def test_an_empty_collection_has_an_empty_landscape(store: Store, settings: Settings) -> None:
    survey = Surveys(store).build(store.ensure("main"), Method.PCA)
    assert survey.ids == []
    again = Surveys(store).of(store.collection("main"))
    assert again is not None
    assert again.landscape.groups == []


# --- words ----------------------------------------------------------------------------------------


def test_the_words_are_many_and_each_is_there_once() -> None:
    assert len(words()) > 2_000
    assert len(set(words())) == len(words())
    assert all(word == word.strip() and word for word in words())


def test_the_words_nearest_to_a_direction_say_what_it_is(store: Store, tmp_path: Path) -> None:
    embedder = store.embedder("colours")
    for _ in range(2):  # the second time from the file
        vocabulary = vocabulary_of(embedder, tmp_path)
        green = embedder.embed_texts(["green"])[0] - vocabulary.middle
        assert vocabulary.nearest(green, 1)[0][0] == "green"
    assert list(tmp_path.glob("vocabulary-*.kept"))


def test_groups_of_texts_are_named_by_what_sets_them_apart(store: Store) -> None:
    collection = store.ensure("main")
    embedder = store.embedder_for(collection)
    said = [f"a {colour} thing" for colour in ("red", "green", "blue") for _ in range(20)]
    rows = embedder.embed_texts(said)
    collection.put(
        [
            Item(str(n), Modality.TEXT, row, text=text)
            for n, (row, text) in enumerate(zip(rows, said, strict=True))
        ]
    )
    found = Surveys(store).build(collection, Method.PCA).landscape.groups
    names = {group.words[0] for group in found if group.parent is None}
    assert names == {"red", "green", "blue"}


def test_a_map_needs_no_model(store: Store) -> None:
    collection = store.ensure("own", "vectors:16")
    rows = blobs(30, 30)
    collection.put([Item(f"i{n}", Modality.IMAGE, row) for n, row in enumerate(rows)])
    survey = Surveys(store).build(collection, Method.PCA)
    assert len(survey.ids) == 60
    assert all(group.words == [] for group in survey.landscape.groups)


def test_no_landscape_is_held_of_a_collection_that_is_gone(store: Store) -> None:
    surveys = Surveys(store)
    built = surveys.build(filled(store, blobs(20, 20)), Method.PCA)
    gone = weakref.ref(built.landscape.points)
    del built
    assert gone() is not None
    store.delete("main")
    surveys.build(filled(store, blobs(10, 10)), Method.PCA)
    gc.collect()
    assert gone() is None


def test_a_map_is_shown_where_it_cannot_be_kept(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    surveys = Surveys(store)
    collection = filled(store, blobs(20, 20))
    surveys.build(collection, Method.PCA)
    collection.put([Item("late", Modality.IMAGE, blobs(1)[0])])
    shutil.rmtree(collection.views)
    collection.views.write_text("a file where the folder was")
    survey = surveys.of(collection)
    assert survey is not None
    assert "late" in survey.ids
    assert "is not kept" in caplog.text


class Slow:
    """A collection whose vectors are not there until somebody says so."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.is_asked, self.may_go = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._collection, name)

    def vectors(self) -> object:
        self.is_asked.set()
        assert self.may_go.wait(30)
        return self._collection.vectors()


def test_a_map_that_is_followed_keeps_nobody_from_another(store: Store) -> None:
    surveys = Surveys(store)
    first, second = store.ensure("first"), store.ensure("second")
    for one in (first, second):
        one.put([Item(f"i{n}", Modality.IMAGE, row) for n, row in enumerate(blobs(10, 10))])
        surveys.build(one, Method.PCA)
    first.put([Item("late", Modality.IMAGE, blobs(1)[0])])
    slow = Slow(first)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(surveys.of, cast(Collection, slow))
        assert slow.is_asked.wait(30)
        try:
            other = pool.submit(surveys.of, second).result(timeout=30)
        finally:
            slow.may_go.set()
        found = waiting.result(timeout=30)
    assert other is not None
    assert found is not None
    assert "late" in found.ids


def test_a_map_that_another_process_has_built_takes_the_place_of_the_old_one(
    store: Store,
) -> None:
    collection = filled(store, blobs(20, 20))
    here, there = Surveys(store), Surveys(store)
    first = here.build(collection, Method.PCA)
    assert here.of(collection) is first
    second = there.build(collection, Method.PCA)
    seen = here.of(collection)
    assert seen is not None
    assert seen is not first
    assert seen.landscape.about.made_at == second.landscape.about.made_at
    assert here.of(collection) is seen
