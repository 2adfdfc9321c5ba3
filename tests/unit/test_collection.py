"""Collections: catalog and index in step, among processes and after accidents."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from latent.catalog.catalog import Catalog
from latent.catalog.opening import open_engine
from latent.catalog.rows import Entry
from latent.collection import Collection
from latent.errors import (
    FilterError,
    InputError,
    NewerCatalogError,
    SourceMissingError,
    SpaceMismatchError,
    StoreError,
    UnknownCollectionError,
    UnknownItemError,
)
from latent.items import Item, Modality, Passage, Source, Vector
from latent.models import registry
from latent.models.colours import DIM
from latent.models.loaded import LoadedModels
from latent.settings import Settings
from latent.store import Store
from latent.wiring import CATALOG, INDEX, open_store

ROOT = Path(__file__).parents[2]


def place(*numbers: float) -> Vector:
    """A unit vector that begins with these numbers."""
    row = np.zeros(DIM, np.float32)
    row[: len(numbers)] = numbers
    return row / np.linalg.norm(row)


def item(item_id: str, vector: Vector, **known: object) -> Item:
    return Item(item_id, Modality.TEXT, vector, **known)  # type: ignore[arg-type]


def random_items(count: int, seed: int = 0) -> list[Item]:
    rows = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    return [
        item(f"i{n}", row / np.linalg.norm(row), metadata={"number": n, "even": n % 2 == 0})
        for n, row in enumerate(rows)
    ]


def ids(hits: Sequence[object]) -> list[str]:
    return [hit.item.id for hit in hits]  # type: ignore[attr-defined]


@pytest.fixture
def collection(store: Store) -> Collection:
    return store.ensure("main")


def test_what_was_put_is_found_by_the_next_query(collection: Collection) -> None:
    assert collection.nearest(place(1), 3) == []
    collection.put([item("a", place(1, 0.1)), item("b", place(0, 1))])
    assert ids(collection.nearest(place(1), 3)) == ["a", "b"]
    collection.put([item("b", place(1))])
    assert ids(collection.nearest(place(1), 3)) == ["b", "a"]


def test_a_score_is_the_cosine(collection: Collection) -> None:
    collection.put([item("a", place(3, 4))])
    assert collection.nearest(place(1), 1)[0].score == pytest.approx(0.6, abs=1e-6)


def test_what_was_dropped_is_gone(collection: Collection) -> None:
    collection.put([item("a", place(1)), item("b", place(0, 1))])
    assert collection.drop(["a", "nobody"]) == 1
    assert ids(collection.nearest(place(1), 3)) == ["b"]
    with pytest.raises(UnknownItemError, match="'a'"):
        collection.get(["a"])


def test_an_item_comes_back_as_it_was_put(collection: Collection) -> None:
    passage = Passage("doc", 1, 3, 10, 20)
    whole = Item(
        "p/1 ü", Modality.TEXT, place(1), "notes/a.md", "words", passage,
        {"a": 1, "b": [True, None], "c": {"d": 0.5}}, "/somewhere/a.md", "hash",
    )  # fmt: skip
    collection.put([whole])
    (kept,) = collection.get(["p/1 ü"])
    np.testing.assert_array_equal(kept.vector, whole.vector)
    assert kept.metadata == whole.metadata
    assert (kept.uri, kept.text, kept.passage, kept.source, kept.content_hash) == (
        whole.uri, whole.text, whole.passage, whole.source, whole.content_hash
    )  # fmt: skip


def test_vectors_are_normalised_on_the_way_in(collection: Collection) -> None:
    collection.put([item("a", np.full(DIM, 7, np.float32))])
    (kept,) = collection.get(["a"])
    assert np.linalg.norm(kept.vector) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("vector", "error"),
    [
        (np.ones(3, np.float32), SpaceMismatchError),
        (np.full(DIM, np.nan, np.float32), InputError),
        (np.zeros(DIM, np.float32), InputError),
    ],
)
def test_a_vector_that_does_not_belong_stores_nothing(
    collection: Collection, vector: Vector, error: type[Exception]
) -> None:
    with pytest.raises(error):
        collection.put([item("good", place(1)), item("bad", vector)])
    assert collection.count() == 0
    with pytest.raises(error):
        collection.nearest(vector, 1)


def test_filters_are_exact_and_complete(collection: Collection) -> None:
    collection.put(random_items(40))
    hits = collection.nearest(place(1), 100, where={"even": True})
    assert len(hits) == 20
    assert all(hit.item.metadata["even"] for hit in hits)
    assert ids(collection.nearest(place(1), 5, where={"number": 7})) == ["i7"]
    assert collection.nearest(place(1), 5, where={"number": "7"}) == []
    assert collection.nearest(place(1), 5, where={"number": True}) == []
    assert collection.nearest(place(1), 5, where={"even": 1}) == []
    assert ids(collection.nearest(place(1), 5, where={"number": 7.0})) == ["i7"]
    assert collection.count(where={"even": False}) == 20
    assert collection.nearest(place(1), 5, modality=Modality.IMAGE) == []


@pytest.mark.parametrize(
    "where",
    [
        {"a": {"$above": 1}},
        {"$or": "x"},
        {"a": [1]},
        {"a": 1 << 80},
        {'a"b': 1},
        {"a\\b": 1},
        {"a\nb": 1},
        {"a\0b": 1},
    ],
)
def test_a_filter_that_is_not_understood_is_refused(
    collection: Collection, where: dict[str, object]
) -> None:
    with pytest.raises(FilterError):
        collection.count(where=where)  # type: ignore[arg-type]


def test_null_matches_what_is_missing(collection: Collection) -> None:
    collection.put([item("a", place(1), metadata={"x": 1}), item("b", place(1))])
    assert [found.id for found in collection.scroll(9, where={"x": None})] == ["b"]


def test_pages_hold_every_hit_once_even_among_ties(collection: Collection) -> None:
    collection.put([item(f"i{n}", place(1, n % 3)) for n in range(30)])
    seen: list[str] = []
    after = None
    while page := collection.nearest(place(1), 4, after=after):
        seen += ids(page)
        after = (page[-1].score, page[-1].item.id)
    assert len(seen) == 30
    assert seen == ids(collection.nearest(place(1), 30))


def test_scrolling_holds_every_item_once(collection: Collection) -> None:
    collection.put(random_items(25))
    seen: list[str] = []
    while page := collection.scroll(10, after=seen[-1] if seen else None):
        seen += [one.id for one in page]
    assert seen == [f"i{n}" for n in range(25)]


def test_another_process_sees_what_was_written(settings: Settings) -> None:
    with open_store(settings) as writer, open_store(settings) as reader:
        ours = writer.ensure("main")
        theirs = reader.collection("main")
        ours.put([item("a", place(1))])
        assert ids(theirs.nearest(place(1), 5)) == ["a"]
        theirs.put([item("b", place(0.9, 0.1))])
        ours.put([item("c", place(0.8, 0.4))])
        ours.drop(["a"])
        assert ids(ours.nearest(place(1), 5)) == ["b", "c"]
        assert ids(theirs.nearest(place(1), 5)) == ["b", "c"]
        assert ours.verify() == theirs.verify() == []


def test_a_snapshot_is_made_once_enough_changed_and_serves_after_a_restart(
    settings: Settings,
) -> None:
    with open_store(settings) as store:
        collection = store.ensure("main")
        collection.put(random_items(50))
        assert not collection.publish(least=1000)
        assert collection.publish()
        assert not collection.publish()
        collection.drop(["i3"])
        expected = ids(collection.nearest(place(1), 60))
    with open_store(settings) as store:
        collection = store.collection("main")
        assert collection.summary().index["snapshot"] == 1
        assert ids(collection.nearest(place(1), 60)) == expected
        assert collection.verify() == []


def test_a_large_collection_gets_a_graph(settings: Settings) -> None:
    small = settings.model_copy(update={"exact_limit": 100})
    with open_store(small) as store:
        collection = store.ensure("main")
        collection.put(random_items(300))
        before = collection.nearest(place(1), 10)
        collection.publish()
        assert collection.summary().index["kind"] == "hnsw"
        after = collection.nearest(place(1), 10)
        assert [hit.score for hit in before] == [hit.score for hit in after]
        assert len(collection.nearest(place(1), 10, where={"number": 5})) == 1
        assert collection.verify() == []


def snapshot_of(settings: Settings) -> Path:
    (folder,) = (settings.data / INDEX).iterdir()
    (snapshot,) = [path for path in folder.iterdir() if path.name.isdigit()]
    return snapshot


@pytest.mark.parametrize("name", ["index.faiss", "keys.npy", "manifest.json", "vectors.npy"])
@pytest.mark.parametrize("harm", ["flipped", "truncated", "deleted"])
def test_a_damaged_snapshot_is_named_passed_over_and_repaired(
    settings: Settings, name: str, harm: str
) -> None:
    settings = settings.model_copy(update={"exact_limit": 20})
    with open_store(settings) as store:
        store.ensure("main").put(random_items(50))
        store.collection("main").publish()
        expected = [h.score for h in store.collection("main").nearest(place(1), 5)]
    path = snapshot_of(settings) / name
    content = bytearray(path.read_bytes())
    if harm == "flipped":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    elif harm == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
    with open_store(settings) as store:
        collection = store.collection("main")
        assert [h.score for h in collection.nearest(place(1), 5)] == expected
        (flaw,) = collection.verify()
        assert flaw.startswith("snapshot 1: ")
        collection.repair()
        assert collection.verify() == []
        assert collection.summary().index["snapshot"] == 1


def test_a_lost_index_folder_costs_nothing_but_time(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main").put(random_items(30))
        store.collection("main").publish()
        expected = ids(store.collection("main").nearest(place(1), 30))
    shutil.rmtree(settings.data / INDEX)
    with open_store(settings) as store:
        assert ids(store.collection("main").nearest(place(1), 30)) == expected


def test_an_index_out_of_step_is_named_item_by_item(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main").put(random_items(30))
        store.collection("main").publish()
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM items WHERE id = 'i3'"))
        connection.execute(
            text(
                "UPDATE vectors SET vector = :v WHERE key = (SELECT key FROM items WHERE id = 'i4')"
            ),
            {"v": place(1).tobytes()},
        )
    engine.dispose()
    with open_store(settings) as store:
        damaged = "item i4 is damaged in the catalog: restore a backup, or put it in again"
        flaws = store.collection("main").verify()
        assert sorted(flaws) == [
            "a vector is kept for key 4, which is no item",
            "item i4 has another vector in the index",
            damaged,
            "the index holds key 4, which is no item",
            "words are kept for key 4, which is no item",
        ]
        store.collection("main").repair()
        # What is made anew says what the catalog says; a damaged item is not mended by guessing.
        assert store.collection("main").verify() == [damaged]


def test_a_deleted_collection_leaves_no_vectors(store: Store) -> None:
    store.ensure("main").put(random_items(30))
    store.ensure("other").put(random_items(3))
    store.delete("main")
    assert store.collection("other").verify() == []
    store.ensure("main").put(random_items(30))
    store.collection("main").drop(["i1", "i2"])
    assert store.collection("main").verify() == []


def test_a_snapshot_from_another_history_is_passed_over(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main").put(random_items(30))
    shutil.copy(settings.data / CATALOG, settings.data / "older")
    with open_store(settings) as store:
        store.collection("main").put([item("late", place(1))])
        store.collection("main").publish()
    for path in settings.data.glob(f"{CATALOG}*"):
        path.unlink()
    (settings.data / "older").rename(settings.data / CATALOG)
    with open_store(settings) as store:
        collection = store.collection("main")
        assert "late" not in ids(collection.nearest(place(1), 50))
        behind, newer = collection.verify()
        assert "write 2 was acknowledged" in behind
        assert "newer than the catalog" in newer


def test_sources_replace_what_they_gave_before(collection: Collection) -> None:
    source = Source("/photos/a.md", 10, 1, "h1")
    two = [item("a-0", place(1), source=source.path), item("a-1", place(0, 1), source=source.path)]
    collection.put_sources([(source, two)])
    collection.put([item("other", place(1))])
    collection.put_sources([(Source("/photos/a.md", 5, 2, "h2"), two[:1])])
    assert sorted(ids(collection.nearest(place(1), 9))) == ["a-0", "other"]
    assert collection.sources()["/photos/a.md"].content_hash == "h2"
    assert collection.drop_sources(["/photos/a.md"]) == 1
    assert collection.sources() == {}


def test_sources_are_found_below_a_folder_and_not_beside_it(collection: Collection) -> None:
    for path in ("/photos/a", "/photos/b/c", "/photos_2/d", "/photos"):
        collection.put_sources([(Source(path, 1, 1), [])])
    assert set(collection.sources(Path("/photos"))) == {"/photos", "/photos/a", "/photos/b/c"}
    assert len(collection.sources()) == 4


def test_a_failed_source_is_remembered_and_counted(collection: Collection) -> None:
    collection.put_sources([(Source("/a.jpg", 1, 1, None, "torn", "unreadable_image"), [])])
    assert collection.summary().failed == 1
    assert collection.sources()["/a.jpg"].failure == "torn"


def test_content_is_found_again_in_the_order_of_its_passages(collection: Collection) -> None:
    def passages(path: str) -> list[Item]:
        return [
            item(
                f"{path}{n}", place(1, n), source=path, content_hash="h",
                passage=Passage(path, n, 3, n, n + 1),
            )
            for n in (2, 0, 1)
        ]  # fmt: skip

    collection.put(passages("/a") + passages("/b"))
    found = collection.with_content(["h", "unknown"])
    assert [one.id for one in found["h"]] == ["/a0", "/a1", "/a2"]
    assert set(found) == {"h"}


def test_collections_stay_apart(store: Store) -> None:
    one, two = store.ensure("one"), store.ensure("two")
    one.put([item("a", place(1))])
    two.put([item("a", place(0, 1))])
    assert one.drop(["a"]) == 1
    assert ids(two.nearest(place(0, 1), 5)) == ["a"]
    store.delete("two")
    with pytest.raises(UnknownCollectionError, match="there are: one"):
        store.collection("two")
    with pytest.raises(UnknownCollectionError):
        two.nearest(place(1), 1)
    assert [one.name for one in store.collections()] == ["one"]


def test_a_collection_deleted_and_made_again_is_empty(store: Store) -> None:
    first = store.ensure("main")
    first.put(random_items(10))
    first.publish()
    store.delete("main")
    again = store.ensure("main")
    assert again.nearest(place(1), 5) == []
    with pytest.raises(UnknownCollectionError):
        first.put(random_items(1))


def test_two_models_do_not_share_a_collection(store: Store) -> None:
    store.ensure("main", "colours")
    with pytest.raises(SpaceMismatchError, match=r"vectors:5.*colours"):
        store.ensure("main", "vectors:5")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "x" * 101, "a b"])
def test_an_unfit_name_is_refused(store: Store, name: str) -> None:
    with pytest.raises(InputError, match="no name for a collection"):
        store.ensure(name)


def test_a_catalog_of_a_newer_version_is_refused_and_left_alone(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main").put(random_items(3))
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '99'"))
    with pytest.raises(NewerCatalogError, match="a newer version of Nea"), open_store(settings):
        pass
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM items")).scalar_one() == 3
    engine.dispose()


def test_a_database_of_something_else_is_left_alone(settings: Settings) -> None:
    settings.data.mkdir()
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE songs (name TEXT)"))
    engine.dispose()
    with pytest.raises(StoreError, match="something else"), open_store(settings):
        pass


def test_a_file_that_is_no_database_is_named(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / CATALOG).write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(StoreError, match="cannot be opened"), open_store(settings):
        pass


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings = Settings(data=tmp_path / "file" / "data", model="colours")
    with pytest.raises(StoreError, match="cannot write in"), open_store(settings):
        pass


def test_reading_makes_no_data_folder(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "nowhere", model="colours")
    missing = pytest.raises(SourceMissingError, match="nothing indexed")
    with missing, open_store(settings, must_exist=True):
        pass
    assert not (tmp_path / "nowhere").exists()


def test_searches_go_on_while_a_snapshot_is_published(collection: Collection) -> None:
    """Readers during writes, deletes and changes of snapshot: never an error, never a gap."""
    collection.put([item("still", place(1))])
    failures: list[str] = []
    is_done = threading.Event()

    def search() -> None:
        while not is_done.is_set():
            hits = collection.nearest(place(1), 3)
            if not hits or hits[0].item.id != "still":
                failures.append(f"found {ids(hits)}")
                return

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(search) for _ in range(2)]
        for turn in range(15):
            collection.put([item(f"t{turn}", place(0.5, 1)), item("other", place(0, 1, turn))])
            collection.drop([f"t{turn - 1}"])
            collection.publish()
        is_done.set()
        for reader in readers:
            reader.result()
    assert not failures
    assert collection.verify() == []
    assert collection.count() == 3


@pytest.mark.parametrize("name", ["größe", "日本", "a.b", "it's", "x[0]", "", "#-1"])
def test_a_filter_finds_names_of_every_script(collection: Collection, name: str) -> None:
    collection.put([item("a", place(1), metadata={name: 1}), item("b", place(1))])
    assert ids(collection.nearest(place(1), 5, where={name: 1})) == ["a"]


@pytest.mark.parametrize(
    "metadata", [{"x": float("nan")}, {"x": float("inf")}, {"x": {1}}, {"x": "\ud800"}]
)
def test_metadata_that_json_cannot_hold_is_refused_and_nothing_is_stored(
    collection: Collection, metadata: dict[str, object]
) -> None:
    with pytest.raises(InputError):
        collection.put([item("good", place(1)), item("bad", place(1), metadata=metadata)])
    assert collection.count() == 0


def test_an_id_that_is_no_text_is_refused_not_unknown(collection: Collection) -> None:
    with pytest.raises(InputError, match="half a character"):
        collection.find(["\ud800"])


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE vectors SET vector=zeroblob(7)",
        "DELETE FROM vectors",
        "UPDATE items SET metadata='{bad'",
    ],
)
def test_a_damaged_row_is_a_store_error(
    collection: Collection, settings: Settings, damage: str
) -> None:
    collection.put([item("a", place(1))])
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.begin() as connection:
        connection.execute(text(damage))
    engine.dispose()
    with pytest.raises(StoreError, match=r"cannot be read|holds (a|no) vector"):
        collection.scroll(10)
    with pytest.raises(StoreError, match=r"cannot be read|holds (a|no) vector"):
        collection.find(["a"])


class LosesGone(Catalog):
    """A catalog in which `gone` is deleted the moment that it was listed."""

    def entries(self) -> list[Entry]:
        found = super().entries()
        for entry in found:
            if entry.name == "gone":
                self.remove(entry)
        return found


def test_a_collection_deleted_while_all_are_listed_is_left_out(
    store: Store, settings: Settings
) -> None:
    store.ensure("gone")
    store.ensure("stays")
    catalog = LosesGone(open_engine(f"sqlite:///{settings.data / CATALOG}"))
    models = LoadedModels(settings, registry.load)
    other = Store(settings, catalog, settings.data / INDEX, models)
    assert [one.name for one in other.collections()] == ["stays"]
    other.close()


def test_a_snapshot_of_another_process_is_taken_over_and_not_made_again(
    settings: Settings,
) -> None:
    with open_store(settings) as one, open_store(settings) as other:
        mine = one.ensure("main")
        mine.put(random_items(40))
        theirs = other.collection("main")
        assert len(theirs.nearest(place(1), 50)) == 40
        assert mine.publish()
        made = (snapshot_of(settings) / "manifest.json").stat().st_ino
        assert not theirs.publish()
        assert theirs.summary().index == mine.summary().index
        assert (snapshot_of(settings) / "manifest.json").stat().st_ino == made


def test_building_stays_in_proportion_to_what_is_put(settings: Settings) -> None:
    with open_store(settings.model_copy(update={"delta_limit": 5})) as store:
        collection = store.ensure("main")
        collection.put(random_items(400))
        assert collection.publish()
        collection.put(random_items(410)[400:])
        assert not collection.publish()
        collection.put(random_items(425)[410:])
        assert collection.publish()


def test_many_processes_may_open_a_new_data_folder_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from latent.settings import Settings\n"
        "from latent.wiring import open_store\n"
        "sys.stdin.read()\n"
        "with open_store(Settings(data=pathlib.Path(sys.argv[1]), model='colours')) as store:\n"
        "    store.ensure('main')\n"
    )
    for turn in range(3):
        command = [sys.executable, "-c", code, str(tmp_path / f"data{turn}")]
        opening = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
            for _ in range(4)
        ]
        for process in opening:
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
        for process in opening:
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said.decode()[-500:]


def test_a_collection_deleted_while_it_is_published_leaves_nothing(store: Store) -> None:
    collection = store.ensure("main")
    collection.put(random_items(10))
    store.delete("main")
    with pytest.raises(UnknownCollectionError):
        collection.publish()
    assert not list((store.settings.data / INDEX).glob("*"))
