"""Pictures of every kind come out upright, RGB and small; bad ones as one of our errors."""

from __future__ import annotations

import random
import struct
import threading
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from latent.errors import (
    ImageTooLargeError,
    NearfieldError,
    SourceMissingError,
    UnreadableImageError,
)
from latent.media.decode import Limits, decode

LIMITS = Limits(max_pixels=1_000_000, max_bytes=1_000_000)
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 160, 0), (0, 0, 255), (255, 255, 255)


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def decoded(content: bytes, *, limits: Limits = LIMITS, side: int = 32) -> Image.Image:
    return decode(content, name="it", limits=limits, side=side).picture


def close(picture: Image.Image, colour: tuple[int, int, int], *, within: int = 12) -> bool:
    """Whether the middle of the picture has this colour."""
    pixel = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(pixel, tuple)
    return all(abs(seen - meant) <= within for seen, meant in zip(pixel, colour, strict=True))


def half_red_half_blue(width: int = 40, height: int = 24) -> Image.Image:
    """Red above, blue below: it shows which way is up."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (0, height // 2, width, height))
    return picture


def heic(picture: Image.Image) -> bytes:
    stream = BytesIO()
    pillow_heif.from_pillow(picture).save(stream, quality=90)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_every_format_comes_out_as_rgb(kind: str) -> None:
    answer = decode(
        encoded(Image.new("RGB", (40, 24), GREEN), kind), name="it", limits=LIMITS, side=32
    )
    assert answer.picture.mode == "RGB"
    assert answer.picture.size == (40, 24)
    assert close(answer.picture, GREEN)
    assert answer.facts == {"width": 40, "height": 24, "format": kind.lower()}


def test_heic_of_phones_is_read() -> None:
    answer = decode(heic(Image.new("RGB", (64, 48), GREEN)), name="it", limits=LIMITS, side=32)
    assert close(answer.picture, GREEN)
    assert answer.facts == {"width": 64, "height": 48, "format": "heic"}


def test_a_jpeg_with_more_pictures_behind_the_first_is_a_jpeg() -> None:
    content = encoded(
        Image.new("RGB", (40, 24), GREEN),
        "MPO",
        save_all=True,
        append_images=[Image.new("RGB", (40, 24), RED)],
    )
    answer = decode(content, name="it", limits=LIMITS, side=32)
    assert answer.facts["format"] == "jpeg"
    assert close(answer.picture, GREEN)


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (GREEN, RED)]
    assert close(decoded(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])), GREEN)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_orientation_is_turned_upright(kind: str, orientation: int) -> None:
    scene = half_red_half_blue(40, 24)
    scene.paste(GREEN, (0, 0, 20, 12))
    stored = scene.transpose(STORED_AS[orientation]) if orientation > 1 else scene
    exif = Image.Exif()
    exif[0x0112] = orientation
    answer = decode(encoded(stored, kind, exif=exif), name="it", limits=LIMITS, side=32)
    assert answer.picture.size == (40, 24)
    assert (answer.facts["width"], answer.facts["height"]) == (40, 24)
    assert close(answer.picture.crop((0, 0, 20, 12)), GREEN, within=30)
    assert close(answer.picture.crop((20, 0, 40, 12)), RED, within=30)
    assert close(answer.picture.crop((0, 12, 40, 24)), BLUE, within=30)


STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera that is held so stores an upright scene: the inverse of turning it upright."""


def test_a_compressed_sideways_tiff_is_turned_once() -> None:
    stored = half_red_half_blue(40, 24).transpose(Image.Transpose.ROTATE_90)
    content = encoded(stored, "TIFF", compression="tiff_lzw", tiffinfo={0x0112: 6})
    answer = decode(content, name="it", limits=LIMITS, side=32)
    assert answer.picture.size == (40, 24)
    assert answer.facts["width"] == 40
    assert close(answer.picture.crop((0, 0, 40, 8)), RED)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("level", [0, 64, 128, 200, 255])
