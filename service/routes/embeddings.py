"""Vectors of texts and pictures, in OpenAI's form, so that its clients can be used."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import partial

import numpy as np
from fastapi import Response

from latent.errors import InputError
from latent.items import Vector
from latent.models.embedder import Embedder
from latent.models.places import without_places
from service.answers import EmbeddingsAnswer
from service.comparisons import EmbeddingsBody
from service.engine.parts import Text, Thing
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.routes.asking import DeskNow, router, told
from service.schemas import things_of

routes = router("models")


@routes.post("/v1/embeddings", response_model=EmbeddingsAnswer, openapi_extra=needs(Scope.READ))
async def embeddings(body: EmbeddingsBody, desk: DeskNow) -> Response:
    """Place texts and pictures; each vector has length 1."""
    forms = body.input if isinstance(body.input, list) else [body.input]
    desk.require_few(forms, "input")
    await fetch_into(body, desk.fetcher)
    names = [f"input[{i}]" for i in range(len(forms))]

    def begun() -> tuple[Embedder, list[Thing]]:
        embedder = desk.served(body.model)
        dim = embedder.space.dim
        if body.dimensions not in (None, dim):
            shown = without_places(embedder.space.model)
            raise InputError(f"model {shown!r} has {dim} dimensions and no others")
        return embedder, things_of(forms, names)

    return await desk.placed(begun, partial(_told, body.encoding_format), names)


def _told(
    encoding: str, embedder: Embedder, things: Sequence[Thing], vectors: Sequence[Vector]
) -> Response:
    tokens = _tokens(embedder, things)
    return told(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": i, "embedding": _shaped(row, encoding)}
                for i, row in enumerate(vectors)
            ],
            "model": without_places(embedder.space.model),
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _shaped(row: Vector, encoding: str) -> list[float] | str:
    if encoding == "float":
        numbers: list[float] = row.tolist()
        return numbers
    return base64.b64encode(row.astype(np.dtype("<f4")).tobytes()).decode()


def _tokens(embedder: Embedder, things: Sequence[Thing]) -> int:
    texts = [thing.text for thing in things if isinstance(thing, Text)]
    return sum(len(embedder.token_spans(text)) for text in texts)
