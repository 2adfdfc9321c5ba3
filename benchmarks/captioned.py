"""Captioned photos (`mini` learnt from those in `train`), and questions that they cannot answer.

Knows the layout of the data folder.
"""

from __future__ import annotations

import csv
import tarfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.photos import REAL
from benchmarks.rows import UnmeasuredError

UNANSWERABLE = Path(__file__).parent / "unanswerable.txt"


@dataclass(frozen=True, slots=True)
class Captioned:
    """Photos by name, and captions, each with the name of its photo."""

    photos: dict[str, bytes]
    captions: list[tuple[str, str]]

    def write(self, folder: Path) -> None:
        """The photos as files of their names."""
        folder.mkdir(parents=True)
        for name, content in self.photos.items():
            (folder / name).write_bytes(content)


def read_val(data: Path = REAL) -> Captioned:
    """The `val` photos with all their captions. Raises as `read_split`."""
    return read_split("val", data)


def read_split(split: str, data: Path = REAL) -> Captioned:
    """The photos of a split, `train` or `val`, with all their captions.

    Raises:
        UnmeasuredError: they are not here.
    """
    try:
        with (data / "captioned_photos.tsv").open(newline="") as lines:
            rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            pairs = [(row["file"], row["caption"]) for row in rows if row["split"] == split]
        wanted = {name for name, _ in pairs}
        with tarfile.open(data / "captioned_photos.tar") as archive:
            photos = {
                Path(member.name).name: stream.read()
                for member in archive
                if Path(member.name).name in wanted and (stream := archive.extractfile(member))
            }
    except OSError as error:
        raise UnmeasuredError(f"the captioned photos are not here: {error}") from error
    return Captioned(photos, pairs)


def unanswerable(path: Path = UNANSWERABLE) -> dict[str, list[str]]:
    """Questions by kind."""
    found: dict[str, list[str]] = {}
    kind = ""
    for line in path.read_text().splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#"):
            found.setdefault(kind, []).append(line)
    return found
