"""A file that cannot be read or placed is reported and remembered, and stops nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from indexing import Counting, Indexer
from PIL import Image

from indexer.pipeline import index
from indexer.report import Failure
from indexer.sources import listing
from latent.collection import Collection
from latent.errors import InputError
from latent.items import Vectors
from latent.models.colours import ColourEmbedder
from latent.settings import Settings
from latent.store import Store


@pytest.fixture
def collection(store: Store) -> Collection:
    return store.ensure("main")


@pytest.fixture
def run(store: Store, settings: Settings) -> Indexer:
    return Indexer(store.ensure("main"), Counting(), settings)


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
