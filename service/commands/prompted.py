"""What is named at a prompt: files, items as `id:`, concepts as `concept:`, words as themselves.

Knows nothing about what is asked of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from latent.errors import ImageTooLargeError, SourceMissingError
from latent.settings import Settings
from service.engine.parts import Learned, Like, Part, Picture, Text, Thing

if TYPE_CHECKING:
    from latent.collection import Collection
    from latent.items import Vectors
    from latent.store import Store
    from service.explore.named import Named

ITEM, CONCEPT = "id:", "concept:"


def part(settings: Settings, given: str) -> Part:
    """An item or a concept of the collection if it begins with such a word, else as `thing`."""
    if given.startswith(ITEM):
        return Part(Like(given.removeprefix(ITEM)))
    if given.startswith(CONCEPT):
        return Part(Learned(given.removeprefix(CONCEPT)))
    return Part(thing(settings, given))


class Placed(NamedTuple):
    """What was named, and where its parts lie: `(n, dim)`, unit rows."""

    named: Named
    rows: Vectors


def placed(store: Store, collection: Collection, parts: Sequence[Part]) -> Placed:
    """Find and place the parts of a question. The model is loaded only where something needs it.

    Raises:
        InputError: a text or picture has no place.
        UnknownItemError: there is no item of that id.
        UnknownConceptError: a part names what was not learnt.
    """
    from service.embedding.placing import place_now
    from service.explore.named import named
    from service.seen.timing import Timings

    found = named(collection, parts)
    things = found.things
    embedder = store.embedder_for(collection) if things else None
    places = place_now(embedder, things, store.settings, Timings()) if embedder else []
    return Placed(found, found.rows(places))


def thing(settings: Settings, given: str) -> Thing:
    """The file of that name if there is one, else the words themselves."""
    from latent.media import documents

    path = Path(given)
    if not _is_file(path):
        return Text(given)
    suffix = path.suffix.lower()
    if suffix not in documents.SUFFIXES:
        return picture(settings, path)
    return Text(documents.document(path.read_bytes(), name=given, suffix=suffix).text)


def picture(settings: Settings, path: Path) -> Picture:
    """The picture in a file.

    Raises:
        SourceMissingError: there is no such file.
        ImageTooLargeError: it has more bytes than are taken.
    """
    if not _is_file(path):
        raise SourceMissingError(f"there is no picture {path}")
    if path.stat().st_size > settings.max_image_bytes:
        raise ImageTooLargeError(f"{path} has more than {settings.max_image_bytes} bytes")
    return Picture(path.read_bytes(), path.name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # words may be too long for a name, or hold a NUL
        return False
