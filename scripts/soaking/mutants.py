"""Pictures and texts that accidents and strangers make: damaged, mislabelled, hostile, far too big.

All of it comes from a seed, so that what fails once can be made again. Knows nothing about who
reads them.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

SUFFIXES = ("jpg", "png", "gif", "tiff", "webp", "avif", "heic", "bmp", "txt", "html", "exe", "")
Mutate = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A file as it is sent; `kind` says how it was made."""

    name: str
    content: bytes
    kind: str


def pictures(seed: int) -> Iterator[Mutant]:
    """Mutated pictures, for ever."""
    chance = random.Random(seed)
    number = 0
    while True:
        if chance.random() < 0.15:
            kind, make = chance.choice(BOMBS)
            content = make(chance)
        else:
            original, content = chance.choice(originals())
            mutations = chance.sample(MUTATIONS, chance.choice((1, 1, 2, 3)))
            for _, mutate in mutations:
                content = mutate(content, chance)
            kind = f"{original}: {' and '.join(name for name, _ in mutations)}"
        yield Mutant(f"{number}.{chance.choice(SUFFIXES)}", content, kind)
        number += 1


def texts(seed: int) -> Iterator[str]:
    """Hostile texts, for ever."""
    chance = random.Random(seed)
    while True:
        make = chance.choice(TEXTS)
        text = make(chance)
        while chance.random() < 0.2:
            text += chance.choice(("", " ", "\n", "\0", "‮")) + chance.choice(TEXTS)(chance)
        yield text[:50_000]


# --- what is mutated ----------------------------------------------------------------------------


@cache
def originals() -> Sequence[tuple[str, bytes]]:
    """A small picture in every format that is read, and in the odd forms of each."""
    rows = np.linspace(0, 255, 64, dtype=np.uint8)[:, None, None]
    noise = np.random.default_rng(0).integers(0, 60, (64, 96, 3), np.uint8)
    photo = Image.fromarray((rows // 2 + noise).astype(np.uint8))
    clear = photo.copy()
    clear.putalpha(128)
    wide = Image.fromarray(noise[..., 0].astype(np.uint16) * 1000)
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "Maker", 0x0132: "2024:01:01 00:00:00"})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)})
    frames = [photo, photo.rotate(90), photo.rotate(180)]
    forms: list[tuple[str, Image.Image, str, dict[str, Any]]] = [
        ("jpeg", photo, "JPEG", {"exif": exif.tobytes()}),
        ("progressive jpeg", photo, "JPEG", {"progressive": True}),
        ("cmyk jpeg", photo.convert("CMYK"), "JPEG", {}),
        ("png", photo, "PNG", {"exif": exif.tobytes()}),
        ("clear png", clear, "PNG", {}),
        ("palette png", photo.quantize(), "PNG", {"transparency": 3}),
        ("16-bit png", wide, "PNG", {}),
        ("animated png", photo, "PNG", {"save_all": True, "append_images": frames}),
        ("gif", photo, "GIF", {"save_all": True, "append_images": frames}),
        ("tiff", photo, "TIFF", {"exif": exif.tobytes()}),
        ("lzw tiff", photo, "TIFF", {"compression": "tiff_lzw"}),
        ("deflated tiff", clear, "TIFF", {"compression": "tiff_deflate"}),
        ("jpeg tiff", photo, "TIFF", {"compression": "jpeg"}),
        ("fax tiff", photo.convert("1"), "TIFF", {"compression": "group4"}),
        ("float tiff", photo.convert("F"), "TIFF", {}),
        ("webp", photo, "WEBP", {"exif": exif.tobytes()}),
        ("lossless webp", clear, "WEBP", {"lossless": True}),
        ("animated webp", photo, "WEBP", {"save_all": True, "append_images": frames}),
        ("bmp", photo, "BMP", {}),
        ("palette bmp", photo.quantize(), "BMP", {}),
        ("avif", photo, "AVIF", {}),
        ("animated avif", photo, "AVIF", {"save_all": True, "append_images": frames}),
    ]
    made = [(name, saved(picture, kind, **options)) for name, picture, kind, options in forms]
    heif = BytesIO()
    pillow_heif.from_pillow(photo).save(heif, quality=80)
    return (*made, ("heic", heif.getvalue()))


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


