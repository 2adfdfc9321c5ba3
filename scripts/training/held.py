"""What the finished model is measured on: files it was not trained on, as they come.

Knows the layout of the data folder and nothing about models.
"""

from __future__ import annotations

import csv
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HELD_OUT_EVERY = 5


@dataclass(frozen=True)
class Held:
    """Photos that were not trained on, as files: captioned ones and ones of a class.

    `owners` numbers the photo of each caption, `classes` the name of each class photo.
    """

    photos: list[bytes]
    captions: list[str]
    owners: NDArray[np.int64]
    class_photos: list[bytes]
    classes: NDArray[np.int64]
    class_names: list[str]


def read_held(data: Path) -> Held:
    """The `val` photos with all their captions, and every fifth class photo."""
    with (data / "captioned_photos.tsv").open(newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        pairs = [(row["file"], row["caption"]) for row in rows if row["split"] == "val"]
    names = list(dict.fromkeys(name for name, _ in pairs))
    files = _members(data / "captioned_photos.tar")
    number = {name: i for i, name in enumerate(names)}
    # ImageNet numbers its classes in the order of their WordNet ids, with which the files begin.
    class_files = sorted(_members(data / "class_photos.tar").items())
    labels = (data / "imagenet_labels.txt").read_text().splitlines()[1:]
    return Held(
        [files[name] for name in names],
        [caption for _, caption in pairs],
        np.array([number[name] for name, _ in pairs]),
        [content for _, content in class_files[::HELD_OUT_EVERY]],
        np.arange(len(class_files))[::HELD_OUT_EVERY],
        [label.split(",")[0].strip() for label in labels],
    )


def _members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {
            Path(member.name).name: stream.read()
            for member in archive
            if (stream := archive.extractfile(member)) is not None
        }
