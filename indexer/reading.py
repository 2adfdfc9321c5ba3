"""Files in; out comes what is to be stored of them, but for the vectors.

Reading happens on many threads at once. Bytes whose content the collection knows already are not
decoded again; it is asked once for several files, for that takes as long as for one. Knows nothing
about batches and folders.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, auto
from hashlib import blake2b, sha256
from pathlib import PurePosixPath

import numpy as np

from indexer.below import open_file
from indexer.passages import passages
from indexer.sources import File, Kind, reason_of
from latent.collection import Collection
from latent.errors import (
    ImageTooLargeError,
    InputError,
    SourceMissingError,
    UnsupportedMediaError,
)
from latent.items import JSON, Item, Metadata, Modality, Passage, Source, Vector
from latent.media.decode import Limits, decode
from latent.media.documents import HTML, document
from latent.media.fingerprints import picture_hash
from latent.models.embedder import Embedder, Prepared
from latent.settings import Settings

NO_VECTOR: Vector = np.zeros(0, np.float32)
"""Stands in an item until it is embedded; a collection would refuse it."""

FILE_FACTS = frozenset({"name", "folder", "suffix", "size", "modified"})


class Outcome(Enum):
    """What reading a file came to."""

    NEW = auto()  # drafts, to be embedded
    REUSED = auto()  # items with the vectors of the same content elsewhere
    TOUCHED = auto()  # the bytes are those we know; the same items, with the new time
    FAILED = auto()  # `source.failure` says why
    VANISHED = auto()  # it went between being listed and being read


@dataclass(frozen=True, slots=True)
class Draft:
    """An item that lacks its vector, and what is to be embedded for it."""

    item: Item
    content: Prepared | str


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read."""

    file: File
    outcome: Outcome
    source: Source
    drafts: tuple[Draft, ...] = ()
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to read, and what the collection remembers of its path."""

    file: File
    known: Source | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file whose bytes are here and were hashed."""

    file: File
    source: Source
    content: bytes


class Reader:
    """Reads files for one collection. Safe in many threads."""

    def __init__(self, collection: Collection, embedder: Embedder, settings: Settings) -> None:
        self._collection = collection
        self._embedder = embedder
        self._settings = settings

    def read(self, wanted: Sequence[Wanted]) -> list[Reading]:
        """Read files, in order; all of their bytes are in memory at once."""
        opened = [self._opened(one) for one in wanted]
        hashes = [str(one.source.content_hash) for one in opened if isinstance(one, _Opened)]
        alike = self._collection.with_content(hashes) if hashes else {}
        return [
            one
            if isinstance(one, Reading)
            else self._read(one, alike.get(str(one.source.content_hash), ()))
            for one in opened
        ]

    def _opened(self, wanted: Wanted) -> _Opened | Reading:
        """The bytes of a file, or what it came to without looking into them."""
        file, known = wanted.file, wanted.known
        try:
            content, source = self._content(file)
        except InputError as error:
            return _failed(file, error)
        if known and known.failure is None and known.content_hash == source.content_hash:
            return Reading(file, Outcome.TOUCHED, source, items=self._touched(file, source))
        return _Opened(file, source, content)

    def _read(self, opened: _Opened, alike: Sequence[Item]) -> Reading:
        file, source = opened.file, opened.source
        if items := _reused(file, source, alike):
            return Reading(file, Outcome.REUSED, source, items=items)
        try:
            drafts = self._drafts(file, source, opened.content)
        except InputError as error:
            return _failed(file, error)
        return Reading(file, Outcome.NEW, source, drafts=drafts)

    def _content(self, file: File) -> tuple[bytes, Source]:
        is_picture = file.kind is Kind.PICTURE
        most = self._settings.max_image_bytes if is_picture else self._settings.max_text_bytes
        content, status = read_bytes(file.path, file.uri, most, root=file.root)
        digest = sha256(f"{_treatment(file)}\0".encode())  # which processors do by themselves
        digest.update(content)
        return content, Source(file.path, status.st_size, status.st_mtime_ns, digest.hexdigest())

    def _touched(self, file: File, source: Source) -> tuple[Item, ...]:
        """What the file gave before, but for what was removed of it since."""
        found = self._collection.find(list(self._collection.hashes_of(file.path)))
        return tuple(_renewed(item, file, source) for item in found.values())

    def _drafts(self, file: File, source: Source, content: bytes) -> tuple[Draft, ...]:
        if file.kind is Kind.PICTURE:
            return (self._picture(file, source, content),)
        return self._passages(file, source, content)

    def _picture(self, file: File, source: Source, content: bytes) -> Draft:
        decoded = decode(
            content,
            name=file.uri,
            limits=Limits.of(self._settings),
            side=self._embedder.picture_side,
        )
        item = Item(
            id=item_id(file.path),
            modality=Modality.IMAGE,
            vector=NO_VECTOR,
            uri=file.uri,
            metadata=file_facts(file, source) | decoded.facts,
            source=file.path,
            content_hash=source.content_hash,
            picture_hash=picture_hash(decoded.picture),
        )
        return Draft(item, self._embedder.prepare(decoded.picture))

    def _passages(self, file: File, source: Source, content: bytes) -> tuple[Draft, ...]:
        read = document(content, name=file.uri, suffix=_suffix(file.path))
        spans = passages(read.text, self._embedder)
        if not spans:
            refuse_texts(self._embedder)
            raise UnsupportedMediaError(f"{file.uri}: empty: there are no words in it")
        metadata = file_facts(file, source) | ({"title": read.title} if read.title else {})
        return tuple(
            Draft(
                Item(
                    id=item_id(file.path, number),
                    modality=Modality.TEXT,
                    vector=NO_VECTOR,
                    uri=file.uri,
                    text=read.text[start:end],
                    passage=Passage(file.uri, number, len(spans), start, end),
                    metadata=metadata,
                    source=file.path,
                    content_hash=source.content_hash,
                ),
                read.text[start:end],
            )
            for number, (start, end) in enumerate(spans)
        )


