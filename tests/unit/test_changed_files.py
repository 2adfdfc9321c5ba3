"""Indexing again: only what changed is read, and what is known is not embedded a second time."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from indexing import Counting, Indexer
from PIL import Image

from latent.settings import Settings
from latent.store import Store


@pytest.fixture
def run(store: Store, settings: Settings) -> Indexer:
    return Indexer(store.ensure("main"), Counting(), settings)


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
