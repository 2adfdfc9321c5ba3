"""What a picture says about itself is read; what it says wrongly is left out."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from latent.items import JSON
from latent.media.decode import Limits, decode

LIMITS = Limits(max_pixels=1_000_000, max_bytes=1_000_000)


def facts(
    *,
    base: dict[int, object] | None = None,
    details: dict[int, object] | None = None,
    place: dict[int, object] | None = None,
    kind: str = "JPEG",
) -> dict[str, JSON]:
    """The facts of a small picture that carries these tags, as it comes back from a file."""
    exif = Image.Exif()
    exif.update(base or {})
    exif.get_ifd(ExifTags.IFD.Exif).update(details or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(place or {})
    stream = BytesIO()
    Image.new("RGB", (8, 8)).save(stream, kind, exif=exif.tobytes())
    read = decode(stream.getvalue(), name="it", limits=LIMITS, side=8).facts
    return {name: fact for name, fact in read.items() if name not in ("width", "height", "format")}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_time_camera_and_place_are_read(kind: str) -> None:
    assert facts(
        base={0x010F: "Canon", 0x0110: "EOS 5D"},
        details={0x9003: "2024:05:01 12:30:00", 0x9011: "+02:00"},
        place={1: "S", 2: (33.0, 51.0, 24.0), 3: "W", 4: (70.0, 30.0, 0.0), 5: b"\x01", 6: 12.5},
        kind=kind,
    ) == {
        "taken_at": "2024-05-01T12:30:00+02:00",
        "camera": "Canon EOS 5D",
        "latitude": pytest.approx(-33.8566667),
        "longitude": -70.5,
        "altitude": -12.5,
    }


def test_a_picture_without_exif_has_no_such_facts() -> None:
    assert facts() == {}


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D70", "NIKON D70"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("  SONY \0\0garbage", "ILCE-7\x07M3 ", "SONY ILCE-7 M3"),
        ("", "PixelCam", "PixelCam"),
        ("OnlyMake", "", "OnlyMake"),
    ],
)
def test_the_camera_is_named_once(make: str, model: str, camera: str) -> None:
    assert facts(base={0x010F: make, 0x0110: model}) == {"camera": camera}


@pytest.mark.parametrize(
    ("written", "offset", "taken_at"),
    [
        ("2024:05:01 12:30:00", "", "2024-05-01T12:30:00"),
        ("2024:05:01 12:30:00", "rubbish", "2024-05-01T12:30:00"),
        ("2024:05:01 12:30:00", "-05:30", "2024-05-01T12:30:00-05:30"),
        ("0000:00:00 00:00:00", "", None),
        ("    :  :     :  :  ", "", None),
        ("2024-05-01", "", None),
        ("2024:13:41 99:99:99", "", None),
    ],
)
def test_only_a_real_date_is_a_date(written: str, offset: str, taken_at: str | None) -> None:
    assert facts(details={0x9003: written, 0x9011: offset}).get("taken_at") == taken_at


def test_the_date_of_scanning_stands_in_for_that_of_taking() -> None:
    assert facts(details={0x9004: "1999:01:02 03:04:05"}) == {"taken_at": "1999-01-02T03:04:05"}


@pytest.mark.parametrize(
    "place",
    [
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (8.0, 0.0, 0.0)},
        {1: "N", 2: (IFDRational(1, 0), 0.0, 0.0), 3: "E", 4: (8.0, 0.0, 0.0)},
        {1: "N", 2: (50.0, 0.0, 0.0)},
        {1: "N", 2: (), 3: "E", 4: (8.0, 0.0, 0.0)},
    ],
)
def test_an_impossible_or_half_a_place_is_left_out(place: dict[int, object]) -> None:
    assert facts(place=place) == {}


@given(st.binary(max_size=300))
def test_no_exif_at_all_can_fail_a_picture(exif: bytes) -> None:
    stream = BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=b"Exif\0\0" + exif)
    assert decode(stream.getvalue(), name="it", limits=LIMITS, side=8).picture.size == (8, 8)


@given(st.binary(max_size=120))
def test_no_tag_block_can_fail_a_picture(block: bytes) -> None:
    stream = BytesIO()
    little_endian = b"Exif\0\0II*\0\x08\0\0\0"
    Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=little_endian + block)
    assert decode(stream.getvalue(), name="it", limits=LIMITS, side=8).picture.size == (8, 8)
