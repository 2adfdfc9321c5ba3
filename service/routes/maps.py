"""Where do the items of a collection lie, seen from above?"""

from __future__ import annotations

import base64
from typing import Any, Literal

import numpy as np
from fastapi import Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from latent.collection import Collection
from service.desk import SearchDesk
from service.explore.projecting import Method
from service.explore.surveys import Building, Survey
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router, told
from service.schemas import example

routes = router("explore")

State = Literal["none", "building", "failed", "ready"]


class BuildingAnswer(BaseModel):
    """How far it is, from 0 to 1; `failure` says why it was given up."""

    step: str
    done: float
    failure: str | None

    @classmethod
    def of(cls, building: Building) -> BuildingAnswer:
        return cls(step=building.step, done=building.done, failure=building.failure)


class AboutAnswer(BaseModel):
    """How a map came about; `placed` items came later and stand among their neighbours."""

    method: Method
    sequence: int
    items: int
    fitted: int
    placed: int
    made_at: str
    seconds: float
    gap: float | None = Field(description="Between the middles of photos and texts; centred away.")
    trustworthiness: float | None = Field(
        description="Whether neighbours on the map are such in the space: 1 if all are."
    )

    @classmethod
    def of(cls, survey: Survey) -> AboutAnswer:
        about = survey.landscape.about
        return cls(
            method=about.method,
            sequence=survey.sequence,
            items=len(survey.ids),
            fitted=about.fitted,
            placed=int(survey.landscape.placed.sum()),
            made_at=about.made_at,
            seconds=about.seconds,
            gap=about.gap,
            trustworthiness=about.trustworthiness,
        )


class PointsAnswer(BaseModel):
    """All points, in columns: base64 of little-endian numbers, in the order of `ids`."""

    ids: list[str]
    x: str = Field(description="float32, from -1 to 1.")
    y: str = Field(description="float32, from -1 to 1, upwards.")
    is_text: str = Field(description="uint8: 1 for a text, 0 for a picture.")
    group: str = Field(description="int32: the number of the lower group.")

    @classmethod
    def of(cls, survey: Survey) -> PointsAnswer:
        found = survey.landscape
        return cls(
            ids=survey.ids,
            x=_column(found.points[:, 0], "<f4"),
            y=_column(found.points[:, 1], "<f4"),
            is_text=_column(survey.is_text, "u1"),
            group=_column(found.labels, "<i4"),
        )


class MapAnswer(BaseModel):
    """A map, as far as there is one. `building` is null where none is being built."""

    model_config = ConfigDict(use_enum_values=True)

    collection: str
    state: State
    building: BuildingAnswer | None
    map: AboutAnswer | None
    points: PointsAnswer | None = Field(None, description="Left out if they were not asked for.")


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
    return told(await desk.run(_answer, desk, found, points))


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
    return told(await desk.run(_answer, desk, found, False))


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


def state_of(building: Building | None, survey: Survey | None) -> State:
    """Whether there is a landscape, or one is being built."""
    if building is not None:
        return "building" if building.failure is None else "failed"
    return "none" if survey is None else "ready"


def _column(values: NDArray[Any], form: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, form).tobytes()).decode()