def test_sixteen_bits_are_scaled_and_not_clipped(kind: str, level: int) -> None:
    deep = Image.fromarray(np.full((20, 20), level * 257, dtype=np.uint16))
    assert close(decoded(encoded(deep, kind)), (level, level, level), within=1)


@pytest.mark.parametrize(("stored", "seen"), [(0.0, 0), (0.5, 128), (1.0, 255)])
def test_floats_between_none_and_one_become_black_to_white(stored: float, seen: int) -> None:
    picture = Image.fromarray(np.full((20, 20), stored, dtype=np.float32))
    assert close(decoded(encoded(picture, "TIFF")), (seen, seen, seen), within=1)


def test_floats_of_any_range_are_spread_over_it() -> None:
    ramp = np.repeat(np.linspace(-500, 1500, 20, dtype=np.float32)[:, None], 20, axis=1)
    picture = decoded(encoded(Image.fromarray(ramp), "TIFF"))
    assert picture.getpixel((3, 0)) == (0, 0, 0)
    assert picture.getpixel((3, 19)) == (255, 255, 255)


def test_floats_that_are_no_numbers_are_black() -> None:
    rows = np.full((20, 20), np.nan, dtype=np.float32)
    assert close(decoded(encoded(Image.fromarray(rows), "TIFF")), (0, 0, 0))


def test_32_bit_integers_are_scaled() -> None:
    rows = np.full((20, 20), 32896, dtype=np.int32)
    assert close(decoded(encoded(Image.fromarray(rows), "TIFF")), (128, 128, 128), within=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0)).convert(mode)
    assert close(decoded(encoded(clear)), WHITE)


def test_half_transparent_red_becomes_pink() -> None:
    assert close(decoded(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 128)))), (255, 127, 127))


def test_a_transparent_colour_becomes_white() -> None:
    picture = Image.new("RGB", (20, 20), RED)
    assert close(decoded(encoded(picture, transparency=RED)), WHITE)


def test_cmyk_is_converted() -> None:
    cyan = Image.new("CMYK", (20, 20), (255, 0, 0, 0))
    assert close(decoded(encoded(cyan, "JPEG")), (0, 255, 255))


def test_a_palette_is_looked_up() -> None:
    assert close(decoded(encoded(Image.new("RGB", (20, 20), GREEN).quantize(4), "PNG")), GREEN)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_one_bit_is_black_and_white(kind: str) -> None:
    assert close(decoded(encoded(Image.new("1", (20, 20), 1), kind)), WHITE)


def test_what_leaves_is_a_few_times_what_the_model_looks_at() -> None:
    for kind in ("JPEG", "PNG"):
        answer = decode(
            encoded(half_red_half_blue(900, 600), kind), name="it", limits=LIMITS, side=32
        )
        assert 64 <= min(answer.picture.size) <= 128
        assert answer.picture.width / answer.picture.height == pytest.approx(1.5, rel=0.05)
        assert (answer.facts["width"], answer.facts["height"]) == (900, 600)


