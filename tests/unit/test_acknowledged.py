"""The mark of the last acknowledged write, and what is said where the catalog is behind it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from latent.errors import StoreError
from latent.index.acknowledged import NAME, Acknowledged
from latent.items import Item, Modality
from latent.models.colours import DIM
from latent.settings import Settings
from latent.wiring import CATALOG, INDEX, open_store


def test_the_mark_is_what_was_written_last(tmp_path: Path) -> None:
    mark = Acknowledged(tmp_path / "made" / "for it")
    assert mark.read() == 0
    for sequence in (1, 9, 10, 123_456_789_012):
        mark.rise_to(sequence)
        assert mark.read() == sequence
    mark.forget()
    assert mark.read() == 0


@pytest.mark.parametrize("content", [b"", b"12", b"12 00000000\n", b"x" * 32, b"\xff" * 32])
def test_a_damaged_mark_is_named(tmp_path: Path, content: bytes) -> None:
    mark = Acknowledged(tmp_path)
    mark.rise_to(12)
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        mark.read()


def test_a_mark_that_cannot_be_written_keeps_nobody_from_writing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    Acknowledged(tmp_path / "file").rise_to(1)
    (tmp_path / NAME).mkdir()
    Acknowledged(tmp_path).rise_to(1)


def item(item_id: str) -> Item:
    vector = np.zeros(DIM, np.float32)
    vector[len(item_id)] = 1
    return Item(item_id, Modality.TEXT, vector)


def test_an_older_catalog_is_named_until_it_is_taken_as_it_is(settings: Settings) -> None:
    file = settings.data / CATALOG
    with open_store(settings) as store:
        store.ensure("main").put([item("a")])
    shutil.copy(file, settings.data / "older")
    with open_store(settings) as store:
        store.collection("main").put([item("b")])
        assert store.collection("main").verify() == []
    (settings.data / "older").rename(file)
    with open_store(settings) as store:
        collection = store.collection("main")
        (flaw,) = collection.verify()
        assert flaw.startswith("the catalog is at write 1, and write 2 was acknowledged")
        collection.repair()
        assert collection.verify() == []


@pytest.mark.parametrize("state", ["gone", "empty"])
def test_a_lost_catalog_is_not_made_anew_in_its_place(settings: Settings, state: str) -> None:
    file = settings.data / CATALOG
    with open_store(settings) as store:
        store.ensure("main").put([item("a")])
    file.unlink()
    if state == "empty":
        file.touch()
    for must_exist in (False, True):
        with (
            pytest.raises(StoreError, match=rf"catalog\.sqlite3 is {state}.*[Rr]estore a backup"),
            open_store(settings, must_exist=must_exist),
        ):
            pass
    assert file.exists() is (state == "empty")
    shutil.rmtree(settings.data / INDEX)
    with open_store(settings) as store:
        assert store.collections() == []
