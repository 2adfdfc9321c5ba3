"""The picture of an item: its file, the one its row names, or what was kept of an upload.

A file is shown only if it is what was indexed: its bytes hash to the item's content, or, of a row
of a manifest, it looks like the item's picture. Of an upload a small copy is kept when it is
stored, for there is no file to read again. Knows nothing about requests.
"""

from __future__ import annotations

import logging
import os
import stat
from io import BytesIO
from pathlib import Path, PurePosixPath

from PIL import Image

from latent.collection import Collection
from latent.disk import write_whole
from latent.errors import ImageTooLargeError, InputError, SourceMissingError, StoreError
from latent.items import Item, Modality
from latent.media.decode import Limits, decode
from latent.media.fingerprints import apart, picture_hash
from latent.media.origins import file_of
from latent.settings import Settings
from service.checks.looks import SIDE, contents_of
from service.checks.tiers import NEAR_PICTURE

log = logging.getLogger(__name__)

KEPT = "uploads"
KEPT_SIDE = 512
"""The longer side, in pixels, of what is kept of an upload."""


def picture_of(collection: Collection, item: Item, side: int, settings: Settings) -> Image.Image:
    """The item's upright RGB picture, its short side at least `side` pixels where it has so many.

    Raises:
        InputError: the item is a text.
        SourceMissingError: its file is gone or another one by now, or nothing of it was kept.
        UnreadableImageError, ImageTooLargeError: see `latent.media.decode`.
    """
    if item.modality is not Modality.IMAGE:
        raise InputError(f"item {item.id!r} is a text and has no picture")
    content = _kept(collection, item) if item.source is None else _read(item, settings)
    return decode(content, name=item.uri, limits=Limits.of(settings), side=side).picture


def keep(collection: Collection, item: Item, content: bytes, settings: Settings) -> None:
    """Keep a small copy of an upload; without room for it the upload is stored all the same.

    Raises:
        UnreadableImageError, ImageTooLargeError: see `latent.media.decode`.
    """
    path = _place(collection, item)
    if path is None or _is_kept(path):
        return
    limits = Limits.of(settings)
    picture = decode(content, name=item.uri, limits=limits, side=KEPT_SIDE).picture
    try:
        write_whole(path, encoded(picture, KEPT_SIDE), is_durable=True)
    except StoreError as error:
        log.warning("no thumbnail of %r is kept: %s", item.id, error)


def forget(collection: Collection, item: Item) -> None:
    """Let go of what was kept of an upload that is gone, unless another item shows the same."""
    path = _place(collection, item)
    if path is None or not path.exists() or collection.with_content([str(item.content_hash)]):
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("what is kept of %r cannot be removed: %s", item.id, error)


def encoded(picture: Image.Image, side: int) -> bytes:
    """The picture as WebP, its longer side at most `side` pixels."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = BytesIO()
    small.save(stream, "WEBP", quality=80, method=2)
    return stream.getvalue()


def _place(collection: Collection, item: Item) -> Path | None:
    """Where what is kept of an upload lies."""
    mark = item.content_hash
    return collection.views / KEPT / mark[:2] / f"{mark}.webp" if mark else None


def _is_kept(path: Path) -> bool:
    """Whether it is there; from now on it is young again, so that nobody sweeps it away."""
    try:
        os.utime(path)
    except OSError:
        return path.exists()
    return True


def _kept(collection: Collection, item: Item) -> bytes:
    path = _place(collection, item)
    try:
        if path is not None:
            return path.read_bytes()
    except OSError:
        pass
    raise SourceMissingError(
        f"nothing is kept of the picture of {item.id!r}; it was stored as a vector or by an older "
        "version; store it again to see it"
    )


def _read(item: Item, settings: Settings) -> bytes:
    """The bytes of the file that was indexed."""
    path = file_of(item)
    is_row = path is None
    path = _beside_manifest(item) if path is None else path
    if path is None:
        raise SourceMissingError(f"which file shows {item.uri!r} is not known")
    content = _bytes(path, item, settings)
    is_same = _looks_like(item, content, settings) if is_row else _is_of(item, content)
    if not is_same:
        raise SourceMissingError(f"{item.uri!r} was changed since it was indexed; index it again")
    return content


def _beside_manifest(item: Item) -> Path | None:
    """The picture that a row names, if its `uri` is still the way from the manifest to it."""
    folder = Path(str(item.source)).parent
    uri = PurePosixPath(item.uri)
    if uri.is_absolute() or ".." in uri.parts or not item.picture_hash:
        return None
    return folder / uri


def _is_of(item: Item, content: bytes) -> bool:
    return item.content_hash in contents_of(content)


def _looks_like(item: Item, content: bytes, settings: Settings) -> bool:
    decoded = decode(content, name=item.uri, limits=Limits.of(settings), side=SIDE)
    return apart(picture_hash(decoded.picture), item.picture_hash).upright <= NEAR_PICTURE


def _bytes(path: Path, item: Item, settings: Settings) -> bytes:
    """All bytes of a regular file. A pipe would wait until somebody writes."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SourceMissingError(f"{item.uri!r} is no regular file any more")
            if status.st_size > settings.max_image_bytes:
                raise ImageTooLargeError(
                    f"{item.uri} has more than {settings.max_image_bytes} bytes"
                )
            return file.read(status.st_size)
    except (OSError, ValueError) as error:
        raise SourceMissingError(
            f"the file of {item.uri!r} is not there any more; index its folder again"
        ) from error