def test_a_large_jpeg_is_averaged_by_its_decoder_and_not_as_far_as_the_model_looks() -> None:
    rows = np.repeat(np.arange(800) // 100 * 30, 800).reshape(800, 800).astype(np.uint8)
    content = encoded(Image.fromarray(rows).convert("RGB"), "JPEG", quality=95)
    picture = decoded(content, side=60)  # an eighth is 100 pixels, five thirds of 60
    assert picture.size == (100, 100)
    seen = np.asarray(picture)[6::12, 50, 0][:8].astype(int)
    assert (abs(seen - np.arange(8) * 30) <= 30).all()
    assert decoded(content, side=70).size == (200, 200)  # an eighth would be less than 105


def test_shrinking_averages_in_bands_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    ramp = np.tile(np.linspace(0, 255, 640).astype(np.uint8)[:, None], (1, 640))
    whole = np.asarray(decoded(encoded(Image.fromarray(ramp)))).astype(int)
    monkeypatch.setattr("latent.media.decode.BAND_PIXELS", 640 * 30)
    in_bands = np.asarray(decoded(encoded(Image.fromarray(ramp)))).astype(int)
    assert (whole == in_bands).all()
    assert (np.diff(whole[:, 0, 0]) >= 0).all()


def test_a_very_long_picture_leaves_short_enough() -> None:
    picture = decoded(encoded(Image.new("RGB", (100_000, 9), GREEN)))
    assert picture.width <= 16 * 32
    assert close(picture, GREEN)


def test_a_single_pixel_is_a_picture() -> None:
    assert decoded(encoded(Image.new("RGB", (1, 1), GREEN))).size == (1, 1)


def test_a_pixel_bomb_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageTooLargeError, match=r"12000 x 12000 is 144\.0 megapixels"):
        decoded(png_that_claims(12_000, 12_000))


def test_a_bomb_beyond_what_pillow_bears_is_refused_too() -> None:
    with pytest.raises(ImageTooLargeError, match="too many pixels"):
        decoded(png_that_claims(60_000, 60_000))


def test_a_higher_limit_really_lets_more_through() -> None:
    high = Limits(max_pixels=200_000_000, max_bytes=1_000_000)
    with pytest.raises(UnreadableImageError):  # it gets past the size, to pixels that are missing
        decoded(png_that_claims(14_000, 14_000), limits=high)


