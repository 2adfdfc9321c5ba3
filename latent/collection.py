"""A collection: a named set of items in one space, its catalog and its index kept in step.

The only writer of either. A write goes to the catalog first, whose commit is the acknowledgement,
then into the index in memory. A process that did not write itself asks the catalog, before each
search, what changed since. Knows nothing about files to crawl, models or the web.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Change, Content, Origin, Written
from latent.catalog.rows import Entry
from latent.columns.matches import Matches
from latent.errors import InputError, StoreError, UnknownItemError
from latent.filters import language as filters
from latent.filters.language import Filter, Where
from latent.finding import Among, Finder, Found
from latent.index.bases import Quantisation
from latent.index.products import Products
from latent.index.questions import InWords
from latent.index.samples import PART, SOONER, Sample, Samples
from latent.index.served import Limits, ServedIndex
from latent.index.vectors import Keys
from latent.items import JSON, Hit, Item, Metadata, Modality, Source, Vector, Vectors
from latent.media.picture_hashes import PictureHashes
from latent.space import Space, unit_row, unit_rows

VIEWS = "views"
"""The folder, beside that of the indexes, of what collections are looked at with."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a collection holds; `index` says how it is searched.

    `searched` items are in the index. `behind` is how many writes it had not seen when one asked.
    """

    name: str
    space: Space
    items: int
    images: int
    texts: int
    failed: int
    sequence: int
    index: dict[str, JSON]
    searched: int
    behind: int


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Items by their vectors, `(n, dim)`, and whether each is a picture, `(n,)`."""

    vectors: Vectors
    are_images: NDArray[np.bool_]


