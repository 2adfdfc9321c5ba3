"""JPEG files like those of a phone and of the web, made anew for every run.

They begin as real photos where there are some, else as drawn ones, and are brought to size with
the kind of detail that enlarging lacks: noise at every scale (the spectrum of photos falls with
frequency, as 1/f), so that files are about as large as photos of that many pixels are. Knows
nothing about models.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[1]
REAL = Path(os.environ.get("NEARFIELD_TRAINING_DATA", ROOT.parent / "shared" / "data"))
ARCHIVE = "unlabelled_photos.tar"

OCTAVES = 6
SLOPE = 1.4  # how much stronger each octave of noise is than the finer one below it
QUALITY = 88


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of photo: what it is called, its sides, and the strength of its finest noise."""

    name: str
    long: int
    short: int
    noise: float


LARGE = Kind("12 MP", 4000, 3000, 3.0)
SMALL = Kind("500 px", 500, 375, 3.0)


@dataclass(frozen=True, slots=True)
class Photos:
    """A folder of photos of one kind; `about` says what is in it."""

    kind: Kind
    folder: Path
    count: int
    about: str


def make_photos(
    kind: Kind, folder: Path, *, count: int, distinct: int, archive: Path = REAL / ARCHIVE
) -> Photos:
    """Write `count` files with `distinct` different pictures; no two have the same bytes.

    They begin as the JPEGs in the tar `archive`, where it is there.
    """
    folder.mkdir(parents=True)
    distinct = min(distinct, count)
    pictures = list(_begun(distinct, archive))
    sizes = []
    for number, (_, picture) in enumerate(pictures):
        content = encoded(enlarged(picture, kind, seed=number))
        sizes.append(len(content))
        for copy in range(number, count, distinct):
            # Bytes behind the end of a JPEG change its hash and nothing else.
            (folder / f"{copy:05}.jpg").write_bytes(content + f"{copy:05}".encode())
    about = (
        f"{count} {kind.name} JPEGs of {np.mean(sizes) / 1e6:.2f} MB at quality {QUALITY},"
        f" {distinct} distinct, enlarged from {pictures[0][0]}"
    )
    return Photos(kind, folder, count, about)


def enlarged(picture: Image.Image, kind: Kind, *, seed: int) -> Image.Image:
    """The picture at the sides of its kind, with noise at every scale."""
    is_wide = picture.width >= picture.height
    size = (kind.long, kind.short) if is_wide else (kind.short, kind.long)
    pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    noisy = pixels + _noise(size, kind.noise, np.random.default_rng(seed))[..., None]
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def encoded(picture: Image.Image) -> bytes:
    """The picture as cameras write it: JPEG with a maker, a date and an orientation."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Nearfield", "Bench", 1
    exif[0x0132] = "2024:05:01 12:00:00"
    stream = BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY, exif=exif)
    return stream.getvalue()


def _noise(
    size: tuple[int, int], strength: float, chance: np.random.Generator
) -> NDArray[np.float32]:
    width, height = size
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(OCTAVES):
        scale = 2**octave
        shape = (-(-height // scale), -(-width // scale))
        grain = Image.fromarray(chance.standard_normal(shape, dtype=np.float32))
        total += strength * SLOPE**octave * np.asarray(grain.resize(size, Image.Resampling.BICUBIC))
    return total


def _begun(count: int, archive: Path) -> Iterator[tuple[str, Image.Image]]:
    """What photos are made of, with the name of where it came from."""
    if not archive.is_file():
        yield from (("drawn pictures", _drawn(seed)) for seed in range(count))
        return
    with tarfile.open(archive) as photos:
        jpegs = (member for member in photos if member.name.endswith(".jpg"))
        for member in islice(jpegs, count):
            content = photos.extractfile(member)
            assert content is not None
            yield "real photos", Image.open(BytesIO(content.read())).convert("RGB")


def _drawn(seed: int) -> Image.Image:
    """A sky above a ground, with shapes on it."""
    chance = np.random.default_rng(seed)
    sky, ground = (chance.integers(40, 255, 3) for _ in range(2))
    rows = np.linspace(0, 1, 180)[:, None, None]
    picture = Image.fromarray(
        np.broadcast_to(sky * (1 - rows) + ground * rows, (180, 240, 3)).astype(np.uint8)
    )
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, w, h = (int(chance.integers(0, most)) for most in (240, 180, 90, 90))
        colour = tuple(int(value) for value in chance.integers(0, 255, 3))
        draw = pen.ellipse if chance.random() < 0.5 else pen.rectangle
        draw((x, y, x + w, y + h), fill=colour)
    return picture
