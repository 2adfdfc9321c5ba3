"""Which groups do the items of a collection form?"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from latent.collection import Collection
from service.desk import SearchDesk
from service.guard.scopes import Scope, needs
from service.map_answers import (
    AboutAnswer,
    GroupsAnswer,
    groups_of,
    outliers_of,
    spot_of,
    state_of,
)
from service.routes.asking import SearchDeskNow, router

routes = router("explore")


@routes.get(
    "/v1/collections/{collection}/groups",
    response_model=GroupsAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def groups(
    collection: str,
    desk: SearchDeskNow,
    id: Annotated[str | None, Query(description="An item whose group is told as `spot`.")] = None,
) -> GroupsAnswer:
    """The groups that were found when the map was built; what came since joined the nearest."""
    found = await desk.collection(collection)
    return await desk.look(_answer, desk, found, id)


def _answer(desk: SearchDesk, collection: Collection, item_id: str | None) -> GroupsAnswer:
    surveys = desk.state.explorer.surveys
    survey = surveys.of(collection)
    return GroupsAnswer(
        collection=collection.name,
        state=state_of(surveys.building(collection), survey),
        map=AboutAnswer.of(survey) if survey else None,
        groups=groups_of(survey) if survey else [],
        outliers=outliers_of(survey) if survey else [],
        **({} if item_id is None else {"spot": spot_of(survey, item_id) if survey else None}),
    )