# --- how ----------------------------------------------------------------------------------------


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 2, 8, 64))):
        if changed:
            # Heads are where formats say how much is to come.
            end = chance.choice((64, 512, len(changed)))
            changed[chance.randrange(min(end, len(changed)))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _filled(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    length = chance.choice((1, 4, 16, 256, 4096))
    with_what = bytes([chance.choice((0, 0xFF, 0x7F, 0x80))]) * length
    return content[:start] + with_what + content[start + length :]


def _numbered(content: bytes, chance: random.Random) -> bytes:
    """A field of two or four bytes becomes a number that programs trip over."""
    value = chance.choice((0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF))
    form = chance.choice(("<H", ">H", "<I", ">I"))
    field = struct.pack(form, value & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
    start = chance.randrange(max(1, min(len(content), chance.choice((64, 512, 65536)))))
    return content[:start] + field + content[start + len(field) :]


def _repeated(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    piece = content[start : start + chance.choice((1, 16, 256, 4096))]
    return content[:start] + piece * chance.choice((2, 10, 100)) + content[start:]


def _missing(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + content[start + chance.choice((1, 4, 64, 1024)) :]


def _noisy(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + chance.randbytes(chance.choice((1, 16, 512))) + content[start:]


def _spliced(content: bytes, chance: random.Random) -> bytes:
    _, other = chance.choice(originals())
    return _cut(content, chance) + other[chance.randrange(len(other)) :]


def _followed(content: bytes, chance: random.Random) -> bytes:
    return content + chance.choice((b"\0" * 4096, b"<script>alert(1)</script>", b"PK\3\4"))


def _huge(content: bytes, chance: random.Random) -> bytes:
    """Says it is very wide or high, with checksums that are right, where the format is known."""
    wide = chance.choice((0, 1, 20_000, 65_535, 100_000, 0x7FFFFFFF))
    high = chance.choice((0, 1, 7_000, 65_535, 2_500))
    if content.startswith(b"\x89PNG") and len(content) > 33:
        head = b"IHDR" + struct.pack(">II", wide, high) + content[24:29]
        return content[:12] + head + struct.pack(">I", zlib.crc32(head)) + content[33:]
    if content.startswith(b"GIF8"):
        return content[:6] + struct.pack("<HH", wide & 0xFFFF, high & 0xFFFF) + content[10:]
    if content.startswith(b"BM") and len(content) > 26:
        return content[:18] + struct.pack("<ii", wide, -high) + content[26:]
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        start = content.find(marker)
        if start >= 0:
            size = struct.pack(">HH", high & 0xFFFF, wide & 0xFFFF)
            return content[: start + 5] + size + content[start + 9 :]
    return _numbered(content, chance)


def _with_exif(content: bytes, chance: random.Random) -> bytes:
    """A JPEG with an EXIF block that leads in circles, to nowhere, or to no end of values."""
    start, *_ = (data for name, data in originals() if name == "jpeg")
    order = chance.choice(("<", ">"))
    entries = chance.choice((0, 1, 7, 65_535))
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    block += struct.pack(f"{order}H", entries)
    for _ in range(min(entries, 40)):
        tag = chance.choice(
            (0x0112, 0x8769, 0x8825, 0xA005, 0x927C, 0x9286, chance.randrange(65536))
        )
        count = chance.choice((0, 1, 2, 0x10000, 0xFFFFFFFF))
        value = chance.choice((0, 8, 10, 0xFFFFFFF0, chance.randrange(2**32)))
        block += struct.pack(f"{order}HHII", tag, chance.randrange(14), count, value)
    block += struct.pack(f"{order}I", chance.choice((0, 8, 0xFFFFFFFF)))
    segment = b"Exif\0\0" + block
    marker = b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
    return start[:2] + marker + start[2:] if chance.random() < 0.8 else marker + content


MUTATIONS: Sequence[tuple[str, Mutate]] = [
    ("cut", _cut),
    ("flipped", _flipped),
    ("filled", _filled),
    ("numbered", _numbered),
    ("repeated", _repeated),
    ("missing", _missing),
    ("noisy", _noisy),
    ("spliced", _spliced),
    ("followed", _followed),
    ("huge", _huge),
    ("with exif", _with_exif),
]


# --- bombs and strangers ------------------------------------------------------------------------


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def _png(wide: int, high: int, *chunks: bytes, rows: bytes = b"") -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0))
    body = _chunk(b"IDAT", rows or zlib.compress(b"\0" * (wide + 1) * high))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body + _chunk(b"IEND", b"")


def _pixel_bomb(chance: random.Random) -> bytes:
    wide, high = chance.choice(((12_000, 12_000), (100_000, 10_000), (2**31 - 1, 1)))
    return _png(wide, high, rows=zlib.compress(b"\0" * 10_000_000))


def _inner_bomb(chance: random.Random) -> bytes:
    """Text, or a colour profile, that unpacks to hundreds of megabytes."""
    packed = _packed_zeros()
    chunk = chance.choice(
        (
            _chunk(b"zTXt", b"a\0\0" + packed),
            _chunk(b"iTXt", b"a\0\1\0\0\0" + packed),
            _chunk(b"iCCP", b"a\0\0" + packed),
        )
    )
    return _png(8, 8, *[chunk] * chance.choice((1, 3)))


@cache
def _packed_zeros() -> bytes:
    return zlib.compress(b"\0" * 300_000_000, 9)


def _many_scans(chance: random.Random) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each is a pass over all pixels."""
    photo = _large_jpeg()
    last = photo.rindex(b"\xff\xda")
    return photo[:-2] + photo[last:-2] * chance.choice((50, 5_000)) + photo[-2:]


@cache
def _large_jpeg() -> bytes:
    return saved(Image.new("RGB", (4_000, 3_000), "teal"), "JPEG", progressive=True, quality=30)


@cache
def _gif_of_thousands() -> bytes:
    frames = [Image.new("L", (8, 8), shade % 256) for shade in range(3_000)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


def _many_frames(chance: random.Random) -> bytes:
    return _gif_of_thousands()


def _many_chunks(chance: random.Random) -> bytes:
    return _png(8, 8, *[_chunk(b"teXt", b"a\0b")] * 50_000)


def _tiff_of_loops(chance: random.Random) -> bytes:
    """A TIFF whose folders follow each other in a circle, with entries that claim everything."""
    entries = b"".join(
        struct.pack("<HHII", tag, 4, chance.choice((1, 2**31, 2**32 - 1)), value)
        for tag, value in ((256, 64), (257, 64), (273, 8), (279, 2**31), (330, 8), (34665, 8))
    )
    return b"II*\0" + struct.pack("<IH", 8, 6) + entries + struct.pack("<I", 8)


def _stranger(chance: random.Random) -> bytes:
    """What is no picture at all."""
    return chance.choice(
        (
            b"",
            b"\0" * 1000,
            b"\xff\xd8\xff",
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            b"%PDF-1.7\n1 0 obj <</JS (app.alert(1))>>",
            b"\x7fELF" + b"\0" * 100,
            b"PK\3\4" + b"\0" * 100,
            b"%!PS\n(/etc/passwd) (r) file",
            b"push graphic-context\nimage over 0,0 0,0 '|id'\npop graphic-context",
            b"P6\n100000 100000\n255\n",
            b"\0\0\0\x18ftypheic" + b"\xff" * 200,
            b"\0\0\0\x18ftypavif" + b"\0" * 200,
            b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 30,
            chance.randbytes(2_000),
        )
    )


BOMBS: Sequence[tuple[str, Callable[[random.Random], bytes]]] = [
    ("pixel bomb", _pixel_bomb),
    ("inner bomb", _inner_bomb),
    ("many scans", _many_scans),
    ("many frames", _many_frames),
    ("many chunks", _many_chunks),
    ("tiff of loops", _tiff_of_loops),
    *[("stranger", _stranger)] * 6,
]


# --- texts --------------------------------------------------------------------------------------

PIECES = (
    "' OR 1=1 --",
    '"; DROP TABLE items; --',
    "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "../../../../etc/passwd",
    "<script>alert(1)</script>",
    "%s%s%s%n%x",
    "\0\1\2\x1b[2J\x7f",
    "‮‭⁦⁩\u200b\u200d\ufeff",
    "Z̷̢̛͓̗̟̬̺̪̤̣͍͈͖̝̳̩̹̥̻a̸l̴g̵o̶",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "ﷺ﷽",
    "[CLS] [SEP] <|endoftext|> </s> <pad> <unk> <|startoftext|>",
    "NaN Infinity -0 1e999 0x1p1024",
    "2:beach - -  - :: -1e400:x",
    '"unclosed (((((((',
    "𝕳𝖊𝖑𝖑𝖔 ｆｕｌｌ",
    "\u2028\u2029\x85",
    "NEAR(a b, 999999999) AND OR NOT * ^ {a b}: col:x",
)

TEXTS: Sequence[Callable[[random.Random], str]] = [
    lambda chance: chance.choice(PIECES),
    lambda chance: chance.choice(PIECES) * chance.randrange(1, 200),
    lambda chance: "".join(chr(chance.randrange(1, 0xD800)) for _ in range(chance.randrange(300))),
    lambda chance: "".join(chr(chance.randrange(0xE000, 0x110000)) for _ in range(50)),
    lambda chance: "".join(chance.choice("-:\"'()*^ \\%_[]{}") for _ in range(60)),
    lambda chance: chance.choice("aäあ🙂\u0301 \t\n") * chance.choice((1, 77, 5_000, 50_000)),
    lambda chance: "x" * chance.choice((1, 1_000, 50_000)),
    lambda chance: " ".join("word" for _ in range(chance.choice((1, 500, 8_000)))),
    lambda chance: "",
]
