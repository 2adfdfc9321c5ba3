"""How alike are two things? No collection is needed."""

from __future__ import annotations

import numpy as np

from service.answers import SimilarityAnswer, SimilarityResult
from service.routes.asking import DeskNow, router
from service.schemas import SimilarityBody, things_of

routes = router("models")


@routes.post("/v1/similarity", response_model=SimilarityAnswer, response_model_exclude_unset=True)
async def similarity(body: SimilarityBody, desk: DeskNow) -> SimilarityAnswer:
    """The cosine of the source with each target; with a threshold, whether it is reached."""
    desk.require_few(body.targets, "targets")
    embedder = await desk.embedder(body.model)
    names = ["source", *(f"targets[{i}]" for i in range(len(body.targets)))]
    things = await desk.run(things_of, [body.source, *body.targets], names)
    source, *targets = await desk.place(embedder, things, names)
    scores = [float(np.dot(target, source)) for target in targets]
    results = [
        SimilarityResult(index=i, score=score)
        if body.threshold is None
        else SimilarityResult(index=i, score=score, match=score >= body.threshold)
        for i, score in enumerate(scores)
    ]
    return SimilarityAnswer(model=embedder.space.model, results=results)
