"""Folders into a collection: only what changed is read, nothing is lost, memory is bounded."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.pipeline import BYTES_AT_ONCE, index, together
from indexer.reading import Outcome, Reader, Wanted
from indexer.report import Failure, Report
from indexer.sources import listing
from latent.collection import Collection
from latent.errors import InputError, SourceMissingError, UnsupportedMediaError
from latent.items import Item, Modality, Vectors
from latent.models.colours import ColourEmbedder
from latent.models.embedder import Prepared
from latent.settings import Settings
from latent.store import Store


class Counting(ColourEmbedder):
    """Counts what it embeds and how much of it is alive at once; can fail after a while."""

    def __init__(self, *, fails_after: int | None = None) -> None:
        super().__init__()
        self.pictures = 0
        self.texts = 0
        self.largest_batch = 0
        self.preparing = 0
        self.most_preparing = 0
        self.waiting = 0
        self.most_waiting = 0
        self._fails_after = fails_after
        self._lock = threading.Lock()

    def prepare(self, picture: Image.Image) -> Prepared:
        with self._lock:
            self.preparing += 1
            self.most_preparing = max(self.most_preparing, self.preparing)
        prepared = super().prepare(picture)
        with self._lock:
            self.preparing -= 1
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
        return prepared

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        if self._fails_after is not None and self.pictures >= self._fails_after:
            raise KeyboardInterrupt
        with self._lock:
            self.waiting -= len(pictures)
        self.pictures += len(pictures)
        self.largest_batch = max(self.largest_batch, len(pictures))
        return super().embed_images(pictures)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        self.largest_batch = max(self.largest_batch, len(texts))
        return super().embed_texts(texts)


@pytest.fixture
def collection(store: Store) -> Collection:
    return store.ensure("main")


@pytest.fixture
def embedder() -> Counting:
    return Counting()


class Indexer:
    """Indexes into one collection, as a test says it."""

    def __init__(self, collection: Collection, embedder: Counting, settings: Settings) -> None:
        self.collection = collection
        self.embedder = embedder
        self.settings = settings

    def __call__(self, *paths: Path, allow_empty: bool = False) -> Report:
        return index(paths, self.collection, self.embedder, self.settings, allow_empty=allow_empty)

    def finds(self, question: str) -> str:
        """The uri of the nearest."""
        query = self.embedder.embed_texts([question])[0]
        return self.collection.nearest(query, 1)[0].item.uri


@pytest.fixture
def run(collection: Collection, embedder: Counting, settings: Settings) -> Indexer:
    return Indexer(collection, embedder, settings)


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


def test_a_second_run_embeds_nothing(photos: Path, run: Indexer) -> None:
    run(photos)
    report = run(photos)
    assert (report.indexed, report.unchanged, report.removed) == (0, 8, 0)
    assert run.embedder.pictures == 8


def test_a_new_time_on_the_same_bytes_embeds_nothing_and_is_remembered(
    photos: Path, run: Indexer
) -> None:
    run(photos)
    os.utime(photos / "red.png", (1, 1))
    before = run.collection.scroll(8)
    assert (run(photos).unchanged, run.embedder.pictures) == (8, 8)
    assert run.collection.sources(photos)[str(photos / "red.png")].mtime_ns == 10**9
    after = run.collection.scroll(8)
    assert [item.id for item in after] == [item.id for item in before]
    for item, was in zip(after, before, strict=True):
        modified = "1970-01-01T00:00:01+00:00"
        is_touched = item.uri == "photos/red.png"
        assert item.metadata == (
            dict(was.metadata) | ({"modified": modified} if is_touched else {})
        )
        np.testing.assert_array_equal(item.vector, was.vector)


def test_a_text_that_was_touched_keeps_its_passages_but_for_those_that_were_removed(
    tmp_path: Path, run: Indexer
) -> None:
    path = tmp_path / "a.md"
    path.write_text("# Title\n\n" + "red thing. " * 100)
    run(path)
    items = run.collection.scroll(100)
    run.collection.drop([items[1].id])
    embedded = run.embedder.texts
    os.utime(path, (1, 1))
    assert (run(path).unchanged, run.embedder.texts) == (1, embedded)
    after = run.collection.scroll(100)
    assert [item.text for item in after] == [items[0].text, *(item.text for item in items[2:])]
    assert {item.metadata["modified"] for item in after} == {"1970-01-01T00:00:01+00:00"}
    assert {item.metadata["title"] for item in after} == {"Title"}


def test_a_changed_file_is_embedded_again(photos: Path, run: Indexer) -> None:
    run(photos)
    Image.new("RGB", (30, 30), (0, 0, 255)).save(photos / "green.png")
    (photos / "blue.png").unlink()
    report = run(photos)
    assert (report.indexed, report.reused, report.unchanged, report.removed) == (1, 0, 6, 1)
    assert run.finds("blue") == "photos/green.png"


def test_a_moved_file_costs_no_embedding(photos: Path, run: Indexer) -> None:
    run(photos)
    (photos / "2024").mkdir()
    (photos / "green.png").rename(photos / "2024" / "grass.png")
    report = run(photos)
    assert (report.indexed, report.reused, report.removed, report.items) == (1, 1, 1, 8)
    assert run.embedder.pictures == 8
    assert run.finds("green") == "photos/2024/grass.png"
    item = run.collection.nearest(run.embedder.embed_texts(["green"])[0], 1)[0].item
    assert item.source == str(photos / "2024" / "grass.png")
    assert (item.metadata["name"], item.metadata["folder"]) == ("grass.png", "photos/2024")
    assert (item.metadata["width"], item.metadata["format"]) == (24, "png")


def test_a_moved_text_keeps_its_passages(tmp_path: Path, run: Indexer) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("red thing. " * 100)
    run(folder)
    before = run.collection.scroll(100)
    embedded = run.embedder.texts
    (folder / "a.txt").rename(folder / "b.txt")
    assert run(folder).reused == 1
    after = run.collection.scroll(100)
    assert run.embedder.texts == embedded
    assert [item.text for item in after] == [item.text for item in before]
    assert {item.passage.document for item in after if item.passage} == {"notes/b.txt"}
    assert {item.uri for item in after} == {"notes/b.txt"}


def test_a_text_that_becomes_html_is_read_anew(tmp_path: Path, run: Indexer) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("<p>green</p>")
    run(folder)
    (folder / "a.txt").rename(folder / "a.html")
    assert run(folder).reused == 0
    assert [item.text for item in run.collection.scroll(9)] == ["green"]


def test_a_copy_is_an_item_of_its_own_and_costs_no_embedding(photos: Path, run: Indexer) -> None:
    run(photos)
    (photos / "again.png").write_bytes((photos / "red.png").read_bytes())
    report = run(photos)
    assert (report.indexed, report.reused, report.items) == (1, 1, 9)
    assert run.embedder.pictures == 8
    (photos / "red.png").unlink()
    assert run(photos).items == 8
    assert run.finds("red") == "photos/again.png"


def test_a_file_that_is_gone_is_removed(photos: Path, run: Indexer) -> None:
    run(photos)
    (photos / "green.png").unlink()
    report = run(photos)
    assert (report.removed, report.items) == (1, 7)
    assert run.finds("green") != "photos/green.png"


def test_a_photo_that_vanishes_and_comes_back_is_found_again(photos: Path, run: Indexer) -> None:
    run(photos)
    content = (photos / "green.png").read_bytes()
    (photos / "green.png").unlink()
    run(photos)
    (photos / "green.png").write_bytes(content)
    assert run(photos).indexed == 1
    assert run.finds("green") == "photos/green.png"


def test_a_missing_folder_deletes_nothing(photos: Path, run: Indexer) -> None:
    run(photos)
    photos.rename(photos.with_name("unplugged"))
    with pytest.raises(SourceMissingError):
        run(photos)
    assert run.collection.count() == 8


def test_one_missing_path_changes_nothing_at_all(photos: Path, run: Indexer) -> None:
    with pytest.raises(SourceMissingError):
        run(photos, photos / "nowhere")
    assert run.collection.count() == 0


def test_only_what_is_below_the_folder_that_is_named_is_removed(
    tmp_path: Path, photos: Path, run: Indexer
) -> None:
    beside = tmp_path / "photos2"
    beside.mkdir()
    (beside / "a.txt").write_text("red")
    run(photos, beside)
    (beside / "a.txt").unlink()
    (photos / "red.png").unlink()
    assert (run(photos).removed, run.collection.count()) == (1, 8)


def test_a_folder_with_files_gone_but_one_locked_part_keeps_that_part(
    photos: Path, run: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "locked").mkdir()
    (photos / "red.png").rename(photos / "locked" / "red.png")
    run(photos)
    scan, look = os.scandir, os.lstat

    def refuse_or(do: object) -> object:
        def wrapped(path: object, *args: object, **kwargs: object) -> object:
            if "locked" in str(path):
                raise PermissionError(13, "Permission denied")
            return do(path, *args, **kwargs)  # type: ignore[operator]

        return wrapped

    monkeypatch.setattr("os.scandir", refuse_or(scan))
    monkeypatch.setattr("os.lstat", refuse_or(look))
    report = run(photos)
    assert (report.removed, report.items) == (0, 8)
    assert report.failed == [Failure("photos/locked", "Permission denied")]


def test_a_folder_that_holds_nothing_any_more_keeps_its_items_until_that_is_said(
    photos: Path, run: Indexer
) -> None:
    run(photos)
    for path in photos.iterdir():
        path.unlink()
    (photos / "no picture.xyz").touch()
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"nothing any more; the items of 8 files stay\. .*-em"
        ):
            run(photos)
        assert len(run.collection.sources()) == run.collection.count() == 8
    assert (run(photos, allow_empty=True).removed, run.collection.count()) == (8, 0)
    assert run.collection.sources() == {}


def test_one_emptied_folder_among_others_changes_nothing_at_all(
    tmp_path: Path, photos: Path, run: Indexer
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "a.txt").write_text("red")
    run(photos, disk)
    (disk / "a.txt").unlink()
    (photos / "red.png").unlink()
    with pytest.raises(InputError, match=r"disk: this folder holds nothing any more; .* 1 file "):
        run(photos, disk)
    assert run.collection.count() == 9


def test_an_emptied_folder_with_a_locked_part_keeps_its_items(
    photos: Path, run: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(photos)
    for path in photos.iterdir():
        path.unlink()
    (photos / "locked").mkdir()
    scan = os.scandir

    def scan_or_refuse(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("os.scandir", scan_or_refuse)
    with pytest.raises(InputError, match="holds nothing any more"):
        run(photos)
    assert run.collection.count() == 8


def test_a_folder_of_which_only_failures_were_known_may_be_empty(
    photos: Path, run: Indexer
) -> None:
    for path in photos.iterdir():
        path.write_text("no picture")
    run(photos)
    for path in photos.iterdir():
        path.unlink()
    assert (run(photos).failed, run.collection.sources()) == ([], {})


def test_a_folder_that_never_held_anything_is_an_error(tmp_path: Path, run: Indexer) -> None:
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no pictures or texts"):
        run(tmp_path / "empty")


def test_files_named_one_by_one_are_read(photos: Path, run: Indexer) -> None:
    assert run(photos / "red.png", photos / "green.png", photos / "red.png").indexed == 2
    assert run.finds("red") == "red.png"


def test_another_kind_of_file_is_refused_when_it_is_named(tmp_path: Path, run: Indexer) -> None:
    (tmp_path / "a.exe").write_text("x")
    with pytest.raises(UnsupportedMediaError):
        run(tmp_path / "a.exe")


def test_bad_files_among_good_ones_stop_nothing(photos: Path, run: Indexer) -> None:
    (photos / "letter.jpg").write_text("Dear Ann, this is no picture.")
    whole = (photos / "red.png").read_bytes()
    (photos / "short.png").write_bytes(whole[: len(whole) - 30])
    (photos / "void.txt").write_text("  \n")
    (photos / "binary.txt").write_bytes(b"\x00\x01\x02")
    report = run(photos)
    assert report.indexed == 8
    reasons = {failure.uri: failure.reason for failure in report.failed}
    assert set(reasons) == {
        f"photos/{n}" for n in ("letter.jpg", "short.png", "void.txt", "binary.txt")
    }
    assert "it holds text" in reasons["photos/letter.jpg"]
    assert "empty" in reasons["photos/void.txt"]
    assert "binary" in reasons["photos/binary.txt"]
    assert run.collection.summary().failed == 4
    codes = {s.code for s in run.collection.sources(photos).values() if s.failure}
    assert codes == {"unreadable_image", "unsupported_media"}


def test_a_failed_file_is_reported_again_and_tried_again_only_when_it_changes(
    photos: Path, run: Indexer
) -> None:
    bad = photos / "green.png"
    good = bad.read_bytes()
    bad.write_bytes(good[:40])
    status = bad.stat()
    assert len(run(photos).failed) == 1
    bad.write_bytes(good[:20] + b"\0" * 20)  # other bytes, but it looks the same from outside
    os.utime(bad, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [failure.uri for failure in run(photos).failed] == ["photos/green.png"]
    bad.write_bytes(good)
    report = run(photos)
    assert (report.indexed, report.failed) == (1, [])
    assert run.finds("green") == "photos/green.png"
    assert run.collection.summary().failed == 0


def test_a_file_that_turns_bad_takes_its_old_item_along(photos: Path, run: Indexer) -> None:
    run(photos)
    (photos / "green.png").write_text("no picture any more")
    report = run(photos)
    assert (len(report.failed), report.items) == (1, 7)


def test_a_higher_limit_is_felt_at_once(
    photos: Path, collection: Collection, settings: Settings
) -> None:
    Image.new("RGB", (40, 40)).save(photos / "large.png")
    strict = settings.model_copy(update={"max_pixels": 1_000})
    report = index([photos], collection, ColourEmbedder(), strict)
    assert [failure.uri for failure in report.failed] == ["photos/large.png"]
    assert "1600" in report.failed[0].reason or "40 x 40" in report.failed[0].reason
    assert index([photos], collection, ColourEmbedder(), settings).indexed == 1


def test_too_large_a_text_is_not_read(
    tmp_path: Path, collection: Collection, settings: Settings
) -> None:
    (tmp_path / "a.txt").write_text("red " * 100)
    strict = settings.model_copy(update={"max_text_bytes": 50})
    report = index([tmp_path / "a.txt"], collection, ColourEmbedder(), strict)
    assert report.failed == [Failure("a.txt", "400 bytes; the limit is 50")]


def test_a_file_that_vanishes_while_it_is_read_is_passed_over(
    photos: Path, collection: Collection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = listing(photos)
    monkeypatch.setattr("indexer.pipeline.listing", lambda _: found)
    (photos / "green.png").unlink()
    report = index([photos], collection, ColourEmbedder(), settings)
    assert (report.indexed, report.failed, report.items) == (7, [], 7)


def test_a_model_that_takes_no_pictures_says_so_for_each(
    photos: Path, store: Store, settings: Settings
) -> None:
    collection = store.ensure("own", "vectors:4")
    (photos / "a.txt").write_text("a text")
    report = index([photos], collection, store.embedder_for(collection), settings)
    assert (report.indexed, len(report.failed)) == (0, 9)
    assert all("vectors:4" in failure.reason for failure in report.failed)


class Picky(Counting):
    """Refuses texts that say `blue`."""

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        if any("blue" in text for text in texts):
            raise InputError("blue is too sad")
        return super().embed_texts(texts)


def test_one_text_the_model_refuses_harms_no_other(
    tmp_path: Path, collection: Collection, settings: Settings
) -> None:
    (tmp_path / "notes").mkdir()
    for colour in ("red", "blue", "green"):
        (tmp_path / "notes" / f"{colour}.txt").write_text(f"a {colour} thing")
    report = index([tmp_path / "notes"], collection, Picky(), settings)
    assert (report.indexed, report.items) == (2, 2)
    assert report.failed == [Failure("notes/blue.txt", "blue is too sad")]


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
    tmp_path: Path, collection: Collection, embedder: Counting, settings: Settings
) -> None:
    for number in range(6):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    files = listing(tmp_path).files
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


def test_what_a_thread_reads_in_a_row_has_few_bytes_in_all(
    tmp_path: Path, run: Indexer, embedder: Counting
) -> None:
    for number in range(6):
        content = b"\0" * (BYTES_AT_ONCE // 2 + 1)
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
        with path.open("ab") as file:
            file.write(content)
    wanted = [Wanted(file, None) for file in listing(tmp_path).files]
    assert [len(some) for some in together(wanted, 4)] == [1] * 6
    assert run(tmp_path).indexed == 6
    assert embedder.pictures == 6
