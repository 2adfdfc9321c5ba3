"""Why did this match, what is in this vector, and what lies along this direction?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, Field

from latent.collection import Collection
from latent.items import Modality, Vectors
from latent.models.embedder import Embedder
from latent.models.places import without_places
from service.answers import HitAnswer
from service.desk import SearchDesk
from service.engine.directions import direction
from service.engine.nouns import in_sentences, understood
from service.engine.parts import Part, place
from service.explore import insight
from service.explore.deletion import Explained
from service.explore.named import Named, named
from service.explore.narrowing import narrowed
from service.explore.why import squared
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router
from service.schemas import (
    AnalogyBody,
    Filter,
    Id,
    Narrowing,
    PlaceForm,
    QueryForm,
    example,
    given_of,
    parts_of,
)

routes = router("explore")


class ExplainBody(BaseModel):
    """Why does an item match a query? Without an item: what is in the query?"""

    model_config = example(query="two dogs in the snow", id="notes/1")

    query: QueryForm = Field(description="As that of a search.")
    id: Id | None = Field(None, description="An item of the collection.")


class WordAnswer(BaseModel):
    """A word and its weight in a mix, or its cosine to a direction."""

    word: str
    weight: float


class MixtureAnswer(BaseModel):
    """Words that make up a vector, and the cosine of their mix to it."""

    words: list[WordAnswer]
    cosine: float
    near: list[str] = Field(
        description="Those of the words that are near also by themselves, the nearest first."
    )


class PieceAnswer(BaseModel):
    """A piece of the text, in characters, half open, and what it gave."""

    start: int
    end: int
    gave: float


class HeatAnswer(BaseModel):
    """What each piece of the picture gave, `cells` by `cells`, row by row from the top left."""

    cells: int
    gave: list[list[float]]


class ExplainAnswer(BaseModel):
    """What each part of the query gave adds up to `score`.

    `faithfulness`: the share of the fall that chance does not explain when the most telling quarter
    is taken away. `is_faithful` is false where that is too low to be believed.
    """

    collection: str
    model: str
    id: str | None
    score: float | None
    nearer_than: float | None = Field(
        description="Share of other items of its kind, of a sample, that are farther away."
    )
    parts: list[float]
    heat: HeatAnswer | None
    words: list[PieceAnswer] | None
    faithfulness: float | None
    is_faithful: bool
    missing: str | None = Field(description="Why there is neither heat nor words.")
    mixture: MixtureAnswer | None = Field(description="Of the item, or of the query without one.")
    understood_as: dict[str, list[str]] = Field(
        description="Of each bare noun of the query, the sentences whose mean place stands for it."
    )


class AxisBody(Narrowing):
    """What lies along the direction from one thing to another?"""

    model_config = example(between=["a dog", "a cat"], k=5)

    between: list[PlaceForm] = Field(min_length=2, max_length=2, description="A and B.")
    k: int = Field(10, ge=1, le=100, description="How many items at each end.")
    ids: list[Id] | None = Field(None, max_length=1000, description="Items to sort along it.")
    filter: Filter = None
    modality: Modality | None = None


class PlacedAnswer(BaseModel):
    """An item and how far along the axis it lies: the cosine to its direction."""

    id: str
    at: float


class AxisAnswer(BaseModel):
    """Both ends: the items furthest there, best first, and the words nearest."""

    collection: str
    model: str
    start: list[HitAnswer]
    end: list[HitAnswer]
    start_words: list[WordAnswer]
    end_words: list[WordAnswer]
    sorted: list[PlacedAnswer] = Field(description="The ids that were given, from A to B.")


@routes.post(
    "/v1/collections/{collection}/explain",
    response_model=ExplainAnswer,
    openapi_extra=needs(Scope.READ),
)
async def explain(collection: str, body: ExplainBody, desk: SearchDeskNow) -> ExplainAnswer:
    """Why an item matches a query: what in the photo, which words, what each part gave.

    One such request is answered at a time, for it looks at a photo about eighty times.
    """
    await fetch_into(body, desk.fetcher)
    asked = await desk.run(parts_of, body.query)
    found = await desk.collection(collection)
    parts = asked
    if not isinstance(body.query, AnalogyBody):  # which compares its very words
        parts = await desk.run(in_sentences, asked, found.space, desk.state.settings)
    embedder = await desk.embedder_for(found)
    about, rows = await _placed(desk, found, embedder, parts)
    with desk.state.long_work.inside():
        return await desk.run(_explain, desk, found, embedder, (about, rows), body.id)


@routes.post(
    "/v1/collections/{collection}/axis",
    response_model=AxisAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def axis(collection: str, body: AxisBody, desk: SearchDeskNow) -> AxisAnswer:
    """The items furthest along the direction from A to B at both ends, and the words there."""
    await fetch_into(body, desk.fetcher)
    await desk.see_map(collection, [body.area])
    parts = [place(given_of(form)) for form in body.between]
    found = await desk.collection(collection)
    embedder = await desk.embedder_for(found)
    _, rows = await _placed(desk, found, embedder, parts)
    return await desk.look(_axis, desk, found, rows, body)


async def _placed(
    desk: SearchDesk, collection: Collection, embedder: Embedder, parts: Sequence[Part]
) -> tuple[Named, Vectors]:
    """What is named, and where each part lies."""
    about = await desk.run(named, collection, parts)
    things = about.things
    return about, about.rows(await desk.place(embedder, things) if things else [])


def _explain(
    desk: SearchDesk,
    collection: Collection,
    embedder: Embedder,
    asked: tuple[Named, Vectors],
    item_id: str | None,
) -> ExplainAnswer:
    about, rows = asked
    vector = direction(about.parts, rows)
    kind = insight.kind_of(about.parts, {one.id: one.modality for one in about.items.values()})
    reason: insight.Why | None = None
    if item_id is not None:
        (item,) = collection.get([item_id])
        reason = insight.why(collection, item, (about.parts, rows), embedder, desk.state.settings)
        vector, kind = item.vector, item.modality
    vocabulary = desk.state.explorer.surveys.vocabulary(collection)
    mixed = insight.mixture(collection, vector, kind, vocabulary) if vocabulary else None
    found = reason.found if reason else None
    return ExplainAnswer(
        collection=collection.name,
        model=without_places(collection.space.model),
        id=item_id,
        score=reason.score if reason else None,
        nearer_than=reason.nearer_than if reason else None,
        parts=reason.shares if reason else [],
        heat=_heat(found) if found and reason and reason.item.modality is Modality.IMAGE else None,
        words=[PieceAnswer(start=p.start, end=p.end, gave=p.gave) for p in reason.pieces]
        if reason and reason.pieces
        else None,
        faithfulness=found.faithfulness if found else None,
        is_faithful=found is not None and not found.is_low,
        missing=without_places(reason.missing) if reason and reason.missing else None,
        mixture=MixtureAnswer(words=_words(mixed.words), cosine=mixed.cosine, near=mixed.near)
        if mixed
        else None,
        understood_as=understood(about.parts),
    )


def _axis(desk: SearchDesk, collection: Collection, rows: Vectors, body: AxisBody) -> AxisAnswer:
    surveys = desk.state.explorer.surveys
    found = insight.axis(
        collection,
        rows,
        surveys.vocabulary(collection),
        body.k,
        where=narrowed(surveys, collection, body.filter, least=body.concepts, area=body.area),
        modality=body.modality,
    )
    ids = body.ids or []
    at = collection.vectors_of(ids) @ insight.along(rows)
    placed = sorted(zip(at.tolist(), ids, strict=True))
    return AxisAnswer(
        collection=collection.name,
        model=without_places(collection.space.model),
        start=[HitAnswer.of_hit(hit) for hit in found.start],
        end=[HitAnswer.of_hit(hit) for hit in found.end],
        start_words=_words(found.start_words),
        end_words=_words(found.end_words),
        sorted=[PlacedAnswer(id=one, at=far) for far, one in placed],
    )


def _heat(found: Explained) -> HeatAnswer:
    gave = squared(found)
    return HeatAnswer(cells=len(gave), gave=np.round(gave, 5).tolist())


def _words(words: Sequence[tuple[str, float]]) -> list[WordAnswer]:
    return [WordAnswer(word=word, weight=round(weight, 4)) for word, weight in words]
