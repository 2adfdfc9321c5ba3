"""Which groups do the items of a collection form?"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, Field

from latent.collection import Collection
from service.desk import SearchDesk
from service.explore.surveys import Survey
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router
from service.routes.maps import AboutAnswer, State, state_of

routes = router("explore")


class GroupAnswer(BaseModel):
    """Items that lie together in the space. A group without a `parent` is of the upper level."""

    number: int
    parent: int | None
    words: list[str] = Field(description="What sets it apart from the others of its level.")
    items: int
    texts: int
    x: float = Field(description="The middle of its points on the map.")
    y: float
    central: list[str] = Field(description="Ids of those nearest to its centre.")
    border: list[str] = Field(description="Ids of those that nearly belong to another group.")


class OutlierAnswer(BaseModel):
    """An item that is like nothing else: deviations below the usual likeness to neighbours."""

    id: str
    deviation: float


class GroupsAnswer(BaseModel):
    """Groups in two levels, and what is in none of them rightly, strangest first."""

    collection: str
    state: State
    map: AboutAnswer | None
    groups: list[GroupAnswer]
    outliers: list[OutlierAnswer]


@routes.get(
    "/v1/collections/{collection}/groups",
    response_model=GroupsAnswer,
    openapi_extra=needs(Scope.READ),
)
async def groups(collection: str, desk: SearchDeskNow) -> GroupsAnswer:
    """The groups that were found when the map was built; what came since joined the nearest."""
    found = await desk.collection(collection)
    return await desk.run(_answer, desk, found)


def _answer(desk: SearchDesk, collection: Collection) -> GroupsAnswer:
    surveys = desk.state.explorer.surveys
    survey = surveys.of(collection)
    return GroupsAnswer(
        collection=collection.name,
        state=state_of(surveys.building(collection), survey),
        map=AboutAnswer.of(survey) if survey else None,
        groups=groups_of(survey) if survey else [],
        outliers=outliers_of(survey) if survey else [],
    )


def groups_of(survey: Survey) -> list[GroupAnswer]:
    """The groups as they are now; those that lost all their items are left out."""
    found = survey.landscape
    parents = np.array([-1 if one.parent is None else one.parent for one in found.groups])
    upper = parents[found.labels]
    listed = []
    for number, group in enumerate(found.groups):
        members = (upper if group.parent is None else found.labels) == number
        if not members.any():
            continue
        x, y = np.median(found.points[members], axis=0)
        listed.append(
            GroupAnswer(
                number=number,
                parent=group.parent,
                words=group.words,
                items=int(members.sum()),
                texts=int((members & survey.is_text).sum()),
                x=round(float(x), 4),
                y=round(float(y), 4),
                central=_there(survey, group.central),
                border=_there(survey, group.border),
            )
        )
    return listed


def outliers_of(survey: Survey) -> list[OutlierAnswer]:
    """The outliers that are still there."""
    found = survey.landscape.outliers
    named = zip(map(survey.id_of, found.places), found.deviations, strict=True)
    return [OutlierAnswer(id=one, deviation=far) for one, far in named if one is not None]


def _there(survey: Survey, keys: list[int]) -> list[str]:
    return [item_id for item_id in map(survey.id_of, keys) if item_id is not None]
