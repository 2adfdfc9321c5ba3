"""The columns of one collection: they follow the catalog, and tell which keys match a filter.

A field is read when it is first asked for, and from then on only what changed. Knows nothing about
vectors.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latent.catalog.catalog import Catalog
from latent.catalog.changes import Cells as Read
from latent.catalog.changes import Match, Part, Wanted
from latent.catalog.fields import asked_in
from latent.catalog.rows import Entry
from latent.columns.cells import Cells, Mask, TooVariedError
from latent.columns.places import Places
from latent.filters.language import (
    PLACE,
    TEXTS,
    All,
    Among,
    Either,
    Filter,
    Leaf,
    Not,
    Within,
    is_looked_up,
    leaves,
)
from latent.filters.match import matches
from latent.items import Item, Modality

MOST_BYTES = 256_000_000  # of all columns of a collection; those asked for least go
MOST_FIELDS = 64  # that one filter asks for
MOST_ASKED = 10_000  # fields that are remembered as asked for
MOST_BY_SQL = 10  # conditions of a first question
MODALITY = "$modality"
NO_VECTOR = np.empty(0, np.float32)


class Columns:
    """Which keys match, of one collection. Safe among threads and beside other processes."""

    def __init__(self, catalog: Catalog, entry: Entry, *, most_bytes: int = MOST_BYTES) -> None:
        self._catalog = catalog
        self._entry = entry
        self._most_bytes = most_bytes
        self._turn = threading.Lock()
        self._refused: set[Wanted] = set()
        self._known: set[str] = set()
        self._asked: set[Wanted] = set()
        self._start_anew()

    def is_worth(self, where: Filter | None) -> bool:
        """Whether to ask here: for fields that were asked for before, or where something is held.

        To read a column takes about three times as long as one look of the database, so that is
        left to the second question, which a command line never comes to; but not where the
        database would look many times.
        """
        fields = set() if where is None else _fields_in(where)
        many = where is not None and (
            is_looked_up(where) or sum(1 for _ in leaves(where)) > MOST_BY_SQL
        )
        with self._turn:
            is_new = not fields <= self._asked
            if len(self._asked) > MOST_ASKED:  # names that nobody has, most likely
                self._asked.clear()
            self._asked |= fields
            return many or (not is_new and (bool(fields) or self._sequence >= 0))

    def matching(self, where: Filter | None, modality: Modality | None) -> Match | None:
        """The keys of all items that match now; None for what only the database can answer.

        Raises:
            FilterError: a field is not known.
        """
        fields = [] if where is None else sorted(_fields_in(where), key=repr)
        if len(fields) > MOST_FIELDS or any(one.name in TEXTS for one in fields):
            return None
        if where is not None:
            self._refuse_unknown(where)
        with self._turn:
            if not self._refused.isdisjoint(fields):
                return None
            try:
                self._follow(fields)
                mask = self._mask(where, modality)
            except TooVariedError:
                return None
            return Match(self._sequence, self._keys[: self._size][mask])

    def _refuse_unknown(self, where: Filter) -> None:
        """Once a field is known it stays known, so it is asked about only once."""
        if not asked_in(where) <= self._known:
            self._known |= self._catalog.refuse_unknown(self._entry, where)

    # --- following ----------------------------------------------------------------------------

    def _start_anew(self) -> None:
        self._sequence = -1
        self._size = self._gone = 0
        self._keys = np.empty(0, np.int64)
        self._is_here = np.empty(0, np.bool_)
        self._is_image = np.empty(0, np.bool_)
        self._fields: OrderedDict[Wanted, Cells | Places] = OrderedDict()

    def _follow(self, fields: Sequence[Wanted]) -> None:
        """Take in what changed, and read the fields that are not here yet."""
        fresh = [one for one in fields if one not in self._fields]
        if fresh or self._catalog.sequence(self._entry) != self._sequence:
            if self._gone > self._size // 2:
                self._start_anew()
            if self._sequence < 0:
                self._begin(fields)
                fresh = []
            held = list(self._fields)
            changed, whole = self._catalog.cells(self._entry, self._sequence, held, fresh=fresh)
            self._take(changed, held)
            self._begin(fresh)
            if whole is not None:
                self._take_fields(whole, fresh)
        for one in fields:
            self._fields.move_to_end(one)
        while len(self._fields) > len(fields) and self.bytes > self._most_bytes:
            self._fields.popitem(last=False)

    def _begin(self, fields: Sequence[Wanted]) -> None:
        for one in fields:
            self._fields[one] = Places() if one.is_place else Cells()

    def _take(self, changed: Read, held: Sequence[Wanted]) -> None:
        if changed.is_whole:
            self._start_anew()
            self._begin(held)
        self._make_rows(changed.parts)
        self._take_fields(changed, held)
        gone = self._rows_of(changed.dropped)
        self._is_here[gone] = False
        self._gone += len(gone)
        self._sequence = changed.sequence

    def _take_fields(self, read: Read, fields: Sequence[Wanted]) -> None:
        for part in read.parts:
            rows = self._rows_of(part.keys)
            for one, cells in zip(fields, part.cells, strict=True):
                if one in self._fields:
                    try:
                        self._fields[one].set(rows, cells, self._size)
                    except TooVariedError:
                        del self._fields[one]
                        self._refused.add(one)
        if not self._refused.isdisjoint(fields):
            raise TooVariedError

    def _make_rows(self, parts: Sequence[Part]) -> None:
        """Rows for the keys that have none; keys grow, so new rows come behind the others."""
        keys = np.sort(np.concatenate([np.empty(0, np.int64), *(part.keys for part in parts)]))
        new = keys[self._places(keys) < 0]
        first, self._size = self._size, self._size + len(new)
        if self._size > len(self._keys):
            room = max(self._size, len(self._keys) * 5 // 4) - len(self._keys)
            self._keys = np.pad(self._keys, (0, room))
            self._is_here = np.pad(self._is_here, (0, room))
            self._is_image = np.pad(self._is_image, (0, room))
        self._keys[first : self._size] = new
        self._is_here[first : self._size] = True
        for part in parts:
            self._is_image[self._rows_of(part.keys)] = part.are_images

    def _rows_of(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the keys stand; those that are not here are left out."""
        rows = self._places(keys)
        found: NDArray[np.int64] = rows[rows >= 0]
        return found

    def _places(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each key; -1 for none. They are looked up: to sort all of them takes long."""
        if not self._size:
            return np.full(len(keys), -1)
        rows = np.searchsorted(self._keys[: self._size], keys)
        is_here = self._keys[np.minimum(rows, self._size - 1)] == keys
        return np.where(is_here, rows, -1)

    @property
    def bytes(self) -> int:
        """The memory that all fields take, about."""
        return sum(one.bytes for one in self._fields.values())

    # --- answering ----------------------------------------------------------------------------

    def _mask(self, where: Filter | None, modality: Modality | None) -> Mask:
        mask = self._is_here[: self._size].copy()
        if modality is not None:
            mask &= self._is_image[: self._size] == (modality is Modality.IMAGE)
        return mask if where is None else mask & self._of(where)

    def _of(self, tree: Filter) -> Mask:
        match tree:
            case All(parts):
                masks = [self._of(part) for part in parts]
                return np.logical_and.reduce(masks) if masks else np.ones(self._size, np.bool_)
            case Either(parts):
                masks = [self._of(part) for part in parts]
                return np.logical_or.reduce(masks) if masks else np.zeros(self._size, np.bool_)
            case Not(part):
                return ~self._of(part)
            case Among(_, keys):
                return np.isin(self._keys[: self._size], keys)
            case _:
                return self._leaf(tree)

    def _leaf(self, leaf: Leaf) -> Mask:
        if leaf.field == MODALITY:
            image, text = (_modality_meets(leaf, kind) for kind in (Modality.IMAGE, Modality.TEXT))
            return np.where(self._is_image[: self._size], image, text)
        column = self._fields[_wanted(leaf)]
        if isinstance(column, Places):
            shape = leaf.shape if isinstance(leaf, Within) else None
            return column.exist(self._size) if shape is None else column.within(shape, self._size)
        assert not isinstance(leaf, Within)  # which wants places
        return column.meet(leaf, self._size)


def _fields_in(where: Filter) -> set[Wanted]:
    return {_wanted(one) for one in leaves(where) if one.field != MODALITY}


def _wanted(leaf: Leaf) -> Wanted:
    """What must be read to answer a condition."""
    return Wanted(leaf.field, is_place=leaf.field == PLACE or isinstance(leaf, Within))


def _modality_meets(leaf: Leaf, modality: Modality) -> bool:
    return matches(leaf, Item("", modality, NO_VECTOR))
