"""Thumbnails: made once, kept as WebP in a few sizes, thrown away when they take too much room.

They are named by the content they show, so that a changed item gets another one. Knows nothing
about requests.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from latent.collection import Collection
from latent.disk import write_whole
from latent.errors import StoreError
from latent.items import Item
from latent.settings import Settings
from service.explore.pictures import encoded, picture_of

log = logging.getLogger(__name__)

FOLDER = "thumbnails"
SIZES = (128, 256, 512, 1024)
"""Pixels of the longer side; what is asked for is rounded up to one of them."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A WebP picture; `mark` is another one whenever the picture is."""

    content: bytes
    mark: str


class Thumbnails:
    """The thumbnails of all collections. Safe among threads and beside other processes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._counting = threading.Lock()
        self._unswept: dict[Path, int] = {}  # bytes written since a folder was looked through

    def of(self, collection: Collection, item_id: str, size: int) -> Thumbnail:
        """The thumbnail of an item, made if it is not there.

        Raises:
            UnknownItemError: there is no such item.
            InputError: it is a text.
            SourceMissingError: its picture cannot be had any more; says why.
            UnreadableImageError, ImageTooLargeError: its picture is damaged by now.
        """
        (item,) = collection.get([item_id])
        side = next((one for one in SIZES if one >= size), SIZES[-1])
        mark = f"{item.content_hash}-{side}"
        path = self._place(collection, item, side)
        if path is not None:
            with suppress(OSError):
                return Thumbnail(path.read_bytes(), mark)
        content = encoded(picture_of(collection, item, side, self._settings), side)
        if path is not None:
            self._keep(collection.views / FOLDER, path, content)
        return Thumbnail(content, mark)

    def _place(self, collection: Collection, item: Item, side: int) -> Path | None:
        mark = item.content_hash
        if not mark or not self._settings.thumbnail_bytes:
            return None
        return collection.views / FOLDER / str(side) / mark[:2] / f"{mark}.webp"

    def _keep(self, folder: Path, path: Path, content: bytes) -> None:
        try:
            write_whole(path, content, is_durable=False)
        except StoreError as error:  # it is shown all the same, and made again next time
            log.warning("a thumbnail is not kept: %s", error)
            return
        most = self._settings.thumbnail_bytes
        with self._counting:
            unswept = self._unswept.get(folder, most) + len(content)
            is_due = unswept > most / 20
            self._unswept[folder] = 0 if is_due else unswept
        if is_due:
            sweep(folder, most)


def sweep(folder: Path, most: int) -> None:
    """Throw away what was made first, if there is too much, until 90 % of `most` bytes are left."""
    files = sorted(_files(folder))
    left = sum(size for _, size, _ in files)
    if left <= most:
        return
    for _, size, path in files:
        if left <= 0.9 * most:
            break
        path.unlink(missing_ok=True)
        left -= size


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Time, bytes and place of every thumbnail; others may be sweeping, too."""
    for path in folder.glob("*/*/*.webp"):
        with suppress(FileNotFoundError):
            status = path.stat()
            yield status.st_mtime, status.st_size, path
