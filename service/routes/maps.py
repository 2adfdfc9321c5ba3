"""Where do the items of a collection lie, seen from above?"""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field, StrictFloat, StrictInt

from latent.collection import Collection
from latent.index.vectors import Keys
from latent.items import Modality
from service.desk import SearchDesk
from service.explore.narrowing import narrowed
from service.explore.projecting import Method
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.map_answers import (
    AboutAnswer,
    BuildingAnswer,
    MapAnswer,
    MapHitsAnswer,
    PointsAnswer,
    state_of,
)
from service.query import Question
from service.routes.asking import SearchDeskNow, router, told
from service.schemas import AnalogyBody, Filter, Narrowing, QueryForm, example, parts_of

routes = router("explore")

MOST_LIT = 5_000  # more points than that a screen hardly shows apart


class MapBody(BaseModel):
    """Build a map and groups anew."""

    model_config = example()

    method: Method | None = Field(None, description="By default tsne where it is installed.")


class MapHitsBody(Narrowing):
    """Which points of the map light up for a question? Without one: those the filters leave."""

    model_config = example(query="two dogs in the snow", modality="image")

    query: QueryForm | None = Field(None, description="As that of a search.")
    filter: Filter = None
    modality: Modality | None = None
    min_relevance: StrictFloat | None = Field(
        None, ge=0, le=1, description="Hits less relevant are left out; 0 leaves none out."
    )
    sequence: StrictInt = Field(
        0, ge=0, description="Of the map that is shown; an older one is brought up to date."
    )

    def question(self, query: QueryForm) -> Question:
        """The question for the engine. Raises InputError."""
        return Question(
            parts_of(query),
            1,  # all of them are told, however few a search may ask for
            where=self.filter,
            modality=self.modality,
            is_analogy=isinstance(query, AnalogyBody),
            min_relevance=self.min_relevance,
            concepts=self.concepts or {},
            area=self.area,
        )


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


@routes.post(
    "/v1/collections/{collection}/map/hits",
    response_model=MapHitsAnswer,
    openapi_extra=needs(Scope.READ),
)
async def map_hits(collection: str, body: MapHitsBody, desk: SearchDeskNow) -> Response:
    """All hits of a question as points of the map that was seen last, up to 5,000.

    What came since that map was made is on no place of it, but is counted.
    """
    await fetch_into(body, desk.fetcher)
    found = await desk.collection(collection)
    await desk.load_map(found, least=body.sequence)
    if body.query is None:
        return told(await desk.look(_left, desk, found, body))
    question = await desk.run(body.question, body.query)
    standing = await desk.standing(collection, question, MOST_LIT)
    return told(await desk.look(_lit, desk, found, standing.keys, standing.hits))


def _left(desk: SearchDesk, collection: Collection, body: MapHitsBody) -> dict[str, Any]:
    """What the filters leave lights up, in order of arrival."""
    surveys = desk.state.explorer.surveys
    where = narrowed(surveys, collection, body.filter, least=body.concepts, area=body.area)
    keys = collection.keys_that_match(where=where, modality=body.modality)
    return _lit(desk, collection, keys[:MOST_LIT], len(keys))


def _lit(desk: SearchDesk, collection: Collection, keys: Keys, hits: int) -> dict[str, Any]:
    survey = desk.state.explorer.surveys.seen(collection)
    return MapHitsAnswer.of(collection.name, survey, keys, hits).model_dump()


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
