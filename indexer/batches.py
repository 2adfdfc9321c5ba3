"""Gathers what was read, embeds it together and stores it: one transaction a batch.

Knows nothing about where things come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from indexer.reading import Draft, Outcome, Reading
from indexer.report import Report
from latent.collection import Collection
from latent.errors import InputError
from latent.items import Item, Source, Vector, Vectors
from latent.models.embedder import Embedder

T = TypeVar("T")
Placed = Vector | InputError


def embedded(embedder: Embedder, drafts: Sequence[Draft], size: int) -> list[Item | InputError]:
    """The drafts with their vectors, in order, at most `size` through the model at once.

    Where the model refuses one, its error stands in its place and the others are not harmed.
    """
    placed: list[Placed | None] = [None] * len(drafts)
    pictures = [at for at, draft in enumerate(drafts) if not isinstance(draft.content, str)]
    texts = [at for at, draft in enumerate(drafts) if isinstance(draft.content, str)]
    for places in _chunks(pictures, size):
        arrays = [c for at in places if not isinstance(c := drafts[at].content, str)]
        _fill(placed, places, _each(embedder.embed_images, arrays))
    for places in _chunks(texts, size):
        _fill(placed, places, _each(embedder.embed_texts, [str(drafts[a].content) for a in places]))
    return [
        vector if isinstance(vector, InputError) else replace(draft.item, vector=vector)
        for draft, vector in zip(drafts, placed, strict=True)
        if vector is not None
    ]


class Batch:
    """Readings on their way into a collection. Stored when there are enough, and at the end."""

    def __init__(
        self, collection: Collection, embedder: Embedder, *, size: int, report: Report
    ) -> None:
        self._collection = collection
        self._embedder = embedder
        self._size = size
        self._report = report
        self._readings: list[Reading] = []
        self._weight = 0

    def add(self, reading: Reading) -> None:
        """Take a reading in; everything that waits is stored once it fills a batch."""
        self._readings.append(reading)
        self._weight += max(1, len(reading.drafts), len(reading.items))
        if self._weight >= self._size:
            self.flush()

    def flush(self) -> None:
        """Embed and store what waits, all items of a file in the same transaction."""
        readings, self._readings, self._weight = self._readings, [], 0
        drafts = [draft for reading in readings for draft in reading.drafts]
        answers = iter(embedded(self._embedder, drafts, self._size))
        contents: list[tuple[Source, Sequence[Item]]] = []
        for reading in readings:
            answer = list(islice(answers, len(reading.drafts)))
            match reading.outcome:
                case Outcome.NEW | Outcome.REUSED:
                    contents.append(self._content(reading, answer))
                case Outcome.FAILED:
                    contents.append((reading.source, ()))
                    self._report.fail(reading.file.uri, str(reading.source.failure))
                case Outcome.TOUCHED:
                    contents.append((reading.source, reading.items))
                    self._report.unchanged += 1
                case Outcome.VANISHED:
                    pass  # if it was known, it is found to be gone at the end of the run
        if contents:
            self._collection.put_sources(contents)

    def _content(
        self, reading: Reading, answer: Sequence[Item | InputError]
    ) -> tuple[Source, Sequence[Item]]:
        refused = next((one for one in answer if isinstance(one, InputError)), None)
        if refused is not None:
            self._report.fail(reading.file.uri, str(refused))
            return replace(reading.source, failure=str(refused), code=refused.code), ()
        self._report.indexed += 1
        self._report.reused += reading.outcome is Outcome.REUSED
        return reading.source, [*reading.items, *(one for one in answer if isinstance(one, Item))]


def _each(embed: Callable[[Sequence[T]], Vectors], contents: Sequence[T]) -> list[Placed]:
    """A vector for each; when the model refuses them together, each alone, to find the culprit."""
    try:
        return list(embed(contents))
    except InputError as error:
        if len(contents) == 1:
            return [error]
    return [placed for content in contents for placed in _each(embed, [content])]


def _fill(placed: list[Placed | None], places: Sequence[int], found: Sequence[Placed]) -> None:
    for at, one in zip(places, found, strict=True):
        placed[at] = one


def _chunks(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]