def _failed(file: File, error: InputError) -> Reading:
    if isinstance(error, SourceMissingError):
        return Reading(file, Outcome.VANISHED, Source(file.path, 0, 0))
    reason = str(error).removeprefix(f"{file.uri}: ")
    source = Source(file.path, file.size, file.mtime_ns, None, reason, error.code, file.uri)
    return Reading(file, Outcome.FAILED, source)


def _reused(file: File, source: Source, alike: Sequence[Item]) -> tuple[Item, ...]:
    """The items of the same content elsewhere, as items of this file; none if it must be read."""
    if not alike or len(alike) != (alike[0].passage.of if alike[0].passage else 1):
        return ()  # unknown, or some of its passages were removed one by one
    return tuple(
        replace(
            _renewed(item, file, source),
            id=item_id(file.path, item.passage.number if item.passage else None),
            source=file.path,
        )
        for item in alike
    )


def item_id(path: str, number: int | None = None) -> str:
    """The id of the item of a file, or of a passage of it: the same whenever the path is."""
    digest = blake2b(path.encode()).hexdigest()[:16]
    return digest if number is None else f"{digest}-{number}"


def file_facts(file: File, source: Source) -> dict[str, JSON]:
    """What is known of a file without opening it, as metadata."""
    uri = PurePosixPath(file.uri)
    facts: Metadata = {
        "name": uri.name,
        "folder": "" if uri.parent == PurePosixPath(".") else str(uri.parent),
        "suffix": _suffix(file.path),
        "size": source.size,
        "modified": datetime.fromtimestamp(source.mtime_ns // 10**9, UTC).isoformat(),
    }
    return dict(facts)


def _renewed(item: Item, file: File, source: Source) -> Item:
    """An item of this content, with the file's name and facts as they are now."""
    facts = {k: v for k, v in item.metadata.items() if k not in FILE_FACTS}
    return replace(
        item,
        uri=file.uri,
        passage=item.passage and replace(item.passage, document=file.uri),
        metadata=file_facts(file, source) | facts,
    )


def read_bytes(
    path: str, name: str, most: int, *, root: str | None = None
) -> tuple[bytes, os.stat_result]:
    """All bytes of a file, and its status as it was before they were read.

    Args:
        root: a folder it must be below, without a link on the way; None if it was named itself.

    Raises:
        SourceMissingError: it is not there any more.
        ImageTooLargeError: it has more than `most` bytes; nothing was read.
        InputError: it cannot be read; says why.
    """
    try:
        with os.fdopen(open_file(path, root), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{name}: it cannot be read: it is no regular file")
            if status.st_size > most:
                raise ImageTooLargeError(f"{name}: {status.st_size:,} bytes; the limit is {most:,}")
            return file.read(status.st_size), status
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceMissingError(f"{name}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: it cannot be read: {reason_of(error)}") from error


def refuse_texts(embedder: Embedder) -> None:
    """Let a model that takes no texts say so in its own words.

    Raises:
        UnsupportedMediaError: the model takes none.
    """
    embedder.embed_texts(["text"])


def _treatment(file: File) -> str:
    """Equal bytes are equal content only if they are read alike."""
    if file.kind is Kind.PICTURE:
        return "picture"
    return "html" if _suffix(file.path) in HTML else "text"


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()
