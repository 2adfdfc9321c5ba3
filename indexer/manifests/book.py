"""What one run over a manifest has seen so far, and what it found of it in the collection.

Ids and fingerprints of all rows are held, to know at the end which are gone. Knows nothing about
how rows are read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from indexer.batches import embedded
from indexer.manifests.formats import rows
from indexer.manifests.identity import derived_id, fingerprint, older_fingerprint
from indexer.manifests.reader import Planned, RowReading
from indexer.manifests.row import BadRow, Row
from indexer.report import Report
from indexer.sources import File, is_below, is_gone
from latent.collection import Collection
from latent.errors import InputError, SourceMissingError
from latent.items import FINGERPRINT, Item, Source
from latent.models.embedder import Embedder
from latent.settings import Settings

DROPPED_AT_ONCE = 500
NUMBERED = re.compile(r"-\d+$")  # how the passages of a row are told apart


class Book:
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
        for item_id, stored in self._known.items():
            # Older versions kept all digits.
            self._ids.setdefault(str(stored)[:FINGERPRINT], []).append(item_id)
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
        item_id = row.id or derived_id(row)
        if item_id in self._rows or item_id in self._kept:
            self._fail(f"line {row.number}", InputError(f"the id {item_id!r} was there before"))
            return None
        self._rows.add(item_id)
        try:
            image = self._path(row)
            root = None if image is None else self._root(row, image)
            known = self._known_as(row, item_id, image)
        except InputError as error:
            self._keep(item_id)
            self._fail(f"line {row.number}", error)
            return None
        if known in self._ids:
            self._kept.update(self._ids[known])
            self._report.unchanged += 1
            return None
        return Planned(row, item_id, self._uri(row, item_id), known, image, root)

    def _known_as(self, row: Row, item_id: str, image: str | None) -> str:
        """The fingerprint by which the row is in the collection, or would be."""
        now = fingerprint(row, item_id, image)
        if self._ids and now not in self._ids and row.vector is not None:
            older = older_fingerprint(row, item_id)
            return older if older in self._ids else now
        return now

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

    def load(self, rows: Sequence[Planned], placed: Sequence[Item | InputError]) -> None:
        """Store rows that brought their vector: in one transaction, failures remembered."""
        taken = self._taken([planned.id for planned in rows])
        good: list[Item] = []
        for planned, one in zip(rows, placed, strict=True):
            failure = one if isinstance(one, InputError) else self._clash([one], taken)
            if failure is None and isinstance(one, Item):
                good.append(one)
            elif failure is not None:
                self._refuse(planned, failure)
        self._put(good, rows=len(good))

    def store(self, readings: Sequence[RowReading], embedder: Embedder, size: int) -> None:
        """Embed and store rows: their items in one transaction, failures remembered."""
        drafts = [draft for reading in readings for draft in reading.drafts]
        answers = iter(embedded(embedder, drafts, size))
        taken = self._taken([draft.item.id for draft in drafts])
        good: list[Item] = []
        rows = 0
        for reading in readings:
            answer = list(islice(answers, len(reading.drafts)))
            items = [one for one in answer if isinstance(one, Item)]
            errors = [one for one in answer if isinstance(one, InputError)]
            failure = reading.failure or next(iter(errors), None) or self._clash(items, taken)
            if failure is not None:
                self._refuse(reading.planned, failure)
                continue
            self._kept.update(item.id for item in items)  # no later row may give such a passage
            rows += 1
            good += items
        self._put(good, rows=rows)

    def _put(self, items: Sequence[Item], *, rows: int) -> None:
        if items:
            self._kept.update([item.id for item in items])
            self._report.indexed += rows
            self._collection.put(items)

    def _refuse(self, planned: Planned, failure: InputError) -> None:
        if isinstance(failure, SourceMissingError):
            self._keep(planned.id)
        self._fail(f"line {planned.row.number}", failure)

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
