"""The main path for manifests: their rows into a collection, in memory bounded but for their ids.

The same walk as `pipeline` takes for files: rows whose fingerprint is known are left alone, the
others are read ahead on threads, embedded in batches and stored a transaction a batch. Items of a
manifest have the manifest as their source. Knows nothing about the formats of manifests.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from indexer.ahead import Job, behind, done_ahead
from indexer.manifests.book import Book
from indexer.manifests.reader import Planned, RowReader, RowReading
from indexer.report import Report
from indexer.sources import File
from latent.collection import Collection
from latent.models.embedder import Embedder
from latent.settings import Settings

LOADED_AT_ONCE = 4_096  # rows that bring their vector, in one transaction


def index_manifest(
    file: File,
    collection: Collection,
    embedder: Embedder,
    settings: Settings,
    *,
    report: Report,
) -> None:
    """Bring the collection in step with the rows of a manifest.

    A row with an image becomes an image, its text the caption; one with a text alone becomes a
    text, in passages where the model cannot read it whole; one with a vector brings its place
    along and opens no file. Rows that are gone are removed once the manifest was read to its end.

    Raises:
        InputError: the manifest has none of the columns it needs.
        SpaceMismatchError: vectors of another dimension, and none before them that fits.
    """
    book = Book(file, collection, report, settings)
    reader = RowReader(file, embedder, settings, has_fitting=book.was_here)
    waiting: list[RowReading] = []
    with settled(), behind() as storing:

        def load(rows: Sequence[Planned]) -> None:
            storing.do(partial(book.load, rows, reader.placed(rows)))

        to_read = without_vectors(book.changed(), load)
        jobs = (Job(partial(reader.read, one), one.image is not None) for one in to_read)
        window = 2 * settings.batch_size
        with done_ahead(jobs, threads=settings.threads, window=window) as readings:
            for reading in readings:
                waiting.append(reading)
                if sum(max(1, len(one.drafts)) for one in waiting) >= settings.batch_size:
                    storing.wait()
                    book.store(waiting, embedder, settings.batch_size)
                    waiting.clear()
        storing.wait()
        book.store(waiting, embedder, settings.batch_size)
    book.finish()


@contextmanager
def settled() -> Iterator[None]:
    """Have Python not look for cycles among all that is there already.

    Rows come and go by the million; each few thousand of them it would look through everything.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def without_vectors(
    planned: Iterable[Planned], load: Callable[[Sequence[Planned]], None]
) -> Iterator[Planned]:
    """The rows that are to be embedded; those that bring a vector are loaded by thousands."""
    waiting: list[Planned] = []
    for one in planned:
        if one.row.vector is None:
            yield one
            continue
        waiting.append(one)
        if len(waiting) >= LOADED_AT_ONCE:
            load(waiting)
            waiting = []
    load(waiting)
