"""Reads what the rows of a manifest name, and makes items of them.

Knows nothing about what was stored before, nor about how anything is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.manifests.row import Row
from indexer.passages import passages
from indexer.reading import NO_VECTOR, Draft, read_bytes, refuse_texts
from indexer.sources import File
from latent.errors import InputError, SpaceMismatchError, UnsupportedMediaError
from latent.items import Item, Modality, Passage, Vector
from latent.media.decode import Limits, decode
from latent.media.fingerprints import picture_hash
from latent.models.embedder import Embedder
from latent.settings import Settings
from latent.space import unit_row, unit_rows

PLACED_AT_ONCE = 256  # vectors that are made one table, small enough to stay in the cache


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
    """A row that was read: drafts of items, which lack their vectors, or a failure."""

    planned: Planned
    drafts: tuple[Draft, ...] = ()
    failure: InputError | None = None


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
        """Read a row that brings no vector; what is wrong with it is part of the answer."""
        try:
            if planned.image is not None:
                return RowReading(planned, drafts=(self._picture(planned, planned.image),))
            return RowReading(planned, drafts=self._texts(planned))
        except InputError as error:
            return RowReading(planned, failure=error)

    def placed(self, many: Sequence[Planned]) -> list[Item | InputError]:
        """The items of rows that bring their vector, and errors where one cannot be taken.

        Raises:
            SpaceMismatchError: none so far is of this dimension: they are made for another space.
        """
        dim = self._embedder.space.dim
        self._has_fitting = self._has_fitting or any(
            one.row.vector is not None and one.row.vector.shape == (dim,) for one in many
        )
        return [
            item
            for start in range(0, len(many), PLACED_AT_ONCE)
            for item in self._together(many[start : start + PLACED_AT_ONCE], dim)
        ]

    def _together(self, many: Sequence[Planned], dim: int) -> Iterable[Item | InputError]:
        vectors = [one.row.vector for one in many if one.row.vector is not None]
        if all(vector.shape == (dim,) for vector in vectors):
            try:
                units = unit_rows(np.stack(vectors), dim)
            except InputError:
                return [self._placed(one) for one in many]  # says which of them
            return [
                self._item(one, _modality(one.row), unit)
                for one, unit in zip(many, units, strict=True)
            ]
        return [self._placed(one) for one in many]

    def _placed(self, planned: Planned) -> Item | InputError:
        row, dim = planned.row, self._embedder.space.dim
        assert row.vector is not None
        try:
            vector = unit_row(row.vector, dim)
        except SpaceMismatchError as error:
            if self._has_fitting:
                return InputError(str(error))  # a slip in one row
            raise SpaceMismatchError(f"{self._file.uri}, row {row.number}: {error}") from error
        except InputError as error:
            return error
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


def _modality(row: Row) -> Modality:
    is_text = row.text is not None and row.image is None
    return row.modality or (Modality.TEXT if is_text else Modality.IMAGE)
