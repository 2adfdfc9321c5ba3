"""Containers of pictures: what they are put together of is counted before anything is decoded."""

from __future__ import annotations

import struct
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from latent.errors import ImageTooLargeError
from latent.media.containers import DEEPEST, pixels_to_decode
from latent.media.decode import Limits, decode

LIMITS = Limits(1_000_000, 1_000_000)
UNKNOWN = 7


def box(kind: bytes, *content: bytes, version: int | None = None) -> bytes:
    head = b"" if version is None else struct.pack(">I", version << 24)
    inside = head + b"".join(content)
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def container(sizes: dict[int, int], parts: dict[int, list[int]], *, wide: bool = False) -> bytes:
    """Square pictures with these sides by item, and what others are made of."""
    number = ">I" if wide else ">H"
    ispe = [box(b"ispe", struct.pack(">II", side, side), version=0) for side in sizes.values()]
    said = [struct.pack(number, item) + bytes([1, n + 1]) for n, item in enumerate(sizes)]
    references = [
        box(
            b"dimg", struct.pack(number + "H", item, len(of)), *(struct.pack(number, x) for x in of)
        )
        for item, of in parts.items()
    ]
    properties = box(
        b"iprp",
        box(b"ipco", *ispe),
        box(b"ipma", struct.pack(">I", len(said)), *said, version=int(wide)),
    )
    return box(b"ftyp", b"heic") + box(
        b"meta", box(b"iref", *references, version=int(wide)), properties, version=0
    )


def pixels(content: bytes) -> int:
    return pixels_to_decode(content, unknown=UNKNOWN)


@pytest.mark.parametrize("wide", [False, True])
def test_the_parts_of_a_picture_are_counted_as_often_as_they_are_named(wide: bool) -> None:
    assert pixels(container({1: 10}, {}, wide=wide)) == 100
    assert pixels(container({1: 10, 2: 30}, {}, wide=wide)) == 900  # two pictures, not one of both
    assert pixels(container({1: 10, 2: 1}, {2: [1] * 50}, wide=wide)) == 5_000
    assert pixels(container({1: 10}, {2: [1] * 50, 3: [2] * 50 + [1]}, wide=wide)) == 250_100


def test_who_does_not_say_its_size_counts_as_what_is_unknown() -> None:
    assert pixels(container({}, {2: [1] * 3})) == 3 * UNKNOWN


@pytest.mark.parametrize(
    "parts", [{1: [1]}, {1: [2], 2: [1]}, {n: [n + 1] for n in range(1, DEEPEST + 3)}]
)
def test_a_picture_of_itself_or_of_too_many_others_has_no_end(parts: dict[int, list[int]]) -> None:
    assert pixels(container({}, parts)) > 1e15


@given(st.binary(max_size=60), st.integers(0, 200))
def test_damaged_boxes_are_told_so(noise: bytes, at: int) -> None:
    whole = container({1: 10}, {2: [1] * 5})
    content = whole[:at] + noise + whole[at + len(noise) :]
    with suppress(ValueError):
        assert pixels(content) >= 0


def test_boxes_that_end_early_or_have_no_length_are_damaged() -> None:
    whole = container({1: 10}, {2: [1] * 5})
    count = whole.index(b"dimg") + 6
    for content in (
        whole[:count] + b"\xff\xff" + whole[count + 2 :],
        whole.replace(struct.pack(">I4s", 28, b"ispe"), struct.pack(">I4s", 0, b"ispe"))[:-9],
        b"\0\0\0\x03ftypheic",
    ):
        with pytest.raises(ValueError, match="damaged"):
            pixels(content)


@pytest.mark.parametrize(
    "inside",
    [
        box(b"free") * 200_000,
        box(b"iref", box(b"dimg", b"\0\x01\0\0") * 200_000, version=0),
        box(
            b"iref",
            *(box(b"dimg", struct.pack(">IH60000I", n, 60_000, *range(60_000))) for n in range(2)),
            version=1,
        ),
        box(b"iprp", box(b"ipco", box(b"free") * 200_000)),
        box(b"iprp", box(b"ipma", b"\0\x10\0\0" + b"\0\x01\0" * 200_000, version=0)),
    ],
)
def test_a_container_that_says_too_much_is_not_read_to_its_end(inside: bytes) -> None:
    with pytest.raises(ValueError, match="too many"):
        pixels(box(b"ftyp", b"heic") + box(b"meta", inside, version=0))


def heic(side: int) -> bytes:
    stream = BytesIO()
    picture = pillow_heif.from_pillow(Image.new("RGB", (side, side), "red"))
    picture.save(stream, quality=30)
    return stream.getvalue()


def test_a_photo_is_read_as_ever_and_counts_what_it_shows(tmp_path: Path) -> None:
    content = heic(300)
    assert pixels(content) == 90_000
    shown = decode(content, name="a.heic", limits=LIMITS, side=64)
    assert shown.facts["format"] == "heic"


def test_a_small_picture_put_together_of_far_too_many_is_refused_unseen() -> None:
    bomb = container({1: 500, 2: 64}, {2: [1] * 1_000})
    with pytest.raises(ImageTooLargeError, match="250 megapixels"):
        decode(bomb, name="bomb.heic", limits=LIMITS, side=64)
