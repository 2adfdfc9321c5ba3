"""What the finished model is measured on: files it was not trained on, as they come.

Knows the layout of the data folder and nothing about models.
"""

from __future__ import annotations

import csv
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SMALL_EACH = 10
"""Small photos of each class that are compared with each other."""


@dataclass(frozen=True)
class Held:
    """Photos that were not learnt from, as files: captioned ones and ones of a class.

    `owners` numbers the photo of each caption, `classes` the name of each class photo, and
    `small_classes` the class of each of the `small_photos` (64 pixels, several of a class).
    """

    photos: list[bytes]
    captions: list[str]
    owners: NDArray[np.int64]
    class_photos: list[bytes]
    classes: NDArray[np.int64]
    class_names: list[str]
    small_photos: list[bytes]
    small_classes: NDArray[np.int64]


def read_held(data: Path) -> Held:
    """The `val` photos with all their captions, the class photos, and ten small ones a class."""
    with (data / "captioned_photos.tsv").open(newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        pairs = [(row["file"], row["caption"]) for row in rows if row["split"] == "val"]
    names = list(dict.fromkeys(name for name, _ in pairs))
    files = members(data / "captioned_photos.tar")
    number = {name: i for i, name in enumerate(names)}
    # ImageNet numbers its classes in the order of their WordNet ids, with which the files begin.
    class_files = sorted(members(data / "class_photos.tar").items())
    labels = (data / "imagenet_labels.txt").read_text().splitlines()[1:]
    return Held(
        [files[name] for name in names],
        [caption for _, caption in pairs],
        np.array([number[name] for name, _ in pairs]),
        [content for _, content in class_files],
        np.arange(len(class_files)),
        [label.split(",")[0].strip() for label in labels],
        *_small(data),
    )


def _small(data: Path) -> tuple[list[bytes], NDArray[np.int64]]:
    photos: list[bytes] = []
    classes: list[int] = []
    numbers: dict[str, int] = {}
    taken: Counter[int] = Counter()
    for name, content in sorted(members(data / "tiny_class_photos.tar").items()):
        number = numbers.setdefault(name.split("_")[0], len(numbers))
        taken[number] += 1
        if taken[number] <= SMALL_EACH:
            photos.append(content)
            classes.append(number)
    return photos, np.array(classes)


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {
            Path(member.name).name: stream.read()
            for member in archive
            if (stream := archive.extractfile(member)) is not None
        }
