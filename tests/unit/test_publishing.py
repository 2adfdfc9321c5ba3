"""Snapshots are made here or in a process apart, which reads the catalog itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Change
from latent.catalog.opening import open_engine
from latent.catalog.rows import Entry
from latent.collection import Collection
from latent.errors import StorageFullError, StoreError, UnknownCollectionError
from latent.index.bases import Quantisation
from latent.index.publishing import Publisher, Terms
from latent.index.served import Limits
from latent.items import Item, Modality, Vectors
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings
from latent.wiring import INDEX, open_store

DIM = 32
PATIENCE = 60  # seconds until a test that waits for what never comes fails
TERMS = Terms(exact=100, threads=1, recall=0.98, is_polite=True)


def rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).standard_normal((count, DIM), np.float32)
    unit: NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


@pytest.fixture
def catalog(settings: Settings) -> Iterator[Catalog]:
    settings.data.mkdir()
    opened = Catalog(open_engine(f"sqlite:///{settings.data}/catalog.sqlite3"))
    yield opened
    opened.close()


def filled(catalog: Catalog, count: int = 500) -> Entry:
    entry = catalog.create("main", VectorsOnly(DIM).space)
    put = [Item(f"i{n}", Modality.IMAGE, row) for n, row in enumerate(rows(count))]
    catalog.write(entry, Change(put=put))
    return entry


def publisher(
    catalog: Catalog, entry: Entry, folder: Path, phrases: Vectors | None = None
) -> Publisher:
    return Publisher(catalog, entry, folder, in_words=lambda: phrases)


def manifest(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "manifest.json").read_text())
    return found


def test_a_process_apart_makes_the_same_snapshot(catalog: Catalog, tmp_path: Path) -> None:
    entry, phrases = filled(catalog), rows(20, seed=1)
    here, there = (publisher(catalog, entry, tmp_path / one, phrases) for one in ("here", "there"))
    catalog.quantise(entry, Quantisation.FP16.value)
    assert here.publish(TERMS) == there.publish_apart(TERMS) == 2
    made, same = (manifest(tmp_path / one / "2") for one in ("here", "there"))
    assert made == same  # the checksums among it
    assert made["quantisation"] == "fp16"
    assert made["recall"] == {"image": 1.0, "text": 1.0}  # asked in the words that were sent


def test_without_a_model_for_words_nothing_is_said_of_them(
    catalog: Catalog, tmp_path: Path
) -> None:
    assert publisher(catalog, filled(catalog), tmp_path).publish_apart(TERMS) == 1
    assert manifest(tmp_path / "1")["recall"] == {"image": 1.0}


def test_stored_texts_ask_where_there_are_enough(catalog: Catalog, tmp_path: Path) -> None:
    entry = filled(catalog)
    texts = [Item(f"t{n}", Modality.TEXT, row) for n, row in enumerate(rows(60, seed=2))]
    catalog.write(entry, Change(put=texts))

    def in_words() -> Vectors:
        raise AssertionError("phrases are placed only where they are asked")

    Publisher(catalog, entry, tmp_path, in_words=in_words).publish_apart(TERMS)
    assert manifest(tmp_path / "2")["recall"] == {"image": 1.0, "text": 1.0}


def test_what_a_process_apart_fails_at_is_told_in_its_words(
    catalog: Catalog, tmp_path: Path
) -> None:
    entry, folder = filled(catalog), tmp_path / "index"
    folder.write_text("in the way")
    with pytest.raises(StoreError, match="index"):
        publisher(catalog, entry, folder).publish_apart(TERMS)


def test_a_full_disk_is_named_though_another_process_met_it(
    catalog: Catalog, tmp_path: Path
) -> None:
    made = publisher(catalog, filled(catalog), tmp_path)
    with pytest.raises(StorageFullError, match="no room"):
        made._answered([json.dumps({"failed": "no room", "is_full": True})], 0)
    with pytest.raises(StoreError, match="exit 137"):
        made._answered([], 137)
    with pytest.raises(StoreError, match="Killed"):
        made._answered(["Traceback", "Killed"], 137)


def test_a_collection_deleted_meanwhile_is_named(catalog: Catalog, tmp_path: Path) -> None:
    entry = filled(catalog)
    made = publisher(catalog, entry, tmp_path)
    catalog.counts(entry)

    def deleting() -> None:
        catalog.remove(entry)

    made._in_words = deleting
    with pytest.raises(UnknownCollectionError):
        made.publish_apart(TERMS)
    assert list(tmp_path.glob("*/manifest.json")) == []


def test_what_is_being_made_apart_can_be_given_up(catalog: Catalog, tmp_path: Path) -> None:
    made, failures = publisher(catalog, filled(catalog, 30_000), tmp_path / "index"), []

    def make_it() -> None:
        try:
            made.publish_apart(TERMS)
        except StoreError as error:
            failures.append(str(error))

    making = threading.Thread(target=make_it)
    making.start()
    while making.is_alive() and not list(tmp_path.glob("index/.new-*")):
        making.join(0.01)
    made.stop()
    making.join()
    (failure,) = failures
    assert "given up" in failure
    assert list((tmp_path / "index").iterdir()) == []


def test_a_process_apart_ends_when_nobody_waits_for_it_any_more(
    catalog: Catalog, tmp_path: Path
) -> None:
    process = publisher(catalog, filled(catalog, 30_000), tmp_path)._started(TERMS, rows(500))
    assert process.stdin is not None
    process.stdin.close()  # as it is when the one that started it is killed
    assert process.wait(PATIENCE) == 1
    assert process.stdout is not None
    process.stdout.close()
    assert list(tmp_path.glob("*/manifest.json")) == []


def test_nothing_is_made_any_more_once_stopped(settings: Settings) -> None:
    with open_store(settings) as store:
        collection = store.ensure("main")
        put = store.embedder().embed_texts(["a green thing"])
        collection.put([Item("a", Modality.TEXT, put[0])])
        assert collection.publish(force=True)
        store.stop_publishing()
        with pytest.raises(StoreError, match="given up"):
            collection.publish(force=True)
        assert collection.summary().index["snapshot"] == 1
    assert not list((settings.data / INDEX).glob("*/.new-*"))


@pytest.mark.parametrize("threads", [None, 1])
def test_a_large_collection_is_published_apart_and_served(
    settings: Settings, catalog: Catalog, threads: int | None
) -> None:
    entry = filled(catalog, 300)
    limits = Limits(exact=100, apart=200)
    collection = Collection(catalog, entry, settings.data / INDEX / entry.uid, limits)
    assert collection.publish(threads=threads, least=1)
    index = collection.summary().index
    assert (index["kind"], index["delta"]) == ("hnsw", 0)
    assert collection.verify() == []
