"""Things become vectors; what is far too long is refused before it can hold up others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from latent.errors import InputError, UnsupportedMediaError
from latent.items import Modality, Vectors
from latent.models.colours import MAX_TOKENS, ColourEmbedder
from latent.models.embedder import Embedder, Prepared
from latent.models.texts import LONGEST_TOKEN
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings
from latent.space import Space
from service.embedding.batching import Outcome
from service.embedding.placing import FEW, Placer
from service.embedding.workers import Workers
from service.engine.parts import Picture, Text, Thing
from service.seen.timing import Timings

MOST = LONGEST_TOKEN * MAX_TOKENS


class Listening(ColourEmbedder):
    """Remembers every batch it was given; may go by another name."""

    def __init__(self, name: str = "colours") -> None:
        super().__init__()
        self._name = name
        self.batches: list[list[str]] = []
        self.pictures = 0

    @property
    def space(self) -> Space:
        return replace(super().space, model=self._name)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        return super().embed_texts(texts)

    def embed_images(self, pictures: Sequence[Prepared]) -> Vectors:
        self.pictures += len(pictures)
        return super().embed_images(pictures)


def placed(settings: Settings, model: Embedder, *texts: str) -> list[Outcome]:
    async def place() -> list[Outcome]:
        workers = Workers(1)
        placer = Placer(settings, workers)
        try:
            return await placer.place(model, [Text(text) for text in texts], Timings())
        finally:
            await placer.close()
            workers.close()

    return asyncio.run(place())


def test_a_text_far_too_long_never_reaches_the_model(settings: Settings) -> None:
    model = Listening()
    red, long, blue = placed(settings, model, "red", "x" * (MOST + 1), "blue")
    assert model.batches == [["red", "blue"]]
    assert isinstance(long, InputError)
    assert f"{MOST + 1} characters" in str(long)
    for outcome, row in zip((red, blue), model.embed_texts(["red", "blue"]), strict=True):
        assert not isinstance(outcome, InputError)
        assert outcome.tolist() == row.tolist()


def test_what_may_fit_is_for_the_model_to_judge(settings: Settings) -> None:
    (outcome,) = placed(settings, Listening(), "x" * MOST)
    assert not isinstance(outcome, InputError)


def test_a_model_without_texts_says_so_whatever_their_length(settings: Settings) -> None:
    (outcome,) = placed(settings, VectorsOnly(3), "x" * (MOST + 1))
    assert isinstance(outcome, UnsupportedMediaError)


# --- what is remembered -------------------------------------------------------------------------

Place = Callable[..., Awaitable[list[Outcome]]]


def asking(
    settings: Settings, work: Callable[[Place], Awaitable[None]], **changes: int
) -> list[Modality]:
    """Do `work` with one placer; gives what it was told of things it knew."""
    known: list[Modality] = []
    settings = settings.model_copy(update=changes)

    async def run() -> None:
        workers = Workers(2)
        placer = Placer(settings, workers, on_known=known.append)

        async def place(model: Embedder, *things: Thing) -> list[Outcome]:
            return await placer.place(model, things, Timings())

        try:
            await work(place)
        finally:
            await placer.close()
            workers.close()

    asyncio.run(run())
    return known


def picture(colour: tuple[int, int, int]) -> Picture:
    stream = BytesIO()
    Image.new("RGB", (8, 8), colour).save(stream, "PNG")
    return Picture(stream.getvalue())


def rows(outcomes: Sequence[Outcome]) -> list[list[float]]:
    return [[] if isinstance(one, InputError) else one.tolist() for one in outcomes]


def test_what_was_asked_before_is_answered_alike_without_the_model(settings: Settings) -> None:
    model = Listening()

    async def work(place: Place) -> None:
        red = picture((255, 0, 0))
        first = await place(model, Text("red"), red, Text("blue"))
        again = await place(model, Text("blue"), Text("green"), red)
        assert rows(again)[0] == rows(first)[2]
        assert rows(again)[2] == rows(first)[1]
        assert rows(again)[1] == rows(await place(model, Text("green")))[0]

    known = asking(settings, work)
    assert model.batches == [["red", "blue"], ["green"]]
    assert model.pictures == 1
    assert known == [Modality.TEXT, Modality.IMAGE, Modality.TEXT]


def test_no_model_is_given_what_another_remembered(settings: Settings) -> None:
    models = [Listening(), Listening("its compiled form")]

    async def work(place: Place) -> None:
        for model in models:
            await place(model, Text("red"))

    assert asking(settings, work) == []
    assert [model.batches for model in models] == [[["red"]], [["red"]]]


def test_what_had_no_place_is_tried_again(settings: Settings) -> None:
    model = Listening()

    async def work(place: Place) -> None:
        for _ in range(2):
            empty, broken = await place(model, Text(""), Picture(b"no picture"))
            assert isinstance(empty, InputError)
            assert isinstance(broken, InputError)

    assert asking(settings, work) == []
    assert model.batches == [[""], [""]]


@pytest.mark.parametrize("most", [0, 1])
def test_no_more_is_remembered_than_the_setting_says(settings: Settings, most: int) -> None:
    model = Listening()

    async def work(place: Place) -> None:
        for text in ("red", "blue", "blue", "red"):
            await place(model, Text(text))

    assert len(asking(settings, work, query_cache=most)) == most
    assert len(model.batches) == 4 - most


def test_a_request_with_many_things_pushes_no_question_out(settings: Settings) -> None:
    model = Listening()

    async def work(place: Place) -> None:
        await place(model, Text("red"))
        await place(model, *(Text(f"blue {number}") for number in range(FEW + 1)))
        await place(model, Text("red"))
        await place(model, Text("blue 1"))

    assert asking(settings, work, query_cache=4) == [Modality.TEXT]
    assert model.batches[-1] == ["blue 1"]


def test_only_who_is_alone_has_a_new_text_placed_at_once(settings: Settings) -> None:
    """Whoever is not would keep others from sharing a batch; what is remembered is for all."""

    async def work() -> None:
        model, workers = Listening(), Workers(1)
        placer = Placer(settings, workers)

        def now(text: str, *, is_alone: bool) -> bool:
            found = placer.now(model, [Text(text)], Timings(), is_alone=is_alone)
            return found is not None

        try:
            assert not now("red", is_alone=True)  # nobody has asked this model before
            await placer.place(model, [Text("red")], Timings())
            assert now("red", is_alone=False)
            assert not now("green", is_alone=False)
            assert now("green", is_alone=True)
            assert now("green", is_alone=False)
            assert model.batches == [["red"], ["green"]]
        finally:
            await placer.close()
            workers.close()

    asyncio.run(work())
