"""What a picture looks like in 256 bits."""

from __future__ import annotations

from io import BytesIO

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps

from latent.media.fingerprints import FLAT, apart, distances, picture_hash, prints_of, views


def drawn(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture with large and small shapes, another one for each seed."""
    chance = np.random.default_rng(seed)
    pixels = np.zeros((120, 160, 3), np.float32)
    for octave in range(2, 6):
        grain = chance.uniform(0, 255, (3 * 2**octave // 4, 2**octave, 3)).astype(np.uint8)
        shapes = Image.fromarray(grain).resize((160, 120), Image.Resampling.BICUBIC)
        pixels += np.asarray(shapes, np.float32) / 2**octave
    pixels *= 255 / pixels.max()
    return Image.fromarray(pixels.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, quality: int) -> Image.Image:
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


def test_a_hash_has_64_hexadecimal_digits() -> None:
    assert len(picture_hash(drawn(0))) == 64
    assert int(picture_hash(drawn(0)), 16) > 0


@pytest.mark.parametrize("seed", range(20))
def test_a_hash_is_that_of_imagehash(seed: int) -> None:
    """So hashes that were stored before, and those of other programs, can be compared."""
    grey = drawn(seed, (64, 64)).convert("L")
    assert picture_hash(grey) == str(imagehash.phash(grey, hash_size=16))


@pytest.mark.parametrize("size", [(60, 45), (176, 176), (120, 250)])
def test_the_hash_of_a_resized_picture_is_that_of_imagehash_but_for_rounding(
    size: tuple[int, int],
) -> None:
    """ImageHash rounds to whole grey levels where it resizes; here nothing is rounded."""
    pictures = [drawn(seed, size).convert("L") for seed in range(20)]
    theirs = [str(imagehash.phash(picture, hash_size=16)) for picture in pictures]
    bits = [
        apart(picture_hash(picture), other).upright * 256
        for picture, other in zip(pictures, theirs, strict=True)
    ]
    assert max(bits) <= 8
    assert np.mean(bits) < 3


def test_a_panorama_keeps_its_hash_nearly_when_it_is_made_smaller() -> None:
    picture = drawn(5, (4800, 150))
    assert apart(picture_hash(picture), picture_hash(picture.resize((1200, 75)))).upright < 0.08


def test_a_picture_of_fine_stripes_alone_is_not_flat() -> None:
    """Its low frequencies alone would not tell it from one colour."""
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    assert picture_hash(Image.fromarray(stripes)) != FLAT


def test_frequencies_that_are_not_there_are_no_matter_of_rounding() -> None:
    half = np.asarray(drawn(4, (32, 64)).convert("L"))
    mirrored = np.hstack([half, half[:, ::-1]])
    hashed = picture_hash(Image.fromarray(mirrored))
    assert hashed == picture_hash(Image.fromarray(mirrored[:, ::-1].copy()))
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(hashed), np.uint8))
    assert len(set(bits.reshape(16, 16)[:, 1::2].ravel().tolist())) == 1


@pytest.mark.parametrize("quality", [90, 60, 30])
def test_a_picture_encoded_anew_keeps_its_hash_nearly(quality: int) -> None:
    picture = drawn(1)
    assert apart(picture_hash(picture), picture_hash(encoded(picture, quality))).upright < 0.08


@pytest.mark.parametrize("size", [(80, 60), (640, 480), (200, 100)])
def test_a_resized_picture_keeps_its_hash_nearly(size: tuple[int, int]) -> None:
    picture = drawn(2)
    assert apart(picture_hash(picture), picture_hash(picture.resize(size))).upright < 0.08


def test_other_pictures_are_far() -> None:
    hashes = [picture_hash(drawn(seed)) for seed in range(12)]
    far = [apart(one, two).turned for i, one in enumerate(hashes) for two in hashes[:i]]
    assert min(far) > 0.3


def test_a_turned_picture_is_found_from_the_hash_alone() -> None:
    picture = drawn(3)
    turned = [ImageOps.mirror(picture), ImageOps.flip(picture), picture.rotate(180)]
    for one in turned:
        between = apart(picture_hash(picture), picture_hash(one))
        assert between.upright > 0.3
        assert between.turned < 0.1


@pytest.mark.parametrize("colour", ["red", "white", "black"])
def test_a_picture_of_one_colour_is_near_to_none(colour: str) -> None:
    flat = picture_hash(Image.new("RGB", (30, 20), colour))
    assert flat == FLAT
    assert apart(flat, flat).upright == 1.0
    assert apart(flat, picture_hash(drawn(0))).turned == 1.0
    assert apart(None, None).turned == 1.0


def test_hashes_become_bits_and_unknown_ones_are_marked() -> None:
    first = picture_hash(drawn(0))
    prints, known = prints_of([first, None, FLAT, first])
    assert known.tolist() == [True, False, False, True]
    assert distances(prints[:1], prints[3:]).tolist() == [0.0]
    assert prints[0].tobytes().hex() == first


def test_turning_twice_gives_the_hash_back() -> None:
    prints, _ = prints_of([picture_hash(drawn(0))])
    for view in range(4):
        assert (views(views(prints)[view])[view] == prints).all()
