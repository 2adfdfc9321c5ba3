from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from indexer.pipeline import index
from latent.collection import Collection
from latent.disk import write_whole
from latent.errors import InputError, SourceMissingError, UnknownItemError
from latent.items import Item, Modality
from latent.settings import Settings
from latent.store import Store
from service.explore.thumbnails import FOLDER, Thumbnails, sweep


@pytest.fixture
def indexed(store: Store, photos: Path, settings: Settings) -> Collection:
    Image.linear_gradient("L").convert("RGB").resize((900, 600)).save(photos / "large.png")
    collection = store.ensure("main")
    index([photos], collection, store.embedder_for(collection), settings)
    return collection


def id_of(collection: Collection, uri: str) -> str:
    return next(item.id for item in collection.scroll(100) if item.uri == uri)


def opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content))


def test_a_thumbnail_is_a_webp_of_the_size_asked_rounded_up(
    indexed: Collection, settings: Settings
) -> None:
    made = Thumbnails(settings).of(indexed, id_of(indexed, "photos/large.png"), 200)
    picture = opened(made.content)
    assert (picture.format, picture.size) == ("WEBP", (256, 171))


def test_a_thumbnail_is_made_once(indexed: Collection, settings: Settings, photos: Path) -> None:
    thumbnails, item = Thumbnails(settings), id_of(indexed, "photos/large.png")
    first = thumbnails.of(indexed, item, 128)
    (photos / "large.png").unlink()
    assert thumbnails.of(indexed, item, 128) == first
    with pytest.raises(SourceMissingError, match="not there any more"):
        thumbnails.of(indexed, item, 512)


def test_nothing_is_kept_where_nothing_may_be(indexed: Collection, settings: Settings) -> None:
    none = settings.model_copy(update={"thumbnail_bytes": 0})
    assert Thumbnails(none).of(indexed, id_of(indexed, "photos/red.png"), 128).content
    assert not (indexed.views / FOLDER).exists()


def test_a_file_that_was_changed_is_not_shown(
    indexed: Collection, settings: Settings, photos: Path
) -> None:
    item = id_of(indexed, "photos/red.png")
    Image.new("RGB", (24, 16), "black").save(photos / "red.png")
    with pytest.raises(SourceMissingError, match="changed since"):
        Thumbnails(settings).of(indexed, item, 128)


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(
    indexed: Collection, settings: Settings, photos: Path
) -> None:
    item = id_of(indexed, "photos/red.png")
    (photos / "red.png").unlink()
    os.mkfifo(photos / "red.png")
    with pytest.raises(SourceMissingError, match="no regular file"):
        Thumbnails(settings).of(indexed, item, 128)


def test_the_picture_of_a_row_is_found_beside_its_manifest(
    store: Store, photos: Path, settings: Settings
) -> None:
    noise = Image.effect_noise((24, 16), 90).convert("RGB")
    noise.save(photos / "noise.png")
    manifest = photos.parent / "list.csv"
    manifest.write_text("image,id\nphotos/noise.png,noise\n")
    collection = store.ensure("rows")
    index([manifest], collection, store.embedder_for(collection), settings)
    assert opened(Thumbnails(settings).of(collection, "noise", 128).content).size == (24, 16)
    Image.linear_gradient("L").convert("RGB").save(photos / "noise.png")
    with pytest.raises(SourceMissingError, match="changed since"):
        Thumbnails(settings).of(collection, "noise", 512)


def test_texts_and_strangers_have_none(indexed: Collection, settings: Settings) -> None:
    thumbnails = Thumbnails(settings)
    vector = indexed.vectors()[1][0]
    indexed.put(
        [Item("note", Modality.TEXT, vector, text="words"), Item("v", Modality.IMAGE, vector)]
    )
    with pytest.raises(InputError, match="is a text"):
        thumbnails.of(indexed, "note", 128)
    with pytest.raises(SourceMissingError, match="nothing is kept"):
        thumbnails.of(indexed, "v", 128)
    with pytest.raises(UnknownItemError):
        thumbnails.of(indexed, "nobody", 128)


def test_what_was_made_first_goes_first(tmp_path: Path) -> None:
    for age in range(4):
        path = tmp_path / "128" / "ab" / f"{age}.webp"
        write_whole(path, bytes(100), is_durable=False)
        os.utime(path, (age, age))
    sweep(tmp_path, 400)
    assert len(list(tmp_path.glob("*/*/*"))) == 4
    sweep(tmp_path, 300)
    assert sorted(path.name for path in tmp_path.glob("*/*/*")) == ["2.webp", "3.webp"]


def test_a_deleted_collection_leaves_no_thumbnails(
    indexed: Collection, store: Store, settings: Settings
) -> None:
    Thumbnails(settings).of(indexed, id_of(indexed, "photos/red.png"), 128)
    assert indexed.views.is_dir()
    store.delete("main")
    assert not indexed.views.exists()
