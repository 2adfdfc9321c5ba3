"""What is kept of uploads goes with the items that show it, whoever removed them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from PIL import Image

from latent.collection import Collection
from latent.errors import StoreError
from latent.items import Item, Modality
from latent.models.colours import ColourEmbedder
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from service.explore.pictures import KEPT, keep
from service.explore.sweeping import keep_sweeping, sweep

MARKS = ["a" * 64, "b" * 64]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings) as opened:
        yield opened


@pytest.fixture
def collection(store: Store) -> Collection:
    """Two items with what is kept of their pictures, an hour and a bit ago."""
    made = store.ensure("main")
    rows = ColourEmbedder().embed_texts(["red", "green"])
    made.put(
        [
            Item(m[0], Modality.IMAGE, row, content_hash=m)
            for m, row in zip(MARKS, rows, strict=True)
        ]
    )
    for mark in MARKS:
        path = kept(made, mark)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"picture")
        os.utime(path, (1_000, 1_000))
    return made


def kept(collection: Collection, mark: str) -> Path:
    return collection.views / KEPT / mark[:2] / f"{mark}.webp"


def test_what_no_item_shows_any_more_is_removed_and_nothing_else(collection: Collection) -> None:
    assert sweep(collection) == 0
    collection.drop(["a"])
    assert sweep(collection) == 1
    assert not kept(collection, MARKS[0]).exists()
    assert kept(collection, MARKS[1]).exists()


def test_what_was_kept_lately_waits_for_its_item(
    collection: Collection, settings: Settings
) -> None:
    """It is written first; and an upload of something that is kept already makes it young again."""
    collection.drop(["a", "b"])
    Image.new("RGB", (8, 8), "red").save(settings.data / "red.png")
    again = Item(
        "c", Modality.IMAGE, ColourEmbedder().embed_texts(["red"])[0], content_hash=MARKS[0]
    )
    red = (settings.data / "red.png").read_bytes()
    keep(collection, again, red, settings)
    assert sweep(collection) == 1
    assert kept(collection, MARKS[0]).exists()


def test_a_service_sweeps_until_it_is_told_to_stop(store: Store, collection: Collection) -> None:
    collection.drop(["a"])

    async def run() -> None:
        stop = asyncio.Event()
        sweeping = asyncio.create_task(keep_sweeping(store, stop, every=0.001))
        while kept(collection, MARKS[0]).exists():
            await asyncio.sleep(0.001)
        stop.set()
        await sweeping

    asyncio.run(asyncio.wait_for(run(), 30))
    assert kept(collection, MARKS[1]).exists()


class Harmed:
    """A store of which one collection cannot be read, and which once fails in its own way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._failures = 1

    def spaces(self) -> list[str]:
        self._failures -= 1
        if self._failures >= 0:
            raise KeyError("nobody expected this")
        return ["harmed", *self._store.spaces()]

    def collection(self, name: str) -> Collection:
        if name == "harmed":
            raise StoreError("it cannot be read")
        return self._store.collection(name)


def test_what_fails_once_or_in_one_collection_keeps_nothing_else_from_being_swept(
    store: Store, collection: Collection
) -> None:
    collection.drop(["a"])

    async def run() -> None:
        stop = asyncio.Event()
        harmed = cast("Store", Harmed(store))
        sweeping = asyncio.create_task(keep_sweeping(harmed, stop, every=0.001))
        while kept(collection, MARKS[0]).exists():
            assert not sweeping.done(), sweeping.result()
            await asyncio.sleep(0.001)
        stop.set()
        await sweeping

    asyncio.run(asyncio.wait_for(run(), 30))
