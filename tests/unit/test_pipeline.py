"""Files into a collection, batch by batch: in order, in bounded memory, resumable."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from indexing import Counting, Indexer
from PIL import Image

from indexer.pipeline import BYTES_AT_ONCE, index, together
from indexer.reading import Outcome, Reader, Wanted
from indexer.sources import listing
from latent.collection import Collection
from latent.errors import UnsupportedMediaError
from latent.items import Item, Modality, Vectors
from latent.models.colours import ColourEmbedder
from latent.models.embedder import Prepared
from latent.settings import Settings
from latent.store import Store


@pytest.fixture
def collection(store: Store) -> Collection:
    return store.ensure("main")


@pytest.fixture
def run(store: Store, settings: Settings) -> Indexer:
    return Indexer(store.ensure("main"), Counting(), settings)


def test_pictures_become_items_that_are_found(photos: Path, run: Indexer) -> None:
    report = run(photos)
    assert (report.indexed, report.failed, report.items) == (8, [], 8)
    assert run.finds("a green thing") == "photos/green.png"
    item = run.collection.scroll(1)[0]
    assert item.modality is Modality.IMAGE
    assert item.source == str(photos / "black.png")
    assert {key: item.metadata[key] for key in ("name", "folder", "suffix", "width")} == {
        "name": "black.png",
        "folder": "photos",
        "suffix": ".png",
        "width": 24,
    }
    assert set(item.metadata) >= {"size", "modified", "height", "format"}


def test_texts_become_passages_that_name_their_document(tmp_path: Path, run: Indexer) -> None:
    (tmp_path / "notes").mkdir()
    text = "# Colours\n\n" + "red " * 60 + "\n\n" + "a green thing " * 30
    (tmp_path / "notes" / "colours.md").write_text(text)
    report = run(tmp_path / "notes")
    items = run.collection.scroll(10)
    assert (report.indexed, report.items) == (1, len(items))
    assert len(items) > 1
    for number, item in enumerate(items):
        assert item.modality is Modality.TEXT
        assert item.passage is not None
        assert (item.passage.document, item.passage.number) == ("notes/colours.md", number)
        assert item.passage.of == len(items)
        assert item.text == text[item.passage.start : item.passage.end]
        assert item.metadata["title"] == "Colours"
        assert item.id == f"{items[0].id[:-2]}-{number}"


def test_files_named_one_by_one_are_read(photos: Path, run: Indexer) -> None:
    assert run(photos / "red.png", photos / "green.png", photos / "red.png").indexed == 2
    assert run.finds("red") == "red.png"


def test_another_kind_of_file_is_refused_when_it_is_named(tmp_path: Path, run: Indexer) -> None:
    (tmp_path / "a.exe").write_text("x")
    with pytest.raises(UnsupportedMediaError):
        run(tmp_path / "a.exe")


def test_a_run_cut_short_goes_on_where_it_ended(
    photos: Path, collection: Collection, settings: Settings
) -> None:
    with pytest.raises(KeyboardInterrupt):
        index([photos], collection, Counting(fails_after=4), settings)
    assert collection.count() == 4
    rest = Counting()
    report = index([photos], collection, rest, settings)
    assert (report.indexed, report.unchanged, report.items) == (4, 4, 8)
    assert rest.pictures == 4


def test_memory_does_not_grow_with_the_number_of_pictures(
    tmp_path: Path, run: Indexer, settings: Settings
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(120):
        Image.fromarray(np.full((5, 5, 3), number, dtype=np.uint8)).save(folder / f"{number}.png")
    assert run(folder).indexed == 120
    assert run.embedder.largest_batch == settings.batch_size
    assert run.embedder.most_preparing <= settings.threads
    # Two batches ahead, one being filled, two on their way into the model, what is being prepared.
    assert run.embedder.most_waiting <= 5 * settings.batch_size + settings.threads + 1


def test_a_long_document_goes_through_the_model_in_batches(
    tmp_path: Path, run: Indexer, settings: Settings
) -> None:
    (tmp_path / "long.txt").write_text("red green blue. " * 400)
    sequence = run.collection.summary().sequence
    run(tmp_path / "long.txt")
    assert run.embedder.texts > 4 * settings.batch_size
    assert run.embedder.largest_batch == settings.batch_size
    assert run.collection.summary().sequence == sequence + 1  # yet in one transaction


def test_progress_is_told_up_to_the_end(
    photos: Path, collection: Collection, settings: Settings
) -> None:
    told: list[tuple[int, int]] = []
    index(
        [photos],
        collection,
        ColourEmbedder(),
        settings,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[0] == (0, 8)
    assert told[-1] == (8, 8)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


class Watched(Counting):
    """Stays in the model with its first batch until a second one comes, and says if none did."""

    def __init__(self) -> None:
        super().__init__()
        self.came_together = False
        self._second = threading.Event()
        self._first = threading.Lock()

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        if self._first.acquire(blocking=False):
            self.came_together = self._second.wait(10)
        else:
            self._second.set()
        return super().embed_images(pictures)


def test_a_batch_goes_into_the_model_before_the_one_ahead_of_it_is_stored(
    photos: Path, collection: Collection, settings: Settings
) -> None:
    embedder = Watched()
    report = index([photos], collection, embedder, settings)
    assert embedder.came_together
    names = [str(item.metadata["name"]) for item in collection.scroll(8)]
    assert (report.items, names) == (8, sorted(names))  # and they are stored in order yet


def test_the_catalog_is_asked_once_for_what_one_thread_reads_in_a_row(
    tmp_path: Path, collection: Collection, settings: Settings
) -> None:
    for number in range(6):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    files = listing(tmp_path).files
    embedder = ColourEmbedder()
    index([tmp_path / "0.png"], collection, embedder, settings)
    (tmp_path / "5.png").write_bytes(b"no picture")
    asked: list[int] = []

    class Asked:
        """A collection that counts what it is asked."""

        def with_content(self, hashes: Sequence[str]) -> dict[str, list[Item]]:
            asked.append(len(hashes))
            return collection.with_content(hashes)

    reader = Reader(Asked(), embedder, settings)  # type: ignore[arg-type]
    readings = reader.read([Wanted(file, None) for file in files])
    assert asked == [6]
    assert [one.outcome for one in readings] == [
        Outcome.REUSED,
        *[Outcome.NEW] * 4,
        Outcome.FAILED,
    ]
    assert [one.file for one in readings] == list(files)


def test_what_a_thread_reads_in_a_row_has_few_bytes_in_all(tmp_path: Path, run: Indexer) -> None:
    for number in range(6):
        content = b"\0" * (BYTES_AT_ONCE // 2 + 1)
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
        with path.open("ab") as file:
            file.write(content)
    wanted = [Wanted(file, None) for file in listing(tmp_path).files]
    assert [len(some) for some in together(wanted, 4)] == [1] * 6
    assert run(tmp_path).indexed == 6
    assert run.embedder.pictures == 6
