"""Is something like this in the collection already?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from latent.models import registry
from latent.models.places import without_places
from service.answers import CheckAnswer, MatchAnswer
from service.checks.checks import Seen, as_check, asked_look, copies_question, seen
from service.checks.matching import THRESHOLD
from service.checks.tiers import Tier, closest
from service.engine.questions import IDENTICAL
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router
from service.schemas import CheckBody

routes = router("search")


@routes.post(
    "/v1/collections/{collection}/check",
    response_model=CheckAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def check(collection: str, body: CheckBody, desk: SearchDeskNow) -> CheckAnswer:
    """Compare one thing with a collection, and tell how alike each match is.

    `tier` is `identical`, `near` or `none`; that of each match, and `closest`, are finer.
    """
    await fetch_into(body, desk.fetcher)
    question = as_check(await desk.run(body.question))
    settings = desk.state.settings
    found = await desk.collection(collection)
    look = await desk.run(asked_look, question.parts, found, settings)
    answer = await desk.search(collection, question)
    copies = await desk.run(copies_question, question, look, found, settings.max_k)
    more = [] if copies is None else (await desk.search(collection, copies)).hits
    hits = await desk.run(partial(seen, [*answer.hits, *more], look, found, settings))
    wanted = body.wanted()
    matches = [one for one in hits if one.is_match(wanted)][: question.k]
    return CheckAnswer(
        collection=answer.collection,
        model=without_places(answer.model),
        is_match=bool(matches),
        tier=tier_of(matches),
        closest=None if look is None else closest(one.tier for one in hits if one.tier),
        calibrated=registry.cuts(found.space, settings).is_fitted,
        threshold=THRESHOLD if body.threshold is None else body.threshold,
        matches=[MatchAnswer.of_match(one.hit, one.tier) for one in matches],
        took_ms=dict(answer.took_ms),
    )


def tier_of(matches: Sequence[Seen]) -> Literal["identical", "near", "none"]:
    """How close the matches come to what was asked, in three words."""
    if any(one.tier is Tier.IDENTICAL or one.hit.score >= IDENTICAL for one in matches):
        return "identical"
    return "near" if matches else "none"
