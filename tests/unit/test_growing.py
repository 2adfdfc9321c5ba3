"""A snapshot grows out of the one before: what is new is linked to it, what went stays out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from latent.catalog.catalog import Catalog
from latent.catalog.opening import open_engine
from latent.collection import Collection
from latent.errors import StoreError
from latent.index import publishing
from latent.index.bases import GONE, Kind, Quantisation, build, grown, write_file
from latent.index.exact import ExactIndex
from latent.index.faiss_index import FaissIndex
from latent.index.publishing import GROWN, MOST_GONE, MOST_GROWTH
from latent.index.recall import Questions, lines_of
from latent.index.served import Limits
from latent.items import Item, Modality
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings

DIM, COUNT = 16, 400
LIMITS = Limits(exact=50, apart=10_000)


def rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).standard_normal((count, DIM), np.float32)
    unit: NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


def items(names: list[int], seed: int) -> list[Item]:
    return [
        Item(f"i{name}", Modality.IMAGE, row, metadata={"name": name})
        for name, row in zip(names, rows(len(names), seed), strict=True)
    ]


class House:
    """A collection, a plain dictionary of what should be in it, and its newest manifest."""

    def __init__(self, settings: Settings) -> None:
        settings.data.mkdir()
        self.folder = settings.data / "index" / "one"
        self.catalog = Catalog(open_engine(f"sqlite:///{settings.data}/catalog.sqlite3"))
        self.entry = self.catalog.create("main", VectorsOnly(DIM).space)
        self.collection = self.opened()
        self.held: dict[str, NDArray[np.float32]] = {}
        self.put(list(range(COUNT)), seed=1)
        assert self.collection.publish()

    def opened(self) -> Collection:
        """As another process has it."""
        return Collection(self.catalog, self.entry, self.folder, LIMITS)

    def put(self, names: list[int], seed: int) -> None:
        some = items(names, seed)
        self.collection.put(some)
        self.held |= {item.id: item.vector for item in some}

    def drop(self, names: list[int]) -> None:
        self.collection.drop([f"i{name}" for name in names])
        for name in names:
            del self.held[f"i{name}"]

    @property
    def manifest(self) -> dict[str, Any]:
        newest = max(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())
        found: dict[str, Any] = json.loads(
            (self.folder / str(newest) / "manifest.json").read_text()
        )
        return found

    def require_all_is_found(self) -> None:
        ids = sorted(self.held)
        stacked = np.stack([self.held[one] for one in ids])
        for collection in (self.collection, self.opened()):
            assert collection.verify() == []
            assert collection.summary().searched == len(ids)
            for query in rows(10, seed=99):
                best = [ids[place] for place in np.argsort(-(stacked @ query))[:10]]
                assert [hit.item.id for hit in collection.nearest(query, 10)] == best
                few = [one for one in best if int(one[1:]) % 2]
                where: dict[str, Any] = {"name": {"$in": [int(one[1:]) for one in few]}}
                found = collection.nearest(query, 10, where=where)
                assert [hit.item.id for hit in found] == few


@pytest.fixture
def house(settings: Settings) -> House:
    return House(settings)


def test_what_came_is_linked_to_the_graph_that_was_there(house: House) -> None:
    house.put(list(range(COUNT, COUNT + 40)), seed=2)
    assert house.collection.publish()
    assert (house.manifest["built"], house.manifest["count"]) == (COUNT, COUNT + 40)
    assert house.manifest["recall"]["image"] > 0.98
    assert house.collection.summary().index["delta"] == 0
    house.require_all_is_found()


def test_what_was_replaced_or_dropped_is_never_found_in_its_old_place(house: House) -> None:
    house.put(list(range(10, 30)), seed=2)
    house.drop(list(range(40, 60)))
    assert house.collection.publish()
    assert (house.manifest["built"], house.manifest["count"]) == (COUNT, COUNT + 20)
    index = house.collection.summary().index
    assert (index["delta"], index["gone"]) == (0, 40)
    house.require_all_is_found()
    house.put([15, 41, 500], seed=3)
    house.drop([16])
    house.require_all_is_found()  # beside the snapshot
    assert house.collection.publish(force=True)
    assert house.collection.summary().index["gone"] == 42
    house.require_all_is_found()


def test_a_graph_that_has_grown_twofold_is_made_anew(house: House) -> None:
    count = COUNT
    while house.manifest["built"] == COUNT:
        step = int(MOST_GROWTH * count) - 5
        house.put(list(range(count, count + step)), seed=count)
        count += step
        assert house.collection.publish()
    assert house.manifest["built"] == house.manifest["count"] == count > GROWN * COUNT
    house.require_all_is_found()


def test_a_graph_of_which_much_is_gone_is_made_anew(house: House) -> None:
    gone: Any = 0
    for start in range(0, COUNT // 2, 50):
        house.drop(list(range(start, start + 50)))
        assert house.collection.publish()
        gone = house.collection.summary().index["gone"]
        assert gone <= MOST_GONE * house.manifest["count"]
    assert house.manifest["built"] == len(house.held) + gone < COUNT
    house.require_all_is_found()


def test_much_at_once_is_made_anew(house: House) -> None:
    house.put(list(range(COUNT, 2 * COUNT)), seed=2)
    assert house.collection.publish()
    assert house.manifest["built"] == house.manifest["count"] == 2 * COUNT


def test_nothing_new_is_made_anew_when_one_insists(house: House) -> None:
    before = house.manifest
    assert house.collection.publish(force=True)
    assert house.manifest == before


def test_a_graph_that_must_look_much_further_than_before_is_made_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "WORSE", 0.5)
    house.put([COUNT], seed=2)
    assert house.collection.publish(force=True)
    assert house.manifest["built"] == house.manifest["count"] == COUNT + 1
    house.require_all_is_found()


@pytest.mark.parametrize("codes", Quantisation)
def test_links_stay_when_codes_change_and_grow_under_any(house: House, codes: Quantisation) -> None:
    for wanted in (codes, codes, Quantisation.SQ8):
        house.put([len(house.held), 7], seed=len(house.held))
        house.collection.quantise(wanted.value)
        assert house.collection.publish(force=True)
        assert house.manifest["quantisation"] == wanted.value
        assert house.manifest["built"] == COUNT < house.manifest["count"]
        assert house.manifest["recall"]["image"] >= 0.98
        assert house.collection.verify() == []
    house.require_all_is_found()


def test_codes_change_where_nothing_else_did(house: House) -> None:
    house.collection.quantise("fp16")
    assert house.collection.publish()
    assert (house.manifest["quantisation"], house.manifest["built"]) == ("fp16", COUNT)
    house.require_all_is_found()


def test_a_damaged_snapshot_is_no_ground_to_build_on(house: House) -> None:
    (path,) = house.folder.glob("*/vectors.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    house.put([COUNT], seed=2)
    assert house.collection.publish(force=True)
    assert house.manifest["built"] == len(house.held)
    house.require_all_is_found()


def test_a_snapshot_that_says_nothing_of_how_it_was_built_grows_too(house: House) -> None:
    (path,) = house.folder.glob("*/manifest.json")
    said = json.loads(path.read_text())
    del said["built"]
    path.write_text(json.dumps(said | {"format": 3}))
    house.put([COUNT], seed=2)
    assert house.collection.publish(force=True)
    assert (house.manifest["built"], house.manifest["count"]) == (COUNT, COUNT + 1)
    house.require_all_is_found()


def test_rows_that_are_gone_are_no_neighbours_that_should_be_found(tmp_path: Path) -> None:
    vectors, keys = rows(300), np.arange(1, 301)
    write_file(build(keys[:250], vectors[:250], Kind.HNSW), tmp_path / "graph")
    keys[[3, 7, 200]] = GONE
    base = grown(tmp_path / "graph", keys, vectors)
    assert base.gone.tolist() == [3, 7, 200]
    oracle, index = ExactIndex(DIM), FaissIndex(base)
    oracle.add(keys[keys != GONE], vectors[keys != GONE])
    assert len(index) == 297
    asked = vectors[[3, 7, 200, 299]]
    found, best = index.search(asked, 10), oracle.search(asked, 10)
    assert found == best
    lines = lines_of(base, Questions(asked, np.full(4, -1)))
    np.testing.assert_allclose(lines, [hits[-1].score for hits in best], atol=1e-5)


def test_what_is_no_graph_does_not_grow(tmp_path: Path) -> None:
    (tmp_path / "graph").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="graph is not a readable index"):
        grown(tmp_path / "graph", np.arange(1, 5), rows(4))
    write_file(build(np.arange(1, 4), rows(3), Kind.EXACT), tmp_path / "flat")
    with pytest.raises(StoreError, match="flat holds no graph"):
        grown(tmp_path / "flat", np.arange(1, 5), rows(4))
