"""Which items of a collection are copies of each other?"""

from __future__ import annotations

from service.answers import DuplicatesAnswer, DuplicatesGroup, ItemAnswer
from service.checks.duplicates import duplicates, require_findable
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router
from service.schemas import DuplicatesBody

routes = router("search")


@routes.post(
    "/v1/collections/{collection}/duplicates",
    response_model=DuplicatesAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def find_duplicates(
    collection: str, body: DuplicatesBody, desk: SearchDeskNow
) -> DuplicatesAnswer:
    """All groups of copies, and which of each is best kept; nothing is deleted.

    One such request is answered at a time, for it keeps every core busy.
    """
    require_findable(body.tier)
    found = await desk.collection(collection)
    with desk.state.long_work.inside():
        answer = await desk.run(duplicates, found, desk.state.settings, body.tier)
    return DuplicatesAnswer(
        collection=found.name,
        tier=body.tier,
        items=answer.items,
        count=len(answer.groups),
        extra=answer.extra,
        unknown=answer.unknown,
        calibrated=answer.is_calibrated,
        groups=[
            DuplicatesGroup(
                tier=group.tier,
                keep=ItemAnswer.of(group.keep),
                extra=[ItemAnswer.of(item) for item in group.extra],
            )
            for group in answer.groups[: body.limit]
        ],
    )
