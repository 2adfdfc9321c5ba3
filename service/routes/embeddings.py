"""Vectors of texts and pictures, in OpenAI's form, so that its clients can be used."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np

from latent.errors import InputError
from latent.items import Vector
from latent.models.embedder import Embedder
from service.answers import EmbeddingAnswer, EmbeddingsAnswer, Usage
from service.engine.parts import Text, Thing
from service.guard.scopes import Scope, needs
from service.routes.asking import DeskNow, router
from service.schemas import EmbeddingsBody, things_of

routes = router("models")


@routes.post("/v1/embeddings", response_model=EmbeddingsAnswer, openapi_extra=needs(Scope.READ))
async def embeddings(body: EmbeddingsBody, desk: DeskNow) -> EmbeddingsAnswer:
    """Place texts and pictures; each vector has length 1."""
    forms = body.input if isinstance(body.input, list) else [body.input]
    desk.require_few(forms, "input")
    embedder = await desk.embedder(body.model)
    dim = embedder.space.dim
    if body.dimensions not in (None, dim):
        raise InputError(f"model {embedder.space.model!r} has {dim} dimensions and no others")
    names = [f"input[{i}]" for i in range(len(forms))]
    things = await desk.run(things_of, forms, names)
    vectors = await desk.place(embedder, things, names)
    tokens = await desk.run(_tokens, embedder, things)
    in_base64 = body.encoding_format == "base64"
    return EmbeddingsAnswer(
        data=[
            EmbeddingAnswer(index=i, embedding=_base64(row) if in_base64 else row.tolist())
            for i, row in enumerate(vectors)
        ],
        model=embedder.space.model,
        usage=Usage(prompt_tokens=tokens, total_tokens=tokens),
    )


def _base64(row: Vector) -> str:
    return base64.b64encode(row.astype(np.dtype("<f4")).tobytes()).decode()


def _tokens(embedder: Embedder, things: Sequence[Thing]) -> int:
    texts = [thing.text for thing in things if isinstance(thing, Text)]
    return sum(len(embedder.token_spans(text)) for text in texts)
