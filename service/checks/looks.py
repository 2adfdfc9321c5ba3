"""What tells a thing from its copies, beside its place: bytes, words, what a picture looks like.

Knows nothing about models and tiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from PIL import Image

from latent.items import Item, Modality
from latent.media.decode import Limits, decode
from latent.media.fingerprints import SEEN, picture_hash
from latent.settings import Settings
from service.checks.overlap import Small, small
from service.checks.structure import Fine, fine
from service.engine.parts import Picture, Text, Thing

SIDE = 2 * SEEN
"""Pixels that are wanted of a picture's short side; decoding leaves twice as many at least."""

TREATED = ("", "picture\0")
"""What stands before the bytes of a picture where they are hashed: of live items, and of files."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is known of a thing. `contents` are hashes of its bytes, `small` and `fine` its pixels.

    Pixels are None where they are not at hand. A text's own words count as its bytes.
    """

    modality: Modality
    contents: frozenset[str]
    text: str | None = None
    picture_hash: str | None = None
    small: Small | None = None
    fine: Fine | None = None


def look_at(thing: Thing, settings: Settings) -> Look:
    """What a text or a picture looks like.

    Raises:
        UnreadableImageError, ImageTooLargeError: see `latent.media.decode`.
    """
    if isinstance(thing, Text):
        return look_at_text(thing.text)
    picture = _decoded(thing.content, thing.name, settings)
    return Look(
        Modality.IMAGE,
        contents_of(thing.content),
        None,
        picture_hash(picture),
        small(picture),
        fine(picture),
    )


def look_at_text(text: str) -> Look:
    """What a text looks like."""
    return Look(Modality.TEXT, frozenset([_hash(text.encode(errors="surrogatepass"))]), text)


def look_at_item(item: Item) -> Look:
    """What is stored of an item, without its pixels."""
    if item.modality is Modality.TEXT:
        return look_at_text(item.text or "")
    known = frozenset([item.content_hash] if item.content_hash else [])
    return Look(Modality.IMAGE, known, None, item.picture_hash)


def contents_of(content: bytes) -> frozenset[str]:
    """The content hashes that an item of these bytes may have."""
    return frozenset(_hash(treated.encode() + content) for treated in TREATED)


def hash_of_picture(picture: Picture, settings: Settings) -> str:
    """The picture hash of an upload. Raises as `look_at`."""
    return picture_hash(_decoded(picture.content, picture.name, settings))


def _decoded(content: bytes, name: str, settings: Settings) -> Image.Image:
    return decode(content, name=name, limits=Limits.of(settings), side=SIDE).picture


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()
