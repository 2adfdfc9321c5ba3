"""Things become vectors; what is far too long is refused before it can hold up others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from latent.errors import InputError, UnsupportedMediaError
from latent.items import Vectors
from latent.models.colours import MAX_TOKENS, ColourEmbedder
from latent.models.embedder import Embedder
from latent.models.texts import LONGEST_TOKEN
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings
from service.batching import Outcome
from service.parts import Text
from service.placing import Placer
from service.timing import Timings
from service.workers import Workers

MOST = LONGEST_TOKEN * MAX_TOKENS


class Listening(ColourEmbedder):
    """Remembers every batch of texts it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(list(texts))
        return super().embed_texts(texts)


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
