"""Order documents by how near they are to a query. No collection is needed."""

from __future__ import annotations

import numpy as np

from latent.models.places import without_places
from service.answers import RerankAnswer, RerankResult
from service.comparisons import RerankBody
from service.engine.relevance import PairJudge, kind_of
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.routes.asking import DeskNow, router
from service.schemas import things_of

routes = router("models")


@routes.post("/v1/rerank", response_model=RerankAnswer, openapi_extra=needs(Scope.READ))
async def rerank(body: RerankBody, desk: DeskNow) -> RerankAnswer:
    """Documents by their index, best first, ties in the order they were given."""
    desk.require_few(body.documents, "documents")
    await fetch_into(body, desk.fetcher)
    embedder = await desk.embedder(body.model)
    judge = PairJudge(embedder.space, desk.state.settings)
    judge.require(body.min_relevance)
    names = ["query", *(f"documents[{i}]" for i in range(len(body.documents)))]
    things = await desk.run(things_of, [body.query, *body.documents], names)
    query, *documents = await desk.place(embedder, things, names)
    asked, *kinds = map(kind_of, things)
    scores = [float(np.dot(document, query)) for document in documents]
    results = [
        RerankResult(
            index=i,
            relevance_score=min(1.0, max(0.0, (score + 1) / 2)),
            score=score,
            relevance=judge.relevance(score, asked, kind),
        )
        for i, (score, kind) in enumerate(zip(scores, kinds, strict=True))
    ]
    least = body.min_relevance or 0.0
    results = [one for one in results if not least or (one.relevance or 0.0) >= least]
    results.sort(key=lambda result: -result.relevance_score)
    return RerankAnswer(model=without_places(embedder.space.model), results=results[: body.top_n])
