"""Concepts: learnt of items marked yes and no, then a part of questions, a filter and a column."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, Field, StrictBool

from latent.collection import Collection
from service.answers import DeletedAnswer
from service.desk import SearchDesk
from service.explore import concepts, insight
from service.explore.concepts import Concept
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router
from service.routes.explain import WordAnswer
from service.schemas import Id, example

routes = router("explore")

MOST_MEANINGS = 100  # concepts told of some items


class ConceptBody(BaseModel):
    """Items that are meant and items that are not."""

    model_config = example(yes=["notes/1", "green-square"], no=["notes/2", "notes/3"])

    yes: list[Id] = Field(description="Ids, two at least.")
    no: list[Id] = Field(description="Ids, two at least.")


class ConceptAnswer(BaseModel):
    """A concept, and how it did on examples that it had not seen.

    `auc` is the chance that a yes stands before a no. `is_reliable` is false for fewer than ten
    examples, and for an AUC below 0.8.
    """

    name: str
    yes: list[str]
    no: list[str]
    auc: float
    accuracy: float
    folds: int
    examples: int
    is_reliable: bool

    @classmethod
    def of(cls, concept: Concept) -> ConceptAnswer:
        found = concept.quality
        return cls(
            name=concept.name,
            yes=concept.yes,
            no=concept.no,
            auc=found.auc,
            accuracy=found.accuracy,
            folds=found.folds,
            examples=found.examples,
            is_reliable=found.is_reliable,
        )


class ConceptsAnswer(BaseModel):
    """All concepts of a collection, by name."""

    concepts: list[ConceptAnswer]


class MeaningsBody(BaseModel):
    """Which concepts do these items have?"""

    model_config = example(ids=["notes/1", "green-square"])

    ids: list[Id] = Field(min_length=1, max_length=10_000, description="Of hits, say.")
    with_chances: StrictBool = Field(True, description="Whether to tell of each item, or count.")


class MeaningAnswer(BaseModel):
    """A concept: how likely each item has it, in their order, and how many more likely than not."""

    name: str
    chances: list[float] | None = Field(description="Null if they were not asked for.")
    items: int


class MeaningsAnswer(BaseModel):
    """The concepts of items, those that most of them have first, and the words they share."""

    concepts: list[MeaningAnswer]
    words: list[WordAnswer] = Field(description="Everyday words; the weight is the mean cosine.")


@routes.get(
    "/v1/collections/{collection}/concepts",
    response_model=ConceptsAnswer,
    openapi_extra=needs(Scope.READ),
)
async def list_concepts(collection: str, desk: SearchDeskNow) -> ConceptsAnswer:
    """All concepts of a collection, by name."""
    found = await desk.run(concepts.all_of, await desk.collection(collection))
    return ConceptsAnswer(concepts=[ConceptAnswer.of(one) for one in found])


@routes.post(
    "/v1/collections/{collection}/concepts/meanings",
    response_model=MeaningsAnswer,
    openapi_extra=needs(Scope.READ),
)
async def meanings(collection: str, body: MeaningsBody, desk: SearchDeskNow) -> MeaningsAnswer:
    """How likely items have each concept, and which everyday words they share."""
    return await desk.look(_meanings, desk, await desk.collection(collection), body)


@routes.put(
    "/v1/collections/{collection}/concepts/{name}",
    response_model=ConceptAnswer,
    openapi_extra=needs(Scope.WRITE),
)
async def put_concept(
    collection: str, name: str, body: ConceptBody, desk: SearchDeskNow
) -> ConceptAnswer:
    """Learn a concept of items marked yes and no, in the place of one of that name.

    In a query it is the part `{"concept": name}`, and the filter `concepts: {name: least}`.
    """
    found = await desk.collection(collection)
    return ConceptAnswer.of(await desk.look(concepts.learn, found, name, body.yes, body.no))


@routes.delete(
    "/v1/collections/{collection}/concepts/{name}",
    response_model=DeletedAnswer,
    openapi_extra=needs(Scope.WRITE),
)
async def delete_concept(collection: str, name: str, desk: SearchDeskNow) -> DeletedAnswer:
    """Forget a concept; its examples stay."""
    await desk.run(concepts.drop, await desk.collection(collection), name)
    return DeletedAnswer(deleted=name)


def _meanings(desk: SearchDesk, collection: Collection, body: MeaningsBody) -> MeaningsAnswer:
    located = collection.located(body.ids)
    listed = [
        MeaningAnswer(
            name=concept.name,
            chances=np.round(chances, 4).tolist() if body.with_chances else None,
            items=int((chances >= 0.5).sum()),
        )
        for concept in concepts.all_of(collection)
        for chances in [concept.chances(located.vectors)]
    ]
    vocabulary = desk.state.explorer.surveys.vocabulary(collection)
    shared = [] if vocabulary is None else insight.shared_words(collection, located, vocabulary)
    return MeaningsAnswer(
        concepts=sorted(listed, key=lambda one: -one.items)[:MOST_MEANINGS],
        words=[WordAnswer(word=word, weight=round(weight, 4)) for word, weight in shared],
    )
