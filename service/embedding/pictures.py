"""Pictures as they travel in requests: base64, data URLs, bytes; and how they reach a model.

Knows nothing about the web, and never fetches one.
"""

from __future__ import annotations

import base64
import binascii
import re

from latent.errors import FetchError, InputError, UnsupportedMediaError
from latent.media.decode import Limits, decode
from latent.models.embedder import Embedder, Prepared
from latent.settings import Settings

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def picture_bytes(image: object) -> bytes:
    """The bytes of a picture given as bytes, base64 or a data URL.

    Raises:
        InputError: it is none of these.
        FetchError: it is a URL of another host.
        UnsupportedMediaError: a data URL that says it is no picture.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        content = bytes(image)
    elif not isinstance(image, str):
        raise InputError("an image must be base64, a data URL, or bytes")
    elif _URL.match(image):
        raise FetchError("an image at this URL is not fetched; send it as base64 or a data URL")
    else:
        content = _from_base64(_payload(image) if image[:5].lower() == "data:" else image)
    if not content:
        raise InputError("an image is empty")
    return content


def data_url(content: bytes) -> str:
    """A picture of any format as a data URL."""
    return f"data:image/*;base64,{base64.b64encode(content).decode()}"


def prepare(embedder: Embedder, content: bytes, *, name: str, settings: Settings) -> Prepared:
    """Decode a picture and shape it as the model wants it.

    Raises:
        UnreadableImageError, ImageTooLargeError, UnsupportedMediaError: see `latent.media.decode`.
    """
    limits = Limits.of(settings)
    decoded = decode(content, name=name, limits=limits, side=embedder.picture_side)
    return embedder.prepare(decoded.picture)


def _payload(url: str) -> str:
    """What a data URL carries, still in base64 (RFC 2397)."""
    header, comma, payload = url[5:].partition(",")
    media_type, *parameters = header.split(";")
    if not comma or "base64" not in (parameter.strip().lower() for parameter in parameters):
        raise InputError("a data URL must look like data:image/jpeg;base64,…")
    if media_type and not media_type.lower().startswith("image/"):
        raise UnsupportedMediaError(f"a data URL of {media_type!r} is no image")
    return payload


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"an image is not valid base64: {error}") from error
