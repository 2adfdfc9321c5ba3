"""Where do the items of a collection lie, seen from above?"""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from latent.collection import Collection
from service.desk import SearchDesk
from service.explore.projecting import Method
from service.guard.scopes import Scope, needs
from service.map_answers import AboutAnswer, BuildingAnswer, MapAnswer, PointsAnswer, state_of
from service.routes.asking import SearchDeskNow, router, told
from service.schemas import example

routes = router("explore")


class MapBody(BaseModel):
    """Build a map and groups anew."""

    model_config = example()

    method: Method | None = Field(None, description="By default tsne where it is installed.")


@routes.get(
    "/v1/collections/{collection}/map",
    response_model=MapAnswer,
    openapi_extra=needs(Scope.READ),
)
async def get_map(collection: str, desk: SearchDeskNow, points: bool = True) -> Response:
    """The map as it was built, what came since placed among its neighbours.

    Ask with `points=false` for how far a map is that is being built.
    """
    found = await desk.collection(collection)
    return told(await desk.look(_answer, desk, found, points))


@routes.post(
    "/v1/collections/{collection}/map",
    response_model=MapAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.WRITE),
)
async def build_map(collection: str, body: MapBody, desk: SearchDeskNow) -> Response:
    """Build map and groups anew, in the background; the old ones stay until they are there."""
    found = await desk.collection(collection)
    await desk.run(desk.state.explorer.surveys.begin, found, body.method)
    return told(await desk.look(_answer, desk, found, False))


def _answer(desk: SearchDesk, collection: Collection, with_points: bool) -> dict[str, Any]:
    surveys = desk.state.explorer.surveys
    building, survey = surveys.building(collection), surveys.of(collection)
    answer = MapAnswer(
        collection=collection.name,
        state=state_of(building, survey),
        building=BuildingAnswer.of(building) if building else None,
        map=AboutAnswer.of(survey) if survey else None,
    )
    fields = answer.model_dump(exclude={"points"})
    if with_points:
        fields["points"] = PointsAnswer.of(survey).model_dump() if survey else None
    return fields
