"""Collections that change places, and how they are compared before."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from latent.comparing import compare
from latent.errors import InputError, UnknownCollectionError
from latent.items import Item, Modality, Vector
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store

COUNT = 60


def unit(row: Vector) -> Vector:
    made: Vector = row / np.linalg.norm(row)
    return made


def items(dim: int, *, seed: int = 0, word: str = "", count: int = COUNT) -> list[Item]:
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return [Item(f"i{n}", Modality.TEXT, unit(row), text=word) for n, row in enumerate(rows)]


@pytest.fixture
def two(store: Store) -> Store:
    store.ensure("main", "vectors:4").put(items(4, word="old"))
    store.ensure("next", "vectors:8").put(items(8, word="new"))
    return store


def test_names_change_places_and_back_and_items_stay_with_their_space(two: Store) -> None:
    old, new = two.collection("main"), two.collection("next")
    two.switch("main", "next")
    assert two.collection("main") is new
    assert (new.name, old.name) == ("main", "next")
    assert {name: space.dim for name, space in two.spaces().items()} == {"main": 8, "next": 4}
    assert new.nearest(items(8)[7].vector, 1)[0].item.id == "i7"
    assert [summary.name for summary in two.collections()] == ["main", "next"]
    two.switch("next", "main")
    assert two.collection("main") is old
    assert old.verify() == new.verify() == []


def test_another_process_sees_the_switch_with_its_next_question(settings: Settings) -> None:
    with open_store(settings) as ours, open_store(settings) as theirs:
        ours.ensure("main", "vectors:4")
        ours.ensure("next", "vectors:8")
        held = theirs.collection("main")
        ours.switch("main", "next")
        assert theirs.collection("main").space.dim == 8
        assert (held.name, held.space.dim) == ("next", 4)


def test_only_two_collections_that_are_there_are_switched(two: Store) -> None:
    with pytest.raises(UnknownCollectionError, match="'nothing'"):
        two.switch("main", "nothing")
    with pytest.raises(InputError, match="not with itself"):
        two.switch("main", "main")
    assert {name: space.dim for name, space in two.spaces().items()} == {"main": 4, "next": 8}


def test_whoever_asks_for_a_name_gets_all_of_one_collection(two: Store) -> None:
    """One thread switches, others ask: each answer is whole, and both kinds of answers come."""
    is_over = threading.Event()

    def ask() -> set[tuple[int, str]]:
        seen = set()
        while not is_over.is_set():
            collection = two.collection("main")
            dim = collection.space.dim
            found = collection.nearest(items(dim)[3].vector, 5)
            seen.add((dim, found[0].item.id))
            seen |= {(dim, str(hit.item.text)) for hit in found}
        return seen

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask) for _ in range(3)]
        for _ in range(40):
            two.switch("main", "next")
        is_over.set()
        seen = set.union(*(one.result() for one in asked))
    assert seen <= {(4, "old"), (4, "i3"), (8, "new"), (8, "i3")}
    assert {dim for dim, _ in seen} == {4, 8}


def test_the_same_vectors_have_the_same_neighbours(store: Store) -> None:
    first, second = store.ensure("a", "vectors:8"), store.ensure("b", "vectors:8")
    first.put(items(8))
    second.put([*items(8, count=50), Item("x", Modality.TEXT, unit(np.ones(8, np.float32)))])
    found = compare(first, second)
    assert (found.common, found.only, found.overlap) == (50, (10, 1), 1.0)
    assert (found.asked, found.k) == (50, 10)


def test_unlike_spaces_share_as_many_neighbours_as_chance_has_it(two: Store) -> None:
    found = compare(two.collection("main"), two.collection("next"), k=10)
    assert found.overlap == pytest.approx(10 / (COUNT - 1), abs=0.1)
    assert found == compare(two.collection("main"), two.collection("next"), k=10)


def test_what_cannot_be_compared_says_so(store: Store) -> None:
    first, second = store.ensure("a", "vectors:8"), store.ensure("b", "vectors:8")
    first.put(items(8, count=1))
    second.put(items(8, count=1))
    assert compare(first, second).overlap is None
    with pytest.raises(InputError, match="not with itself"):
        compare(first, first)
