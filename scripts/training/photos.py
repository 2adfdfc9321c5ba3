"""The photos and words the model learns from, decoded once and held in memory.

Knows the layout of the data folder (tars of JPEGs beside tab-separated lists) and nothing about
models.
"""

from __future__ import annotations

import csv
import io
import random
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Photo:
    """One decoded photo `(h, w, 3)` uint8 and which of the captions are its own."""

    pixels: NDArray[np.uint8]
    captions: tuple[int, ...]


@dataclass(frozen=True)
class Corpus:
    """What is learnt from and what progress is checked on; captions are rows of `captions`."""

    train: list[Photo]
    val: list[Photo]
    unlabelled: list[Photo]
    captions: list[str] = field(repr=False)
    class_names: list[str] = field(repr=False)


def read_corpus(folder: Path) -> Corpus:
    """Decode the captioned photos of the data folder."""
    captions: list[str] = []
    by_file: dict[str, list[int]] = {}
    split: dict[str, str] = {}
    for row in _rows(folder / "captioned_photos.tsv"):
        by_file.setdefault(row["file"], []).append(len(captions))
        split[row["file"]] = row["split"]
        captions.append(row["caption"])
    labels = (folder / "imagenet_labels.txt").read_text().splitlines()[1:]
    photos: dict[str, list[Photo]] = {"train": [], "val": []}
    for name, pixels in _decode(folder / "captioned_photos.tar"):
        photos[split[name]].append(Photo(pixels, tuple(by_file[name])))
    return Corpus(
        **photos,
        unlabelled=[Photo(p, ()) for _, p in _decode(folder / "unlabelled_photos.tar")],
        captions=captions,
        class_names=[label.strip() for label in labels],
    )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as lines:
        yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def _decode(path: Path) -> list[tuple[str, NDArray[np.uint8]]]:
    with tarfile.open(path) as archive:
        packed = [
            (member.name, stream.read())
            for member in archive
            if (stream := archive.extractfile(member)) is not None
        ]

    def one(entry: tuple[str, bytes]) -> tuple[str, NDArray[np.uint8]]:
        with Image.open(io.BytesIO(entry[1]), formats=["JPEG"]) as image:
            return Path(entry[0]).name, np.asarray(image.convert("RGB"))

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, packed))


def whole(photos: Sequence[Photo], size: int) -> Tensor:
    """Each photo squeezed into `size` × `size`, as the product feeds it: `(n, 3, size, size)`."""
    return to_input([_resized(photo.pixels, size, None) for photo in photos])


def augmented(photos: Sequence[Photo], size: int, *, least_crop: float, seed: int) -> Tensor:
    """Random crops, mirrored and recoloured, `(n, 3, size, size)` float32 in [-1, 1]."""
    chance = random.Random(seed)
    images = []
    for photo in photos:
        small = _resized(photo.pixels, size, _crop(photo.pixels.shape, chance, least_crop))
        images.append(small[:, ::-1] if chance.random() < 0.5 else small)
    return _recolour(to_input(images), torch.Generator().manual_seed(seed))


def to_input(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """uint8 images to the backbone's input, `x / 127.5 - 1`, channels first."""
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    return (stacked.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def _crop(
    shape: tuple[int, ...], chance: random.Random, least: float
) -> tuple[float, float, float, float]:
    height, width = shape[:2]
    area = height * width * chance.uniform(least, 1.0)
    aspect = (width / height) ** chance.random() * chance.uniform(0.8, 1.25)
    across = min(width, (area * aspect) ** 0.5)
    down = min(height, (area / aspect) ** 0.5)
    left = chance.uniform(0, width - across)
    top = chance.uniform(0, height - down)
    return left, top, left + across, top + down


def _resized(
    pixels: NDArray[np.uint8], size: int, box: tuple[float, float, float, float] | None
) -> NDArray[np.uint8]:
    return np.asarray(
        Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR, box=box)
    )


def _recolour(pixels: Tensor, chance: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation, each drawn for each photo; one in eight turns grey."""
    count = len(pixels)

    def draw(low: float, high: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=chance) * (high - low) + low

    grey = pixels.mean(1, keepdim=True)
    saturation = draw(0.5, 1.5) * (draw(0, 1) > 0.125)
    pixels = grey + (pixels - grey) * saturation
    mean = pixels.mean((1, 2, 3), keepdim=True)
    pixels = mean + (pixels - mean) * draw(0.65, 1.35) + draw(-0.25, 0.25)
    return pixels.clamp(-1, 1)
