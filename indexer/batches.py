"""Gathers what was read, embeds it together and stores it: one transaction a batch.

Three steps, so that one batch can be in the model while another is being stored. Knows nothing
about where things come from, and nothing about threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Answered:
    """A reading, and for each of its drafts the item it became or why it became none."""

    reading: Reading
    answers: Sequence[Item | InputError]


def gathered(readings: Iterable[Reading], size: int) -> Iterator[list[Reading]]:
    """The readings in batches of about `size` things; all things of a file are in one batch."""
    batch: list[Reading] = []
    weight = 0
    for reading in readings:
        batch.append(reading)
        weight += max(1, len(reading.drafts), len(reading.items))
        if weight >= size:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def answered(embedder: Embedder, readings: Sequence[Reading], size: int) -> list[Answered]:
    """Embed a batch; in the model there are at most `size` things at once."""
    drafts = [draft for reading in readings for draft in reading.drafts]
    answers = iter(embedded(embedder, drafts, size))
    return [Answered(reading, list(islice(answers, len(reading.drafts)))) for reading in readings]


def store(collection: Collection, batch: Sequence[Answered], report: Report) -> None:
    """Store a batch in one transaction, and report what became of its files."""
    contents: list[tuple[Source, Sequence[Item]]] = []
    for one in batch:
        reading = one.reading
        match reading.outcome:
            case Outcome.NEW | Outcome.REUSED:
                contents.append(_content(one, report))
            case Outcome.FAILED:
                contents.append((reading.source, ()))
                report.fail(reading.file.uri, str(reading.source.failure))
            case Outcome.TOUCHED:
                contents.append((reading.source, reading.items))
                report.unchanged += 1
            case Outcome.VANISHED:
                pass  # if it was known, it is found to be gone at the end of the run
    if contents:
        collection.put_sources(contents)


def _content(one: Answered, report: Report) -> tuple[Source, Sequence[Item]]:
    reading = one.reading
    refused = next((answer for answer in one.answers if isinstance(answer, InputError)), None)
    if refused is not None:
        report.fail(reading.file.uri, str(refused))
        failed = replace(reading.source, failure=str(refused), code=refused.code)
        return replace(failed, uri=reading.file.uri), ()
    report.indexed += 1
    report.reused += reading.outcome is Outcome.REUSED
    items = [answer for answer in one.answers if isinstance(answer, Item)]
    return reading.source, [*reading.items, *items]


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
