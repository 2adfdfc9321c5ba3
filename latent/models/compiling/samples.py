"""What parity is measured on: photos of the user or made ones, and texts of the package.

Every picture takes the whole way: file, decoding, preparing. Knows nothing about compiling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from latent.errors import InputError, SourceMissingError
from latent.items import Modality
from latent.media.decode import Limits, decode
from latent.models.embedder import Embedder, Prepared

MOST_PHOTOS = 64
MADE, CALIBRATING = 24, 8
"""How many pictures are made where there are no photos, and to calibrate."""
ONE_IN = 7
"""One in so many texts of the package calibrates; the others are measured on."""

SIZES = ((640, 480), (480, 640), (500, 500), (1024, 576), (333, 500), (200, 150))


@dataclass(frozen=True, slots=True)
class Samples:
    """Pictures as files, and texts; `are_photos` is false where the pictures were made."""

    pictures: tuple[bytes | Path, ...]
    texts: tuple[str, ...]
    are_photos: bool


def samples_for(embedder: Embedder, photos: Sequence[Path], texts: Sequence[str] | None) -> Samples:
    """What fits the model: a spread of the photos, and texts no longer than it reads."""
    some: tuple[bytes | Path, ...] = ()
    if Modality.IMAGE in embedder.space.modalities:
        some = _spread(photos) or tuple(made_pictures())
    own = tuple(short_enough(embedder, packaged_texts() if texts is None else texts))
    return Samples(some, own, bool(photos))


def prepared(
    embedder: Embedder, pictures: Sequence[bytes | Path], limits: Limits
) -> tuple[list[Prepared], list[int]]:
    """The pictures as the model wants them, and which of them could be read.

    Raises:
        InputError: none could.
    """
    ready: list[Prepared] = []
    read: list[int] = []
    for number, picture in enumerate(pictures):
        name = f"picture {number}" if isinstance(picture, bytes) else str(picture)
        try:
            decoded = decode(picture, name=name, limits=limits, side=embedder.picture_side)
        except (InputError, SourceMissingError):
            continue
        ready.append(embedder.prepare(decoded.picture))
        read.append(number)
    if pictures and not ready:
        raise InputError(f"none of {len(pictures)} photos can be read, the first {pictures[0]!s}")
    return ready, read


def packaged_texts() -> list[str]:
    """Queries and sentences in many languages, short and long, that parity is measured on."""
    return [line for number, line in enumerate(_lines()) if number % ONE_IN]


def calibration_texts() -> list[str]:
    """A few more of them, which nothing is measured on."""
    return _lines()[::ONE_IN]


def calibration_pictures() -> list[bytes]:
    """A few pictures which nothing is measured on."""
    return list(made_pictures(CALIBRATING, seed=8))


def _lines() -> list[str]:
    return (files(__package__) / "texts.txt").read_text(encoding="utf-8").splitlines()


def made_pictures(count: int = MADE, *, seed: int = 7) -> Iterator[bytes]:
    """JPEG files of shapes on soft noise, whose spectrum falls as that of photographs does."""
    chance = np.random.default_rng(seed)
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        picture = Image.fromarray(_noise(chance, width, height, softness=1.0 + number % 3 * 0.3))
        draw = ImageDraw.Draw(picture)
        for _ in range(number % 5):
            left, right = sorted(chance.integers(0, width, 2).tolist())
            top, bottom = sorted(chance.integers(0, height, 2).tolist())
            colour = tuple(chance.integers(0, 256, 3).tolist())
            shape = draw.ellipse if chance.random() < 0.5 else draw.rectangle
            shape((left, top, right + 1, bottom + 1), fill=colour)
        file = BytesIO()
        picture.save(file, "JPEG", quality=90)
        yield file.getvalue()


def _noise(
    chance: np.random.Generator, width: int, height: int, *, softness: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """`(height, width, 3)` uint8 with a spectrum of 1/f to the power of `softness`."""
    down, across = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    white = np.fft.fft2(chance.normal(size=(3, height, width)))
    soft = np.fft.ifft2(white / frequency**softness).real
    soft = (soft - soft.mean((1, 2), keepdims=True)) / soft.std((1, 2), keepdims=True)
    soft = soft * chance.uniform(20, 70) + chance.uniform(60, 190, (3, 1, 1))
    return np.asarray(soft.clip(0, 255).transpose(1, 2, 0), dtype=np.uint8)


def _spread(photos: Sequence[Path]) -> tuple[Path, ...]:
    if len(photos) <= MOST_PHOTOS:
        return tuple(photos)
    places = np.linspace(0, len(photos) - 1, MOST_PHOTOS).astype(int)
    return tuple(photos[place] for place in places)


def short_enough(embedder: Embedder, texts: Sequence[str]) -> Iterator[str]:
    """The texts, each cut where the model stops reading; one that is then empty falls away."""
    if Modality.TEXT not in embedder.space.modalities:
        return
    for text in texts:
        spans = embedder.token_spans(text)
        while spans and not _is_read(embedder, text):
            text = text[: spans[min(embedder.max_tokens, len(spans)) - 1][0]].rstrip()
            spans = embedder.token_spans(text)
        if any(letter.isalnum() for letter in text):  # some models read nothing else
            yield text


def _is_read(embedder: Embedder, text: str) -> bool:
    return len(embedder.token_spans(text)) <= embedder.max_tokens
