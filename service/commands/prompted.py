"""What is named at a prompt: files, items as `id:`, concepts as `concept:`, words as themselves.

Knows nothing about what is asked of them.
"""

from __future__ import annotations

from pathlib import Path

from latent.errors import ImageTooLargeError, SourceMissingError
from latent.settings import Settings
from service.engine.parts import Learned, Like, Part, Picture, Text, Thing

ITEM, CONCEPT = "id:", "concept:"


def part(settings: Settings, given: str) -> Part:
    """An item or a concept of the collection if it begins with such a word, else as `thing`."""
    if given.startswith(ITEM):
        return Part(Like(given.removeprefix(ITEM)))
    if given.startswith(CONCEPT):
        return Part(Learned(given.removeprefix(CONCEPT)))
    return Part(thing(settings, given))


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
