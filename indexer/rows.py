"""The main path for manifests: their rows into a collection, in memory bounded but for their ids.

The same walk as `pipeline` takes for files: rows whose fingerprint is known are left alone, the
others are read ahead on threads, embedded in batches and stored a transaction a batch. Items of a
manifest have the manifest as their source. Ids and fingerprints of all rows are held, to know at
the end which are gone. Knows nothing about the formats of manifests.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np

from indexer.ahead import Job, behind, done_ahead
from indexer.batches import embedded
from indexer.manifests import BadRow, Row, rows
from indexer.passages import passages
from indexer.reading import NO_VECTOR, Draft, read_bytes, refuse_texts
from indexer.report import Report
from indexer.sources import File, is_below, is_gone, reason_of
from latent.collection import Collection
from latent.errors import (
    InputError,
    SourceMissingError,
    SpaceMismatchError,
    UnsupportedMediaError,
)
from latent.items import FINGERPRINT, Item, Modality, Passage, Source, Vector
from latent.media.decode import Limits, decode
from latent.media.fingerprints import picture_hash
from latent.models.embedder import Embedder
from latent.settings import Settings
from latent.space import unit_rows

_AS_JSON = json.JSONEncoder(sort_keys=True)  # made once: making it takes as long as using it
DROPPED_AT_ONCE = 500
LOADED_AT_ONCE = 4_096  # rows that bring their vector, in one transaction
NUMBERED = re.compile(r"-\d+$")  # how the passages of a row are told apart


@dataclass(frozen=True, slots=True)
class Planned:
    """A row whose turn has come: what it will be called, and the file it names."""

    row: Row
    id: str
    uri: str
    fingerprint: str
    image: str | None
    root: str | None


@dataclass(frozen=True, slots=True)
class RowReading:
    """A row that was read: items that brought their vector, drafts that lack it, or a failure."""

    planned: Planned
    items: tuple[Item, ...] = ()
    drafts: tuple[Draft, ...] = ()
    failure: InputError | None = None


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
    run = _Run(file, collection, report, settings)
    reader = RowReader(file, embedder, settings, has_fitting=run.was_here)
    waiting: list[RowReading] = []
    with behind() as storing:

        def load(rows: Sequence[Planned]) -> None:
            readings = reader.placed(rows)
            storing.do(partial(run.store, readings, embedder, settings.batch_size))

        to_read = without_vectors(run.changed(), load)
        jobs = (Job(partial(reader.read, one), one.image is not None) for one in to_read)
        window = 2 * settings.batch_size
        with done_ahead(jobs, threads=settings.threads, window=window) as readings:
            for reading in readings:
                waiting.append(reading)
                if sum(max(1, len(one.drafts)) for one in waiting) >= settings.batch_size:
                    storing.wait()
                    run.store(waiting, embedder, settings.batch_size)
                    waiting.clear()
        storing.wait()
        run.store(waiting, embedder, settings.batch_size)
    run.finish()


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


class RowReader:
    """Reads what rows name. Safe in many threads."""

    def __init__(
        self, file: File, embedder: Embedder, settings: Settings, *, has_fitting: bool = False
    ) -> None:
        self._file = file
        self._embedder = embedder
        self._settings = settings
        self._has_fitting = has_fitting  # whether any row brought a vector of this space

    def read(self, planned: Planned) -> RowReading:
        """Read a row; what is wrong with it is part of the answer."""
        row = planned.row
        try:
            if row.vector is not None:
                return RowReading(planned, items=(self._placed(planned),))
            if planned.image is not None:
                return RowReading(planned, drafts=(self._picture(planned, planned.image),))
            return RowReading(planned, drafts=self._texts(planned))
        except InputError as error:
            return RowReading(planned, failure=error)

    def placed(self, many: Sequence[Planned]) -> list[RowReading]:
        """As `read` for rows that bring their vector, all at once.

        Raises:
            SpaceMismatchError: none so far is of this dimension: they are made for another space.
        """
        dim = self._embedder.space.dim
        vectors = [one.row.vector for one in many if one.row.vector is not None]
        self._has_fitting = self._has_fitting or any(one.shape == (dim,) for one in vectors)
        try:
            if any(vector.shape != (dim,) for vector in vectors):
                return [self.read(one) for one in many]  # says which of them
            units = unit_rows(np.stack(vectors), dim) if vectors else np.empty((0, dim), np.float32)
        except InputError:
            return [self.read(one) for one in many]
        return [
            RowReading(one, items=(self._item(one, _modality(one.row), unit),))
            for one, unit in zip(many, units, strict=True)
        ]

    def _placed(self, planned: Planned) -> Item:
        row, dim = planned.row, self._embedder.space.dim
        assert row.vector is not None
        try:
            vector = unit_rows(row.vector, dim)[0]
        except SpaceMismatchError as error:
            if self._has_fitting:
                raise InputError(str(error)) from error  # a slip in one row
            raise SpaceMismatchError(f"{self._file.uri}, row {row.number}: {error}") from error
        return self._item(planned, _modality(row), vector)

    def _picture(self, planned: Planned, path: str) -> Draft:
        content, _ = read_bytes(
            path, planned.uri, self._settings.max_image_bytes, root=planned.root
        )
        decoded = decode(
            content,
            name=planned.uri,
            limits=Limits.of(self._settings),
            side=self._embedder.picture_side,
        )
        item = self._item(planned, Modality.IMAGE)
        item = replace(
            item,
            metadata=decoded.facts | dict(item.metadata),
            picture_hash=picture_hash(decoded.picture),
        )
        return Draft(item, self._embedder.prepare(decoded.picture))

    def _texts(self, planned: Planned) -> tuple[Draft, ...]:
        text = planned.row.text or ""
        item = self._item(planned, Modality.TEXT)
        if planned.row.passage:
            return (Draft(item, text),)
        spans = passages(text, self._embedder)
        if not spans:
            refuse_texts(self._embedder)
            raise UnsupportedMediaError(f"{planned.uri}: empty: there are no words in its text")
        if len(spans) == 1:
            return (Draft(item, text.strip()),)
        return tuple(
            Draft(
                replace(
                    item,
                    id=f"{planned.id}-{number}",
                    text=text[start:end],
                    passage=Passage(planned.uri, number, len(spans), start, end),
                ),
                text[start:end],
            )
            for number, (start, end) in enumerate(spans)
        )

    def _item(self, planned: Planned, modality: Modality, vector: Vector = NO_VECTOR) -> Item:
        row = planned.row
        return Item(
            id=planned.id,
            modality=modality,
            vector=vector,
            uri=planned.uri,
            text=row.text,
            passage=row.passage,
            metadata=row.metadata,
            source=self._file.path,
            content_hash=planned.fingerprint,
        )


class _Run:
    """What one run over a manifest has seen so far, and what it found there before."""

    def __init__(
        self, file: File, collection: Collection, report: Report, settings: Settings
    ) -> None:
        self._file = file
        self._collection = collection
        self._report = report
        named = (settings.roots or "").split(os.pathsep)
        self._roots = [str(Path(file.path).parent), *(os.path.abspath(one) for one in named if one)]  # noqa: PTH100
        self._known = collection.hashes_of(file.path)
        self._ids: dict[str, list[str]] = {}  # by fingerprint
        for item_id, fingerprint in self._known.items():
            # Older versions kept all digits.
            self._ids.setdefault(str(fingerprint)[:FINGERPRINT], []).append(item_id)
        self._ids_of_row: dict[str, list[str]] = {}
        for ids in self._ids.values():
            # Only passages share a fingerprint; a lone `a-1` is a row of that name.
            row_id = ids[0] if len(ids) == 1 else NUMBERED.sub("", ids[0])
            self._ids_of_row.setdefault(row_id, []).extend(ids)
        self._rows: set[str] = set()  # ids of the rows there were so far
        self._kept: set[str] = set()  # ids of the items that are there after this run
        self._failed: dict[str, Source] = {}
        self._is_complete = True

    @property
    def was_here(self) -> bool:
        """Whether rows of this manifest are in the collection from before."""
        return bool(self._known)

    def changed(self) -> Iterator[Planned]:
        """The rows to read; the others are counted."""
        source = rows(Path(self._file.path))
        while True:
            try:
                row = next(source, None)
            except InputError as error:
                if not self._rows:
                    raise  # there was no row that could be used
                self._fail("the end", error)
                self._is_complete = False
                return
            if row is None:
                return
            if isinstance(row, BadRow):
                self._fail(f"line {row.number}", InputError(row.reason))
            elif planned := self._planned(row):
                yield planned

    def _planned(self, row: Row) -> Planned | None:
        item_id = row.id or _derived_id(row)
        if item_id in self._rows or item_id in self._kept:
            self._fail(f"line {row.number}", InputError(f"the id {item_id!r} was there before"))
            return None
        self._rows.add(item_id)
        try:
            image = self._path(row)
            root = None if image is None else self._root(row, image)
            fingerprint = _fingerprint(row, item_id, image)
        except InputError as error:
            self._keep(item_id)
            self._fail(f"line {row.number}", error)
            return None
        if fingerprint in self._ids:
            self._kept.update(self._ids[fingerprint])
            self._report.unchanged += 1
            return None
        return Planned(row, item_id, self._uri(row, item_id), fingerprint, image, root)

    def _path(self, row: Row) -> str | None:
        if row.image is None or row.vector is not None:
            return None
        return os.path.normpath(Path(self._file.path).parent / row.image)

    def _root(self, row: Row, image: str) -> str:
        """The folder that a picture is read below. Raises InputError: it is in none of them."""
        for root in self._roots:
            if is_below(image, root):
                return root
        raise InputError(
            f"{row.image}: it is outside of the manifest's folder; name its own in NEARFIELD_ROOTS"
        )

    def _uri(self, row: Row, item_id: str) -> str:
        if row.uri is not None or row.image is None:
            return row.uri or f"{self._file.uri}#{item_id}"
        image = PurePosixPath(os.path.normpath(row.image))
        folder = PurePosixPath(self._file.path).parent
        if image.is_absolute():
            image = image.relative_to(folder) if folder in image.parents else image
        parts = [part for part in image.parts if part not in ("..", "/")]
        return "/".join(parts if not image.is_absolute() else parts[-1:])

    def store(self, readings: Sequence[RowReading], embedder: Embedder, size: int) -> None:
        """Embed and store rows: their items in one transaction, failures remembered."""
        drafts = [draft for reading in readings for draft in reading.drafts]
        answers = iter(embedded(embedder, drafts, size))
        taken = self._taken([d.item.id for d in drafts] + [i.id for r in readings for i in r.items])
        good: list[Item] = []
        for reading in readings:
            answer = [*reading.items, *islice(answers, len(reading.drafts))]
            items = [one for one in answer if isinstance(one, Item)]
            errors = [one for one in answer if isinstance(one, InputError)]
            failure = reading.failure or next(iter(errors), None) or self._clash(items, taken)
            if failure is not None:
                if isinstance(failure, SourceMissingError):
                    self._keep(reading.planned.id)
                self._fail(f"line {reading.planned.row.number}", failure)
                continue
            self._kept.update(item.id for item in items)
            self._report.indexed += 1
            good += items
        if good:
            self._collection.put(good)

    def _taken(self, ids: Sequence[str]) -> dict[str, str]:
        """Which ids belong to items of other files that are still there."""
        found = self._collection.origins(ids)
        others = {i: one for i, one in found.items() if one.source not in (None, self._file.path)}
        return {i: one.uri for i, one in others.items() if not is_gone(str(one.source))}

    def _clash(self, items: Sequence[Item], taken: dict[str, str]) -> InputError | None:
        for item in items:
            if item.id in taken:
                return InputError(f"the id {item.id!r} belongs to {taken[item.id]}")
            if len(items) > 1 and (item.id in self._rows or item.id in self._kept):
                return InputError(f"the id {item.id!r} of a passage was there before")
        return None

    def _keep(self, row_id: str) -> None:
        """Keep what a row gave before, whose picture is not there: absence is not deletion."""
        self._kept.update(self._ids_of_row.get(row_id, ()))

    def _fail(self, where: str, error: InputError) -> None:
        path = f"{self._file.path}/{where}"
        uri, reason = f"{self._file.uri}, {where}", str(error)
        self._failed[path] = Source(path, 0, 0, None, reason, error.code, uri)
        self._report.fail(uri, reason)

    def finish(self) -> None:
        """Remove rows that are gone, remember failures, and the manifest as it is now."""
        file, collection = self._file, self._collection
        if self._is_complete:
            gone = [item_id for item_id in self._known if item_id not in self._kept]
            self._report.removed += sum(
                row_id not in self._rows and not self._kept.issuperset(ids)
                for row_id, ids in self._ids_of_row.items()
            )
            for start in range(0, len(gone), DROPPED_AT_ONCE):
                collection.drop(gone[start : start + DROPPED_AT_ONCE])
            before = set(collection.sources(Path(file.path))) - {file.path}
            collection.drop_sources(before - set(self._failed))
        collection.touch_sources(
            [*self._failed.values(), Source(file.path, file.size, file.mtime_ns)]
        )


def _modality(row: Row) -> Modality:
    is_text = row.text is not None and row.image is None
    return row.modality or (Modality.TEXT if is_text else Modality.IMAGE)


def _derived_id(row: Row) -> str:
    return blake2b(b"row" + _canonical(row)).hexdigest()[:16]


def _fingerprint(row: Row, item_id: str, image: str | None) -> str:
    """Changes whenever the row would be stored otherwise: its cells, or the file it names."""
    digest = blake2b(item_id.encode() + b"\0" + _canonical(row))
    if image is not None:
        try:
            status = Path(image).lstat()
        except (OSError, ValueError) as error:
            raise SourceMissingError(f"{row.image}: {reason_of(error)}") from error
        digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:FINGERPRINT]


def _canonical(row: Row) -> bytes:
    cells = [row.image, row.text, row.uri, row.modality, dict(row.metadata)]
    cells.append(asdict(row.passage) if row.passage else None)
    written = _AS_JSON.encode(cells).encode()
    return written if row.vector is None else written + b"\0" + row.vector.tobytes()
