"""The main path of things in: files and manifests into a collection.

What there is, is compared with what the collection remembers; only what is new or changed is read,
on threads, a few batches ahead; batches are embedded on threads too, and stored in order, one
transaction each, so that decoding, the model and the disk never wait for one another. Memory is
bounded but for the names of the files. What was stored stays stored, so a run that was cut short
goes on where it ended. Knows nothing about the command line, and nothing about models but their
seam.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

from indexer.ahead import Job, done_ahead
from indexer.batches import Answered, answered, gathered, store
from indexer.manifests.loading import index_manifest
from indexer.reading import Reader, Wanted
from indexer.report import Report
from indexer.sources import File, Kind, Listing, is_below, is_gone, kind_of, listing
from latent.collection import Collection
from latent.errors import ImageTooLargeError, InputError
from latent.items import Source
from latent.models.embedder import Embedder
from latent.settings import Settings

AHEAD = 2  # batches read while one is embedded
EMBEDDING = 2  # batches in the model at once: one begins where the other waits or is stored
READ_AT_ONCE = 8  # pictures that one thread reads in a row …
BYTES_AT_ONCE = 8_000_000  # … if all of them together have no more bytes
DROPPED_AT_ONCE = 500

RETRIED = frozenset({InputError.code, ImageTooLargeError.code})
"""Failures that may have passed without the file changing: permissions, limits."""

Progress = Callable[[int, int], None]
"""Told how many files are done, of how many."""


def index(
    paths: Sequence[Path],
    collection: Collection,
    embedder: Embedder,
    settings: Settings,
    *,
    allow_empty: bool = False,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Bring the collection in step with the files, folders and manifests at `paths`.

    A file that cannot be read stops nothing: it is reported and remembered. What is gone is
    removed, below folders of `paths` alone; a folder that held something and now holds nothing may
    be the mount point of a disk that is away, and loses its items only with `allow_empty`.

    Raises:
        SourceMissingError: a path is not there; nothing was changed.
        UnsupportedMediaError: a path is a file of a kind that is not read; nothing was changed.
        InputError: a folder holds nothing to read (any more), or a manifest has no fit columns.
    """
    started = time.monotonic()
    report = Report(collection.name)
    listings = [listing(path) for path in paths]
    for unreadable in (folder for one in listings for folder in one.unreadable):
        report.fail(unreadable.uri, unreadable.reason)
    known = _known(collection, listings)
    _require_something(listings, known, allow_empty=allow_empty)
    files = {file.path: file for one in listings for file in one.files}
    changed = list(_changed(files.values(), known, report))
    finished = len(files) - len(changed)
    progress(finished, len(files))

    wanted = [Wanted(one, known.get(one.path)) for one in changed if one.kind is not Kind.MANIFEST]
    with _embedded(wanted, collection, embedder, settings) as batches:
        for batch in batches:
            store(collection, batch, report)
            finished += len(batch)
            progress(finished, len(files))
    for file in changed:
        if file.kind is Kind.MANIFEST:
            index_manifest(file, collection, embedder, settings, report=report)
            finished += 1
            progress(finished, len(files))
    _drop_what_is_gone(collection, listings, known, report)
    collection.publish()
    report.items = collection.count()
    report.seconds = time.monotonic() - started
    return report


@contextmanager
def _embedded(
    wanted: Sequence[Wanted], collection: Collection, embedder: Embedder, settings: Settings
) -> Iterator[Iterator[list[Answered]]]:
    """The files in batches, in order, read and embedded ahead of who stores them."""
    reader = Reader(collection, embedder, settings)
    size = settings.batch_size
    reads = (
        # Texts are read when it is their turn: unlike pictures they do not get smaller by it.
        Job(partial(reader.read, some), some[0].file.kind is Kind.PICTURE, len(some))
        for some in together(wanted, min(READ_AT_ONCE, max(1, size // settings.threads)))
    )
    with done_ahead(reads, threads=settings.threads, window=AHEAD * size) as read:
        batches = gathered(chain.from_iterable(read), size)
        embeds = (Job(partial(answered, embedder, batch, size)) for batch in batches)
        with done_ahead(embeds, threads=EMBEDDING, window=EMBEDDING - 1) as done:
            yield done


def together(wanted: Iterable[Wanted], most: int) -> Iterator[list[Wanted]]:
    """What one thread reads in a row: a few pictures, or one text."""
    some: list[Wanted] = []
    for one in wanted:
        is_picture = one.file.kind is Kind.PICTURE
        size = sum(other.file.size for other in some) + one.file.size
        if some and (len(some) == most or size > BYTES_AT_ONCE or not is_picture):
            yield some
            some = []
        some.append(one)
        if not is_picture:
            yield some
            some = []
    if some:
        yield some


def _known(collection: Collection, listings: Sequence[Listing]) -> dict[str, Source]:
    known: dict[str, Source] = {}
    for one in listings:
        known |= collection.sources(Path(one.root))
    return known


def _require_something(
    listings: Sequence[Listing], known: dict[str, Source], *, allow_empty: bool
) -> None:
    for one in listings:
        if one.files:
            continue
        below = [source for path, source in known.items() if is_below(path, one.root)]
        if not below and not one.unreadable:
            raise InputError(f"{one.root}: this folder holds no pictures or texts")
        gone = [s for s in below if s.failure is None and not one.hides(s.path) and is_gone(s.path)]
        if gone and not allow_empty:  # a disk that is away leaves an empty folder behind
            files = "1 file" if len(gone) == 1 else f"{len(gone):,} files"
            raise InputError(
                f"{one.root}: this folder holds nothing any more; the items of {files} stay. "
                "If they are to go: nearfield index … --allow-empty"
            )


def _changed(files: Iterable[File], known: dict[str, Source], report: Report) -> Iterator[File]:
    """The files to read; the others are counted as they were left the last time."""
    for file in files:
        source = known.get(file.path)
        same = source and (source.size, source.mtime_ns) == (file.size, file.mtime_ns)
        if source is None or not same or source.code in RETRIED or file.kind is Kind.MANIFEST:
            yield file
        elif source.failure is not None:
            report.fail(file.uri, source.failure)
        else:
            report.unchanged += 1


def _drop_what_is_gone(
    collection: Collection,
    listings: Sequence[Listing],
    known: dict[str, Source],
    report: Report,
) -> None:
    """Remove what was below a folder and is no more; a folder one may not look into keeps all."""
    folders = [one for one in listings if one.is_folder]
    seen = {file.path for one in folders for file in one.files}
    gone = [
        path
        for path in known
        if path not in seen
        and any(is_below(path, one.root) for one in folders)
        and not any(one.hides(path) for one in folders)
        and is_gone(path)
    ]
    for start in range(0, len(gone), DROPPED_AT_ONCE):
        collection.drop_sources(gone[start : start + DROPPED_AT_ONCE])
    report.removed += sum(kind_of(str(Path(path).parent)) is not Kind.MANIFEST for path in gone)