def progressive(scans: int) -> bytes:
    """A JPEG whose last pass over the pixels comes again and again."""
    jpeg = encoded(half_red_half_blue(64, 64), "JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * scans + jpeg[-2:]


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded() -> None:
    """Two hundred kilobytes of them took two minutes."""
    assert decoded(progressive(50)).size == (64, 64)
    with pytest.raises(ImageTooLargeError, match="more than 100 scans"):
        decoded(progressive(200))


@pytest.mark.parametrize("hidden", [b"\xff\x01\xff\xff", b"\xff\xd8\xff\xff"])
def test_scans_cannot_hide_behind_marks_without_a_length(hidden: bytes) -> None:
    jpeg = progressive(200)
    first = jpeg.index(b"\xff\xda")
    with pytest.raises((ImageTooLargeError, UnreadableImageError)):  # by us, or as no JPEG
        decoded(jpeg[:first] + hidden + jpeg[first:])


def one_colour_a_scan(scans: int) -> bytes:
    """A JPEG that is not progressive, whose scans have one colour each, the last very often."""
    jpeg = encoded(half_red_half_blue(64, 64), "JPEG")
    start = jpeg.index(b"\xff\xda")
    body = start + 2 + int.from_bytes(jpeg[start + 2 : start + 4])
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + jpeg[body:-2]
    return jpeg[:start] + scan * scans + jpeg[-2:]


def test_scans_count_in_a_jpeg_that_is_not_progressive_as_well() -> None:
    with pytest.raises(ImageTooLargeError, match="more than 100 scans"):
        decoded(one_colour_a_scan(200))


def test_scans_behind_one_that_holds_everything_are_not_decoded() -> None:
    """So they need not be counted: whoever decodes the picture stops at the second."""
    jpeg = encoded(half_red_half_blue(64, 64), "JPEG")
    scan = jpeg[jpeg.index(b"\xff\xda") : -2]
    with pytest.raises(UnreadableImageError):
        decoded(jpeg[:-2] + scan * 200 + jpeg[-2:])


def test_a_film_behind_the_end_of_a_jpeg_may_look_like_scans() -> None:
    jpeg = encoded(half_red_half_blue(64, 64), "JPEG")
    assert decoded(jpeg + b"\xff\xda" * 10_000).size == (64, 64)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_a_picture_that_takes_too_long_is_given_up(kind: str) -> None:
    no_time = Limits(LIMITS.max_pixels, LIMITS.max_bytes, max_seconds=-1)
    with pytest.raises(ImageTooLargeError, match="seconds to decode"):
        decoded(encoded(half_red_half_blue(), kind), limits=no_time)


def test_too_many_bytes_are_refused() -> None:
    content = encoded(half_red_half_blue())
    with pytest.raises(ImageTooLargeError, match="the limit is 50"):
        decoded(content, limits=Limits(1_000_000, max_bytes=50))


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "green.anything"
    path.write_bytes(encoded(Image.new("RGB", (20, 20), GREEN)))
    assert close(decode(path, name="green", limits=LIMITS, side=32).picture, GREEN)


def test_a_large_file_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(2_000_000)
    with pytest.raises(ImageTooLargeError, match="2,000,000 bytes"):
        decode(path, name="large.png", limits=LIMITS, side=32)


def test_a_path_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match=r"gone\.png"):
        decode(tmp_path / "gone.png", name="gone.png", limits=LIMITS, side=32)


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="directory"):
        decode(tmp_path, name="folder", limits=LIMITS, side=32)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        ("Grüße, this is a letter. ".encode() * 40, "it holds text, not a picture"),
        (b"%PDF-1.4 \xff\xfe\x00\x01", "no picture format"),
        (b"\x00" * 64, "no picture format"),
    ],
)
def test_what_is_no_picture_says_what_is_wrong(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason) as raised:
        decoded(content)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_a_truncated_file_is_unreadable(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    with pytest.raises(UnreadableImageError) as raised:
        decoded(content[: len(content) // 2])
    assert raised.value.reason


def test_a_truncated_heic_is_unreadable() -> None:
    content = heic(half_red_half_blue(64, 64))
    with pytest.raises(UnreadableImageError):
        decoded(content[: len(content) - len(content) // 3])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIC"])
def test_hostile_bytes_raise_nothing_but_our_errors(kind: str) -> None:
    picture = half_red_half_blue(64, 48)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Make", "Model", 6
    if kind == "HEIC":
        good = heic(picture)
    else:
        good = encoded(picture, kind, **({} if kind in ("GIF", "BMP") else {"exif": exif}))
    dice = random.Random(7)
    for _ in range(60):
        bad = bytearray(good)
        for _ in range(dice.choice((1, 3, 20))):
            bad[dice.randrange(min(len(bad), dice.choice((64, 4096))))] = dice.randrange(256)
        if dice.random() < 0.3:
            del bad[dice.randrange(len(bad)) :]
        try:
            assert decoded(bytes(bad)).mode == "RGB"
        except NearfieldError as error:
            assert "\n" not in str(error)


def test_damaged_exif_fails_no_picture_and_makes_no_noise() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera with a long name" * 4, 1
    content = encoded(Image.new("RGB", (20, 20), GREEN), "JPEG", exif=exif)
    at = content.index(b"Exif\0\0")
    damaged = content[: at + 14] + b"\xff" * 10 + content[at + 24 :]
    with warnings.catch_warnings(record=True) as noise:
        warnings.simplefilter("always")
        assert close(decoded(damaged), GREEN)
    assert not noise


def test_many_threads_decode_at_once() -> None:
    content = encoded(half_red_half_blue(300, 200), "JPEG")
    wanted = np.asarray(decoded(content))
    answers: list[bool] = []

    def work() -> None:
        answers.extend((np.asarray(decoded(content)) == wanted).all() for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 80


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header says so; its pixels are missing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("mark", [b"II*\0", b"\x89PNG", b"\xff\xd8\xff"])
def test_a_damaged_picture_is_not_called_a_stranger(mark: bytes) -> None:
    with pytest.raises(UnreadableImageError, match="that is damaged, or of a kind"):
        decode(mark + b"\0" * 60, name="it", limits=LIMITS, side=8)
