"""What can a collection be filtered by?"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field

from latent.items import Modality
from service import filters
from service.explore.facets import Facet, Kind
from service.explore.narrowing import narrowed
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router

routes = router("explore")


class ValueAnswer(BaseModel):
    """A value, and how many items have it."""

    value: str | bool | float
    count: int


class BarAnswer(BaseModel):
    """A step of a range: for a filter, `{"$gte": from, "$lt": to}`."""

    start: str | float = Field(serialization_alias="from")
    end: str | float = Field(serialization_alias="to")
    count: int


class FacetAnswer(BaseModel):
    """A field. `others` are items whose value is not listed; numbers and dates have a range."""

    field: str
    kind: Kind
    items: int
    distinct: int
    values: list[ValueAnswer]
    others: int
    min: str | float | None = None
    max: str | float | None = None
    steps: list[BarAnswer] | None = None

    @classmethod
    def of(cls, facet: Facet) -> FacetAnswer:
        fields: dict[str, Any] = {
            "field": facet.name,
            "kind": facet.kind,
            "items": facet.items,
            "distinct": facet.distinct,
            "values": [ValueAnswer(value=value, count=count) for value, count in facet.values],
            "others": facet.others,
        }
        if facet.least is not None:
            fields |= {"min": facet.least, "max": facet.most}
            fields["steps"] = [
                BarAnswer(start=one.start, end=one.end, count=one.count) for one in facet.steps
            ]
        return cls(**fields)


class FacetsAnswer(BaseModel):
    """How many items match, and their fields, those that most items have first."""

    collection: str
    items: int
    modalities: dict[Modality, int]
    fields: list[FacetAnswer]


@routes.get(
    "/v1/collections/{collection}/facets",
    response_model=FacetsAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def facets(
    collection: str,
    desk: SearchDeskNow,
    filter: Annotated[str | None, Query(description="A JSON object.")] = None,
    modality: Modality | None = None,
    concepts: Annotated[
        str | None, Query(description="A JSON object: how likely items must have each.")
    ] = None,
    area: Annotated[
        str | None, Query(description="A JSON list: the corners of a part of the map.")
    ] = None,
    values: Annotated[int, Query(ge=0, le=1000, description="Most values of a field.")] = 20,
) -> FacetsAnswer:
    """The fields of the metadata, with the commonest values and the ranges of those that match."""
    explorer, of = desk.state.explorer, await desk.collection(collection)
    where = await desk.look(
        narrowed,
        explorer.surveys,
        of,
        filters.read(filter),
        least=filters.read_least(concepts),
        area=filters.read_corners(area),
    )
    found = await desk.look(
        explorer.facets,
        collection,
        where=where,
        modality=modality,
        values=values,
    )
    return FacetsAnswer(
        collection=collection,
        items=found.items,
        modalities=found.modalities,
        fields=[FacetAnswer.of(facet) for facet in found.fields],
    )
