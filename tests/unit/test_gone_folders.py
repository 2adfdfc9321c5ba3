"""Absence is not deletion: what a folder that is away held stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from indexing import Counting, Indexer

from indexer.report import Failure
from latent.errors import InputError, SourceMissingError
from latent.settings import Settings
from latent.store import Store


@pytest.fixture
def run(store: Store, settings: Settings) -> Indexer:
    return Indexer(store.ensure("main"), Counting(), settings)


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
