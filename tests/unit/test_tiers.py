"""Tiers: what decides them, and in which order."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from latent.items import Item, Modality
from latent.models.cuts import UNFITTED
from latent.settings import Settings
from latent.store import Store
from service.checks.looks import Look, contents_of, look_at, look_at_item
from service.checks.stored import look_at_stored
from service.checks.tiers import RANKS, Tier, closest, tier_of
from service.engine.parts import Picture, Text

SETTINGS = Settings(model="colours")


def drawn(seed: int) -> Image.Image:
    chance = np.random.default_rng(seed)
    pixels = np.zeros((120, 160, 3), np.float32)
    for octave in range(2, 6):
        grain = chance.uniform(0, 255, (3 * 2**octave // 4, 2**octave, 3)).astype(np.uint8)
        shapes = Image.fromarray(grain).resize((160, 120), Image.Resampling.BICUBIC)
        pixels += np.asarray(shapes, np.float32) / 2**octave
    pixels *= 255 / pixels.max()
    return Image.fromarray(pixels.astype(np.uint8))


def file_of(picture: Image.Image, quality: int = 90) -> bytes:
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def looked(picture: Image.Image, quality: int = 90) -> Look:
    return look_at(Picture(file_of(picture, quality)), SETTINGS)


def text(words: str) -> Look:
    return look_at(Text(words), SETTINGS)


FIRST = looked(drawn(0))


@pytest.mark.parametrize(
    ("other", "score", "tier"),
    [
        (looked(drawn(0)), 0.1, Tier.IDENTICAL),
        (looked(drawn(0), 40), 0.1, Tier.SAME_PICTURE),
        (looked(drawn(0).resize((300, 300))), 0.1, Tier.SAME_PICTURE),
        (looked(ImageOps.mirror(drawn(0))), 0.1, Tier.NEAR_COPY),
        (looked(drawn(0).crop((0, 0, 120, 96))), 0.76, Tier.NEAR_COPY),
        (looked(drawn(0).crop((0, 0, 120, 96))), 0.2, Tier.UNRELATED),
        (looked(drawn(1)), 0.97, Tier.NEAR_COPY),
        (looked(drawn(1)), 0.9, Tier.ALIKE),
        (looked(drawn(1)), 0.8, Tier.RELATED),
        (looked(drawn(1)), 0.1, Tier.UNRELATED),
    ],
)
def test_pictures_are_told_apart(other: Look, score: float, tier: Tier) -> None:
    assert tier_of(FIRST, other, score, UNFITTED) is tier
    assert tier_of(other, FIRST, score, UNFITTED) is tier


@pytest.mark.parametrize(
    ("other", "score", "tier"),
    [
        ("a brown dog runs in the snow", 0.0, Tier.IDENTICAL),
        ("A brown dog runs in the snow!", 0.0, Tier.SAME_TEXT),
        ("a brown dog runs in deep snow", 0.0, Tier.NEAR_COPY),
        ("a puppy outside in winter", 0.85, Tier.PARAPHRASE),
        ("a puppy outside in winter", 0.7, Tier.RELATED),
        ("a puppy outside in winter", 0.1, Tier.UNRELATED),
    ],
)
def test_texts_are_told_apart(other: str, score: float, tier: Tier) -> None:
    one = text("a brown dog runs in the snow")
    assert tier_of(one, text(other), score, UNFITTED) is tier
    assert tier_of(text(other), one, score, UNFITTED) is tier


@pytest.mark.parametrize(("score", "tier"), [(0.9, Tier.RELATED), (0.1, Tier.UNRELATED)])
def test_a_text_and_a_picture_are_related_at_most(score: float, tier: Tier) -> None:
    assert tier_of(FIRST, text("shapes"), score, UNFITTED) is tier


def test_flat_pictures_are_not_the_same_picture_for_being_flat() -> None:
    red, green = (looked(Image.new("RGB", (9, 9), colour)) for colour in ("red", "green"))
    assert tier_of(red, green, 0.0, UNFITTED) is Tier.UNRELATED


def test_the_ranks_go_down_in_the_order_of_the_tiers() -> None:
    ranks = [RANKS[tier] for tier in Tier]
    assert ranks == sorted(ranks, reverse=True)
    assert set(RANKS) == set(Tier)
    assert Tier.SAME_TEXT.reaches(Tier.SAME_PICTURE)
    assert not Tier.RELATED.reaches(Tier.ALIKE)


def test_the_closest_of_none_is_unrelated() -> None:
    assert closest([]) is Tier.UNRELATED
    assert closest([Tier.RELATED, Tier.SAME_TEXT, Tier.ALIKE]) is Tier.SAME_TEXT


def stored(path: Path, content: bytes, *, treated: int = 1) -> Item:
    known = sorted(contents_of(content), key=lambda one: one)
    return Item(
        "x",
        Modality.IMAGE,
        np.ones(2, np.float32),
        path.name,
        source=str(path),
        content_hash=known[treated],
        picture_hash="ab" * 32,
    )


def test_an_item_is_looked_at_in_its_file_only_if_that_is_as_it_was(
    tmp_path: Path, store: Store
) -> None:
    collection = store.ensure("main")
    path = tmp_path / "a.jpg"
    path.write_bytes(file_of(drawn(0)))
    item = stored(path, path.read_bytes())
    assert look_at_item(item).small is None
    look = look_at_stored(collection, item, SETTINGS)
    assert look.small is not None
    assert look.fine is not None
    unhashed = look_at_stored(collection, replace(item, picture_hash=None), SETTINGS)
    assert unhashed.picture_hash == FIRST.picture_hash
    path.write_bytes(file_of(drawn(1)))
    assert look_at_stored(collection, item, SETTINGS).small is None
    path.unlink()
    assert look_at_stored(collection, item, SETTINGS).picture_hash == "ab" * 32


def test_what_lies_over_a_part_makes_a_near_copy_of_the_same_picture() -> None:
    covered = drawn(0)
    face = covered.crop((60, 40, 100, 70)).resize((3, 3), Image.Resampling.BOX)
    covered.paste(face.resize((40, 30), Image.Resampling.NEAREST), (60, 40))
    look = looked(covered)
    assert tier_of(FIRST, look, 0.9, UNFITTED) is Tier.NEAR_COPY
    # With the hash alone such a cover is not seen.
    assert tier_of(FIRST, replace(look, fine=None), 0.9, UNFITTED) is Tier.SAME_PICTURE


def test_without_pixels_hashes_must_be_nearer_for_the_same_picture() -> None:
    bits = bytearray.fromhex(FIRST.picture_hash or "")
    for at in range(31):  # 31 of 256 bits: 12 %
        bits[at] ^= 1
    other = replace(FIRST, contents=frozenset(["other"]), picture_hash=bits.hex())
    assert tier_of(FIRST, other, 0.9, UNFITTED) is Tier.SAME_PICTURE
    assert tier_of(FIRST, replace(other, fine=None), 0.9, UNFITTED) is Tier.NEAR_COPY


@pytest.mark.parametrize("treated", [0, 1])
def test_a_live_item_and_one_of_a_file_are_identical_to_their_bytes(
    tmp_path: Path, treated: int
) -> None:
    item = stored(tmp_path / "gone.jpg", file_of(drawn(0)), treated=treated)
    assert tier_of(FIRST, look_at_item(item), 0.0, UNFITTED) is Tier.IDENTICAL
