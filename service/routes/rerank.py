"""Order documents by how near they are to a query. No collection is needed."""

from __future__ import annotations

import numpy as np

from service.answers import RerankAnswer, RerankResult
from service.guard.scopes import Scope, needs
from service.routes.asking import DeskNow, router
from service.schemas import RerankBody, things_of

routes = router("models")


@routes.post("/v1/rerank", response_model=RerankAnswer, openapi_extra=needs(Scope.READ))
async def rerank(body: RerankBody, desk: DeskNow) -> RerankAnswer:
    """Documents by their index, best first, ties in the order they were given."""
    desk.require_few(body.documents, "documents")
    embedder = await desk.embedder(body.model)
    names = ["query", *(f"documents[{i}]" for i in range(len(body.documents)))]
    things = await desk.run(things_of, [body.query, *body.documents], names)
    query, *documents = await desk.place(embedder, things, names)
    relevances = [(float(np.dot(document, query)) + 1) / 2 for document in documents]
    results = [
        RerankResult(index=i, relevance_score=min(1.0, max(0.0, relevance)))
        for i, relevance in enumerate(relevances)
    ]
    results.sort(key=lambda result: -result.relevance_score)
    return RerankAnswer(model=embedder.space.model, results=results[: body.top_n])