class Collection:
    """Items by id, and the nearest of them. Safe among threads and beside other processes."""

    def __init__(
        self,
        catalog: Catalog,
        entry: Entry,
        folder: Path,
        limits: Limits,
        *,
        in_words: InWords = lambda: None,
    ) -> None:
        self._views = folder.parent.parent / VIEWS / entry.uid
        self._catalog = catalog
        self._entry = entry
        self._index = ServedIndex(catalog, entry, folder, limits, in_words=in_words)
        self._matches = Matches(catalog, entry)
        self._finder = Finder(catalog, entry, self._index, self._matches)
        self._samples = Samples(self._matches)
        self._pictures = PictureHashes(catalog, entry)

    @property
    def name(self) -> str:
        """What it goes by now: collections can be switched."""
        return self._catalog.name_of(self._entry)

    @property
    def sequence(self) -> int:
        """The number of the last write."""
        return self._catalog.sequence(self._entry)

    @property
    def space(self) -> Space:
        """The space all items are in."""
        return self._entry.space

    @property
    def views(self) -> Path:
        """A folder for what it is looked at with, such as thumbnails; it may not be there yet."""
        return self._views

    # --- live items ---------------------------------------------------------------------------

    def put(self, items: Sequence[Item]) -> int:
        """Store items, replacing those of the same id, in one transaction; gives the sequence.

        Raises:
            SpaceMismatchError, InputError: a vector does not belong here; nothing was stored.
            StorageFullError: there is no room; nothing was stored.
        """
        return self._write(Change(put=self._placed(items))).sequence

    def drop(self, ids: Sequence[str]) -> int:
        """Remove items by id in one transaction; gives how many were there."""
        return len(self._write(Change(drop=ids)).dropped)

    def find(self, ids: Sequence[str]) -> dict[str, Item]:
        """Those of the items that exist, by id."""
        return self._catalog.find(self._entry, ids)

    def get(self, ids: Sequence[str]) -> list[Item]:
        """Items in the order asked.

        Raises:
            UnknownItemError: for the first that is not there.
        """
        found = self.find(ids)
        for item_id in ids:
            if item_id not in found:
                raise UnknownItemError(self.name, item_id)
        return [found[item_id] for item_id in ids]

    def scroll(
        self,
        limit: int,
        *,
        after: str | None = None,
        where: Where | Filter | None = None,
        modality: Modality | None = None,
    ) -> list[Item]:
        """Up to `limit` items in order of arrival, those behind the item `after`."""
        tree = filters.parse(where)
        return self._catalog.scroll(self._entry, limit, after=after, where=tree, modality=modality)

    def count(
        self, *, where: Where | Filter | None = None, modality: Modality | None = None
    ) -> int:
        """How many items match."""
        tree = filters.parse(where)
        if tree is None:
            return self._catalog.count(self._entry, modality=modality)
        return len(self._matches.at(self.sequence, tree, modality).keys)

    def nearest(
        self,
        query: Vector,
        k: int,
        *,
        where: Where | Filter | None = None,
        modality: Modality | None = None,
        after: tuple[float, str] | None = None,
    ) -> list[Hit]:
        """The k nearest that match, best first, ties by arrival; fewer only if fewer match.

        `after` is score and id of a hit seen before: only hits behind it are given.

        Raises:
            SpaceMismatchError, InputError: the query is no vector of this space.
            FilterError: `where` cannot be understood.
        """
        return self.explained(query, k, where=where, modality=modality, after=after).hits

    def explained(
        self,
        query: Vector,
        k: int,
        *,
        where: Where | Filter | None = None,
        modality: Modality | None = None,
        after: tuple[float, str] | None = None,
    ) -> Found:
        """As `nearest`, with how the hits were found. Raises as `nearest`."""
        unit = unit_row(query, self.space.dim)
        return self._finder.found(unit, k, Among(filters.parse(where), modality, after))

    def explained_each(
        self,
        queries: Vectors,
        k: int,
        *,
        where: Where | Filter | None = None,
        modality: Modality | None = None,
        after: tuple[float, str] | None = None,
    ) -> list[Found]:
        """As `explained` for each row of `(n, dim)`, searched and read together.

        They are seen at one moment, and each is answered as it would be alone. Raises as `nearest`.
        """
        units = unit_rows(queries, self.space.dim)
        return self._finder.found_each(units, k, Among(filters.parse(where), modality, after))

    def matching_words(
        self,
        query: str,
        k: int,
        *,
        where: Where | Filter | None = None,
        modality: Modality | None = None,
        prefix: bool = False,
    ) -> list[tuple[Item, float]]:
        """The k items whose text, name or metadata say the words best, with their rank scores.

        Best first; a score is higher where it is better and means nothing beside another answer's.
        Any text may be asked; with `prefix` its last word may be the beginning of one.

        Raises:
            FilterError: `where` cannot be understood.
        """
        tree = filters.parse(where)
        return self._catalog.ranked(
            self._entry, query, k, where=tree, modality=modality, prefix=prefix
        )

    def vectors_of(self, ids: Sequence[str]) -> Vectors:
        """The vectors of items, `(n, dim)` in the order asked.

        Raises:
            UnknownItemError: for the first that is not there.
        """
        return self.located(ids).vectors

    def located(self, ids: Sequence[str]) -> Located:
        """Where items lie, in the order asked; nothing else is read of them.

        Raises:
            UnknownItemError: for the first that is not there.
        """
        known = self._catalog.keys(self._entry, ids)
        if unknown := next((item_id for item_id in ids if item_id not in known), None):
            raise UnknownItemError(self.name, unknown)
        index, images = self._finder.matched(None, Modality.IMAGE)
        keys = np.array([known[item_id] for item_id in ids], np.int64)
        there, vectors = index.vectors_of(np.unique(keys))
        places = np.searchsorted(there, keys)
        if len(there) < len(set(keys.tolist())):  # one went, or came, a moment ago
            items = self.get(ids)
            rows = np.stack([item.vector for item in items])
            return Located(rows, np.array([item.modality is Modality.IMAGE for item in items]))
        return Located(vectors[places], np.isin(keys, [] if images is None else images))

    def sample(self, n: int, *, modality: Modality | None = None, seed: int = 0) -> Vectors:
        """The vectors of n random items, `(min(n, there are), dim)`.

        The same seed gives the same sample of the same items.
        """
        index, only = self._finder.matched(None, modality)
        keys = index.keys() if only is None else only
        chosen = np.random.default_rng(seed).choice(keys, min(n, len(keys)), replace=False)
        return index.vectors_of(np.sort(chosen))[1]

    def background(self) -> dict[Modality, Sample]:
        """A random sample of each modality to hold scores against, a little behind the writes."""
        return self._drawn(PART)

    def refresh(self) -> None:
        """Draw what `background` gives before a question would wait for it."""
        self._drawn(SOONER)

    def _drawn(self, part: int) -> dict[Modality, Sample]:
        served = self._index.followed()
        return {modality: self._samples.of(served, modality, part=part) for modality in Modality}

    def summary(self) -> Summary:
        """What the collection holds right now."""
        behind = self.sequence - self._index.sequence
        counts = self._catalog.counts(self._entry)
        served = self._index.followed()
        return Summary(
            name=self.name,
            space=self.space,
            items=counts.images + counts.texts,
            images=counts.images,
            texts=counts.texts,
            failed=counts.failed,
            sequence=served.sequence,
            index=served.described(),
            searched=len(served.index),
            behind=max(0, behind),
        )

    # --- for the indexer ----------------------------------------------------------------------

    def sources(self, under: Path | None = None) -> dict[str, Source]:
        """Known sources by absolute path: `under` itself and everything below it, or all."""
        return self._catalog.sources(self._entry, None if under is None else str(under))

    def failures(self, limit: int, offset: int = 0) -> list[Source]:
        """Sources that could not be read, by path: `limit` of them behind the first `offset`."""
        return self._catalog.failures(self._entry, limit, offset)

    def put_sources(self, contents: Sequence[tuple[Source, Sequence[Item]]]) -> int:
        """Store what was read in one transaction; what a source gave before and not now is dropped.

        A source with a failure is remembered with no items. Gives the sequence.
        """
        return self._write(
            Change(
                put=self._placed([item for _, items in contents for item in items]),
                sources=[source for source, _ in contents],
                replace=[source.path for source, _ in contents],
            )
        ).sequence

    def touch_sources(self, sources: Sequence[Source]) -> None:
        """Remember sources as they are now; their items stay as they are."""
        self._write(Change(sources=sources))

    def drop_sources(self, paths: Iterable[str]) -> int:
        """Forget sources and remove their items in one transaction; gives how many items went."""
        return len(self._write(Change(forget=list(paths))).dropped)

    def with_content(self, content_hashes: Sequence[str]) -> dict[str, list[Item]]:
        """Items by content hash, of one source each, in passage order; vectors to use again."""
        return self._catalog.with_content(self._entry, content_hashes)

    def origins(self, ids: Sequence[str]) -> dict[str, Origin]:
        """Where those of the items come from that exist, by id."""
        return self._catalog.origins(self._entry, ids)

    def hashes_of(self, source: str) -> dict[str, str | None]:
        """Content hash of every item of one source, by id."""
        return self._catalog.hashes_of(self._entry, source)

    # --- for copies ---------------------------------------------------------------------------

    def looking_like(self, picture_hash: str, within: float, most: int) -> list[str]:
        """The ids of pictures whose hash is as near as `within`, also turned over; nearest first.

        At most `most` of them. What their vectors say has no part in it.
        """
        keys = self._pictures.near(picture_hash, within)[:most]
        items = self._catalog.by_key(self._entry, keys)
        return [items[key].id for key in keys if key in items]

    def contents(self) -> Iterator[Content]:
        """What tells every item from its copies, in order of arrival."""
        return self._catalog.contents(self._entry)

    def facts(
        self, *, where: Where | Filter | None = None, modality: Modality | None = None
    ) -> Iterator[tuple[Modality, Metadata]]:
        """Modality and metadata of every item that matches."""
        tree = filters.parse(where)
        return self._catalog.facts(self._entry, where=tree, modality=modality)

    def vectors(self) -> tuple[Keys, Vectors]:
        """All vectors as they are searched: keys ascending, `(n,)`, and rows `(n, dim)`."""
        return self._index.followed().index.held()

    def products(
        self,
        direction: Vector,
        *,
        where: Where | Filter | None = None,
        modality: Modality | None = None,
    ) -> Products:
        """The product of every vector that matches with a direction, `(dim,)` of any length.

        What never changes is multiplied once for each direction that is asked often.

        Raises:
            FilterError: `where` cannot be understood.
        """
        index, only = self._finder.matched(filters.parse(where), modality)
        found = index.products(direction)
        if only is None:
            return found
        is_wanted = np.isin(found.keys, only)
        return Products(found.keys[is_wanted], found.scores[is_wanted])

    def keys_that_match(
        self, *, where: Where | Filter | None = None, modality: Modality | None = None
    ) -> Keys:
        """The keys of all items that match, ascending, as they are searched. Raises FilterError."""
        index, only = self._finder.matched(filters.parse(where), modality)
        return index.keys() if only is None else only

    def keys_of(self, ids: Sequence[str]) -> Keys:
        """The keys of those of the items that exist, in no order."""
        return np.array(list(self._catalog.keys(self._entry, ids).values()), np.int64)

    # --- upkeep of the index ------------------------------------------------------------------

    def quantise(self, quantisation: str) -> None:
        """Have a graph of this collection walked by other codes, from its next snapshot on.

        Raises:
            InputError: there are no such codes.
        """
        known = [one.value for one in Quantisation]
        if quantisation not in known:
            raise InputError(f"there is no quantisation {quantisation!r}: {', '.join(known)}")
        self._catalog.quantise(self._entry, quantisation)

    def stop(self) -> None:
        """Give up a snapshot that is being made, and make none any more."""
        self._index.stop()

    def publish(self, *, least: int = 1, force: bool = False, threads: int | None = None) -> bool:
        """Make a new snapshot if enough changed since the last one; gives whether it was made.

        Enough is a twentieth of the items, so that the work of building stays in proportion, and
        at least `least` (or the limit of the delta, if that is less). A snapshot that another
        process has made is taken over instead, and a process that is at it already is left to it.
        With `threads` no more than so many compute, and give way to whoever else does.
        """
        return self._index.publish(least=least, force=force, threads=threads)

    def verify(self) -> list[str]:
        """Every difference between catalog, words and index, one line each; empty when all is well.

        Raises:
            StoreError: the catalog cannot be read.
        """
        found = self._catalog.flaws()
        found += [
            f"item {item_id} is damaged in the catalog: restore a backup, or put it in again"
            for item_id in self._catalog.harmed(self._entry)
        ]
        try:
            return found + self._differences()
        except StoreError as error:
            if not found:
                raise
            return [*found, str(error)]  # what is damaged may be in the way of looking further

    def _differences(self) -> list[str]:
        """Every difference between catalog, words and index."""
        found = []
        flaws = list(self._index.flaws())
        named = self._catalog.by_key(self._entry, {key for key, _ in flaws if key is not None})
        for key, flaw in flaws:
            name = named[key].id if key in named else f"with key {key}"
            found.append(flaw if key is None else f"item {name} {flaw}")
        return found + self._catalog.word_flaws(self._entry)

    def repair(self) -> None:
        """Throw away what is derived, snapshots and words, and make it anew from the catalog."""
        self._catalog.drop_strays()
        self._catalog.rebuild_words(self._entry)
        self._index.repair()

    # --- inside -------------------------------------------------------------------------------

    def _placed(self, items: Sequence[Item]) -> list[Item]:
        if not items:
            return []
        dim = self.space.dim
        vectors = [item.vector for item in items]
        for vector in vectors:
            if vector.shape != (dim,):
                unit_rows(vector, dim)  # says what is wrong with it
        given = np.stack(vectors)
        rows = unit_rows(given, dim)
        if rows is given:
            return list(items)
        return [replace(item, vector=row) for item, row in zip(items, rows, strict=True)]

    def _write(self, change: Change) -> Written:
        """Commit, then take it into the index."""
        written = self._catalog.write(self._entry, change)
        self._index.take(written, change.put)
        return written
