"""Things of requests become vectors: decoded on threads, embedded in batches shared by requests.

`place_now` does the same in the calling thread, for the command line.
Knows nothing about collections or the web.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from latent.errors import InputError
from latent.items import Modality, Vector
from latent.models.embedder import Embedder, Prepared
from latent.models.texts import LONGEST_TOKEN
from latent.settings import Settings
from service.batching import Batcher, Outcome
from service.parts import Picture, Text, Thing
from service.pictures import prepare
from service.timing import Timings
from service.workers import Workers


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


class Placer:
    """Places things for many requests at once; one batcher for each model and modality."""

    def __init__(
        self,
        settings: Settings,
        workers: Workers,
        *,
        on_batch: Callable[[Modality, int], None] = lambda modality, size: None,
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._on_batch = on_batch
        self._batchers: dict[tuple[str, Modality], Batcher[Any]] = {}

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
        outcomes: dict[int, Outcome] = {}
        texts: dict[int, str] = {}
        for i, thing in enumerate(things):
            if isinstance(thing, Text):
                error = _far_too_long(thing.text, embedder.max_tokens)
                if error is None:
                    texts[i] = thing.text
                else:
                    outcomes[i] = error
        pictures = {i: thing for i, thing in enumerate(things) if isinstance(thing, Picture)}
        prepared: dict[int, Prepared] = {}
        if pictures:
            with timings.measure("decode"):
                ready = await self._workers.each(
                    partial(self._prepare, embedder), list(pictures.values())
                )
            for i, result in zip(pictures, ready, strict=True):
                if isinstance(result, InputError):
                    outcomes[i] = result
                else:
                    prepared[i] = result
        with timings.measure("embed"):
            for modality, batch in ((Modality.TEXT, texts), (Modality.IMAGE, prepared)):
                rows = await self._batcher(embedder, modality).submit(list(batch.values()))
                outcomes.update(zip(batch, rows, strict=True))
        return [outcomes[i] for i in range(len(things))]

    async def close(self) -> None:
        """Wait for the models that are busy."""
        for batcher in self._batchers.values():
            await batcher.close()

    def _prepare(self, embedder: Embedder, picture: Picture) -> Prepared | InputError:
        try:
            return prepare(embedder, picture.content, name=picture.name, settings=self._settings)
        except InputError as error:
            return error

    def _batcher(self, embedder: Embedder, modality: Modality) -> Batcher[Any]:
        key = (embedder.space.fingerprint, modality)
        if key not in self._batchers:
            texts = modality is Modality.TEXT
            self._batchers[key] = Batcher(
                embedder.embed_texts if texts else embedder.embed_images,
                batch_size=self._settings.batch_size,
                max_waiting=self._settings.max_waiting,
                on_batch=partial(self._on_batch, modality),
            )
        return self._batchers[key]


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
