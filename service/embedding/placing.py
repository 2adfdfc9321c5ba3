"""Things of requests become vectors: decoded on threads, embedded in batches shared by requests.

What was asked a moment ago is remembered. `place_now` does the same in the calling thread, for the
command line, and remembers nothing.
Knows nothing about collections or the web.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from latent.errors import InputError
from latent.items import Modality, Vector
from latent.models.embedder import Embedder, Prepared
from latent.models.texts import LONGEST_TOKEN
from latent.settings import Settings
from service.embedding.batching import Batcher, Outcome
from service.embedding.pictures import prepare
from service.embedding.remembered import Key, Remembered, key_of
from service.embedding.workers import Workers
from service.engine.parts import Picture, Text, Thing
from service.seen.timing import Timings

FEW = 32  # things; requests with more of them ask no questions, and would push those out


def place_now(
    embedder: Embedder, things: Sequence[Thing], settings: Settings, timings: Timings
) -> list[Vector]:
    """The places of things, in order, in the calling thread.

    Raises:
        InputError: a text is empty or too long, a picture cannot be read.
        UnsupportedMediaError: the model does not take this modality.
    """
    placed: list[Vector] = []
    for thing in things:
        if isinstance(thing, Text):
            with timings.measure("embed"):
                placed.append(embedder.embed_texts([thing.text])[0])
            continue
        with timings.measure("decode"):
            ready = prepare(embedder, thing.content, name=thing.name, settings=settings)
        with timings.measure("embed"):
            placed.append(embedder.embed_images([ready])[0])
    return placed


@dataclass(frozen=True, slots=True)
class _Ready:
    """A thing that its model must place, as the model takes it."""

    modality: Modality
    key: Key
    content: str | Prepared


class Placer:
    """Places things for many requests at once; one batcher for each model and modality.

    `on_batch` is told of every batch, `on_known` of everything whose place was remembered.
    """

    def __init__(
        self,
        settings: Settings,
        workers: Workers,
        *,
        on_batch: Callable[[Modality, int], None] = lambda modality, size: None,
        on_known: Callable[[Modality], None] = lambda modality: None,
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._on_batch = on_batch
        self._on_known = on_known
        self._remembered = Remembered(settings.query_cache)
        self._batchers: dict[tuple[str, str, Modality], Batcher[Any]] = {}

    @property
    def waiting(self) -> int:
        """Requests that wait for a model now."""
        return sum(batcher.waiting for batcher in list(self._batchers.values()))

    async def place(
        self, embedder: Embedder, things: Sequence[Thing], timings: Timings
    ) -> list[Outcome]:
        """One outcome for each thing, in order: its place, or the InputError that it met.

        Raises:
            OverloadedError: too many requests wait already.
        """
        found = await self._looked_up(embedder, things, timings)
        for thing, one in zip(things, found, strict=True):
            if not isinstance(one, _Ready | InputError):
                self._on_known(Modality.TEXT if isinstance(thing, Text) else Modality.IMAGE)
        outcomes = {i: one for i, one in enumerate(found) if not isinstance(one, _Ready)}
        for modality in Modality:
            ready = {
                i: one
                for i, one in enumerate(found)
                if isinstance(one, _Ready) and one.modality is modality
            }
            if ready:
                with timings.measure("embed"):
                    batcher = self._batcher(embedder, modality)
                    rows = await batcher.submit([one.content for one in ready.values()])
                outcomes.update(zip(ready, rows, strict=True))
                if len(things) <= FEW:
                    self._keep([one.key for one in ready.values()], rows)
        return [outcomes[i] for i in range(len(things))]

    def known(self, embedder: Embedder, things: Sequence[Thing]) -> list[Vector] | None:
        """The places of things that are all remembered, else None; for any thread."""
        found: list[Vector] = []
        for thing in things:
            modality, content = _told_apart(thing)
            place = self._remembered.get(key_of(embedder.space, modality, content))
            if place is None:
                return None
            found.append(place)
        for thing in things:
            self._on_known(_told_apart(thing)[0])
        return found

    def now(
        self,
        embedder: Embedder,
        things: Sequence[Thing],
        timings: Timings,
        *,
        is_alone: bool,
        names: Sequence[str] | None = None,
    ) -> list[Vector] | None:
        """The places of things where that needs no waiting: they are remembered, or they are texts
        and the model has nothing to do; for any thread.

        Where others ask as well (not `is_alone`), texts are left to the batches they share. `names`
        are what errors call the things.

        Raises:
            InputError: a text is none that the model reads.
        """
        found = self.known(embedder, things)
        if found is not None:
            return found
        texts = [thing.text for thing in things if isinstance(thing, Text)]
        batcher = self._batchers.get(_name_of(embedder, Modality.TEXT))
        if not is_alone or batcher is None or len(texts) < len(things) or len(texts) > FEW:
            return None
        if any(_far_too_long(text, embedder.max_tokens) for text in texts):
            return None
        with timings.measure("embed"):
            outcomes = batcher.now(texts)
        if outcomes is None:
            return None
        self._keep([key_of(embedder.space, Modality.TEXT, text) for text in texts], outcomes)
        return all_placed(outcomes, names)

    async def close(self) -> None:
        """Wait for the models that are busy."""
        for batcher in self._batchers.values():
            await batcher.close()

    async def _looked_up(
        self, embedder: Embedder, things: Sequence[Thing], timings: Timings
    ) -> list[Outcome | _Ready]:
        """What is known of each thing already, or the thing as the model wants it."""
        found: dict[int, Outcome | _Ready] = {
            i: self._text(embedder, thing.text)
            for i, thing in enumerate(things)
            if isinstance(thing, Text)
        }
        pictures = {i: thing for i, thing in enumerate(things) if isinstance(thing, Picture)}
        if pictures:
            with timings.measure("decode"):
                work = partial(self._picture, embedder)
                seen = await self._workers.each(work, list(pictures.values()))
            found.update(zip(pictures, seen, strict=True))
        return [found[i] for i in range(len(things))]

    def _text(self, embedder: Embedder, text: str) -> Outcome | _Ready:
        error = _far_too_long(text, embedder.max_tokens)
        if error is not None:
            return error
        key = key_of(embedder.space, Modality.TEXT, text)
        known = self._remembered.get(key)
        return _Ready(Modality.TEXT, key, text) if known is None else known

    def _picture(self, embedder: Embedder, picture: Picture) -> Outcome | _Ready:
        key = key_of(embedder.space, Modality.IMAGE, picture.content)
        known = self._remembered.get(key)
        if known is not None:
            return known
        try:
            prepared = prepare(
                embedder, picture.content, name=picture.name, settings=self._settings
            )
        except InputError as error:
            return error
        return _Ready(Modality.IMAGE, key, prepared)

    def _keep(self, keys: Sequence[Key], rows: Sequence[Outcome]) -> None:
        for key, row in zip(keys, rows, strict=True):
            if not isinstance(row, InputError):
                self._remembered.keep(key, row)

    def _batcher(self, embedder: Embedder, modality: Modality) -> Batcher[Any]:
        key = _name_of(embedder, modality)
        if key not in self._batchers:
            texts = modality is Modality.TEXT
            self._batchers[key] = Batcher(
                embedder.embed_texts if texts else embedder.embed_images,
                batch_size=self._settings.batch_size,
                max_waiting=self._settings.max_waiting,
                on_batch=partial(self._on_batch, modality),
            )
        return self._batchers[key]


def _name_of(embedder: Embedder, modality: Modality) -> tuple[str, str, Modality]:
    # A model and its compiled form are of one space, and two models yet.
    return embedder.space.model, embedder.space.fingerprint, modality


def _told_apart(thing: Thing) -> tuple[Modality, str | bytes]:
    if isinstance(thing, Text):
        return Modality.TEXT, thing.text
    return Modality.IMAGE, thing.content


def _far_too_long(text: str, most: int) -> InputError | None:
    """The error of a text that is far longer than the `most` tokens a model reads, at a glance.

    To tokenise it, only to know exactly, would keep all others in its batch waiting.
    """
    # A model that reads no tokens takes no texts at all, and says so better itself.
    if not most or len(text) <= most * LONGEST_TOKEN:
        return None
    return InputError(f"the text has {len(text)} characters; this model reads {most} tokens")


def all_placed(outcomes: Sequence[Outcome], names: Sequence[str] | None = None) -> list[Vector]:
    """The places, when every thing has one.

    Raises:
        InputError: the first error among the outcomes; what is wrong with a text is told with
            its name (pictures carry their own).
    """
    placed: list[Vector] = []
    for number, outcome in enumerate(outcomes):
        if not isinstance(outcome, InputError):
            placed.append(outcome)
        elif names and type(outcome) is InputError:
            raise InputError(f"{names[number]}: {outcome}") from outcome
        else:
            raise outcome
    return placed
