"""How alike are two things? No collection is needed."""

from __future__ import annotations

from functools import partial

import numpy as np

from latent.models import registry
from latent.models.places import without_places
from service.answers import SimilarityAnswer, SimilarityResult
from service.checks.looks import look_at
from service.checks.tiers import Tier, tier_of
from service.comparisons import SimilarityBody
from service.engine.relevance import PairJudge, kind_of
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.routes.asking import DeskNow, router
from service.schemas import things_of

routes = router("models")


@routes.post(
    "/v1/similarity",
    response_model=SimilarityAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def similarity(body: SimilarityBody, desk: DeskNow) -> SimilarityAnswer:
    """The cosine of the source with each target, its tier, and whether it is a match, if asked."""
    desk.require_few(body.targets, "targets")
    await fetch_into(body, desk.fetcher)
    embedder = await desk.embedder(body.model)
    names = ["source", *(f"targets[{i}]" for i in range(len(body.targets)))]
    things = await desk.run(things_of, [body.source, *body.targets], names)
    source, *targets = await desk.place(embedder, things, names)
    scores = [float(np.dot(target, source)) for target in targets]
    with desk.timings.measure("decode"):
        look = partial(look_at, settings=desk.state.settings)
        ours, *theirs = await desk.state.workers.each(look, things)
    cuts = registry.cuts(embedder.space, desk.state.settings)

    def compare() -> list[Tier]:
        pairs = zip(theirs, scores, strict=True)
        return [tier_of(ours, one, score, cuts) for one, score in pairs]

    tiers = await desk.run(compare)
    judge = PairJudge(embedder.space, desk.state.settings)
    judge.require(body.min_relevance)
    asked, *kinds = map(kind_of, things)
    relevances = [
        judge.relevance(score, asked, kind) for score, kind in zip(scores, kinds, strict=True)
    ]
    wanted = body.wanted()
    results = [
        SimilarityResult(
            index=i,
            score=score,
            relevance=relevance,
            tier=tier,
            **({"match": wanted.is_met(score, tier, relevance)} if wanted.is_anything else {}),
        )
        for i, (score, relevance, tier) in enumerate(zip(scores, relevances, tiers, strict=True))
    ]
    return SimilarityAnswer(
        model=without_places(embedder.space.model), calibrated=cuts.is_fitted, results=results
    )
