"""Bodies of answers about maps and groups, over HTTP and at a prompt.

Knows nothing about how a landscape is found.
"""

from __future__ import annotations

import base64
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from latent.index.vectors import Keys
from latent.models.places import without_places
from service.explore.buildings import Building
from service.explore.projecting import Method
from service.explore.surveys import Survey

State = Literal["none", "building", "failed", "ready"]


class BuildingAnswer(BaseModel):
    """How far it is, from 0 to 1; `failure` says why it was given up."""

    step: str
    done: float
    failure: str | None

    @classmethod
    def of(cls, building: Building) -> BuildingAnswer:
        failure = without_places(building.failure) if building.failure else None
        return cls(step=building.step, done=building.done, failure=failure)


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


class MapHitsAnswer(BaseModel):
    """Hits by their places among the points of the map that shows this `sequence`."""

    collection: str
    sequence: int | None = Field(description="Of the map; null where there is none.")
    hits: int = Field(description="How many there are, also beyond those that are told.")
    places: str = Field(description="Base64 of int32, most relevant first.")

    @classmethod
    def of(cls, collection: str, survey: Survey | None, keys: Keys, hits: int) -> MapHitsAnswer:
        sequence = survey.sequence if survey else None
        places = _column(survey.places_of(keys), "<i4") if survey else ""
        return cls(collection=collection, sequence=sequence, hits=hits, places=places)


class MapAnswer(BaseModel):
    """A map, as far as there is one. `building` is null where none is being built."""

    model_config = ConfigDict(use_enum_values=True)

    collection: str
    state: State
    building: BuildingAnswer | None
    map: AboutAnswer | None
    points: PointsAnswer | None = Field(None, description="Left out if they were not asked for.")


class MapGroupAnswer(BaseModel):
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


class SpotAnswer(BaseModel):
    """Where an item lies on the map, and the number of its lower group."""

    id: str
    x: float
    y: float
    group: int


class GroupsAnswer(BaseModel):
    """Groups in two levels, and what is in none of them rightly, strangest first."""

    collection: str
    state: State
    map: AboutAnswer | None
    groups: list[MapGroupAnswer]
    outliers: list[OutlierAnswer]
    spot: SpotAnswer | None = Field(None, description="Of the item that was asked about.")


def state_of(building: Building | None, survey: Survey | None) -> State:
    """Whether there is a landscape, or one is being built."""
    if building is not None:
        return "building" if building.failure is None else "failed"
    return "none" if survey is None else "ready"


def groups_of(survey: Survey) -> list[MapGroupAnswer]:
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
            MapGroupAnswer(
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


def spot_of(survey: Survey, item_id: str) -> SpotAnswer | None:
    """Where an item lies; None for one that came since the map was looked at."""
    try:
        place = survey.ids.index(item_id)
    except ValueError:
        return None
    x, y = survey.landscape.points[place].tolist()
    return SpotAnswer(id=item_id, x=x, y=y, group=int(survey.landscape.labels[place]))


def _column(values: NDArray[Any], form: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, form).tobytes()).decode()


def _there(survey: Survey, keys: list[int]) -> list[str]:
    return [item_id for item_id in map(survey.id_of, keys) if item_id is not None]
