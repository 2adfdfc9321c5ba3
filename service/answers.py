"""Bodies of answers. What is left out of an answer was not asked for or is not there.

Knows nothing about how answers are found.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, Field, JsonValue

from latent.collection import Summary
from latent.items import Hit, Item, Modality
from latent.models.places import without_places
from service.checks.tiers import Tier
from service.live import Outcome, as_error
from service.query import Answer, Walked

# --- items --------------------------------------------------------------------------------------


class PassageAnswer(BaseModel):
    """Where in its document a text stands: characters, half open."""

    document: str
    number: int
    of: int
    start: int
    end: int


class ItemAnswer(BaseModel):
    """A stored item."""

    id: str
    uri: str
    modality: Modality
    metadata: dict[str, JsonValue]
    text: str | None = None
    passage: PassageAnswer | None = None
    vector: list[float] | None = None

    @classmethod
    def fields_of(cls, item: Item, *, with_vector: bool) -> dict[str, Any]:
        """What an answer says of an item: never where on this machine it was read."""
        fields: dict[str, Any] = {
            "id": item.id,
            "uri": item.uri,
            "modality": item.modality,
            "metadata": dict(item.metadata),
        }
        if item.text is not None:
            fields["text"] = item.text
        if item.passage is not None:
            fields["passage"] = PassageAnswer.model_validate(item.passage, from_attributes=True)
        if with_vector:
            fields["vector"] = item.vector.tolist()
        return fields

    @classmethod
    def of(cls, item: Item, *, with_vector: bool = False) -> ItemAnswer:
        return cls(**cls.fields_of(item, with_vector=with_vector))


class GroupAnswer(BaseModel):
    """What the hits of a group share, and how many further ones it has."""

    value: JsonValue
    others: int


class HitAnswer(ItemAnswer):
    """An item that was found; `score` is the cosine, higher is closer."""

    score: float | None = Field(description="Null where only words were compared.")
    relevance: float | None = Field(
        None, description="How surely it is what was meant, from 0 to 1."
    )
    found_by: list[str] = Field([], description="By which sides, in mode keyword or hybrid.")
    group: GroupAnswer | None = Field(None, description="What it is the best hit of.")
    concepts: dict[str, float] = Field({}, description="How likely it has those asked about.")

    @classmethod
    def fields_of_hit(cls, hit: Hit, *, with_vector: bool) -> dict[str, Any]:
        """What an answer says of a hit."""
        fields = cls.fields_of(hit.item, with_vector=with_vector)
        fields["score"] = None if math.isnan(hit.score) else hit.score
        if hit.relevance is not None:
            fields["relevance"] = hit.relevance
        if hit.found_by:
            fields["found_by"] = list(hit.found_by)
        if hit.group is not None:
            fields["group"] = GroupAnswer(value=hit.group.value, others=hit.group.others)
        if hit.concepts:
            fields["concepts"] = dict(hit.concepts)
        return fields

    @classmethod
    def of_hit(cls, hit: Hit, *, with_vector: bool = False) -> HitAnswer:
        return cls(**cls.fields_of_hit(hit, with_vector=with_vector))


class StepAnswer(HitAnswer):
    """A hit on the way from one thing to another."""

    at: float = Field(description="How far along, from 0 to 1.")


class ScrollAnswer(BaseModel):
    """A page of items; `cursor` leads to the next, null when there is none."""

    items: list[ItemAnswer]
    cursor: str | None


class CountAnswer(BaseModel):
    """How many items match."""

    count: int


class DeletedAnswer(BaseModel):
    """What was removed."""

    deleted: str


class ErrorAnswer(BaseModel):
    """What is wrong with one item."""

    code: str
    detail: str


class ItemOutcome(BaseModel):
    """What became of one item."""

    id: str
    status: Literal["indexed", "unchanged", "failed"]
    error: ErrorAnswer | None = None

    @classmethod
    def of(cls, outcome: Outcome) -> ItemOutcome:
        fields: dict[str, Any] = {"id": outcome.id, "status": outcome.status}
        if outcome.error is not None:
            fields["error"] = as_error(outcome.error)
        return cls.model_validate(fields)


class ItemsAnswer(BaseModel):
    """What became of each item, in order; `sequence` counts the writes to the collection."""

    items: list[ItemOutcome]
    sequence: int


# --- answers to questions -----------------------------------------------------------------------


class QueryAnswer(BaseModel):
    """Hits, best first. `search` in `took_ms` includes reading the hits from the catalog."""

    collection: str
    model: str
    hits: list[HitAnswer]
    match: bool = Field(description="Whether something stands out; else nothing is what was meant.")
    cursor: str | None
    took_ms: dict[str, float]
    explain: dict[str, JsonValue] | None = Field(None, description="How the hits were found.")

    @classmethod
    def fields_of(cls, answer: Answer, *, with_vector: bool) -> dict[str, Any]:
        """What is said of an answer."""
        explained = {} if answer.explain is None else {"explain": dict(answer.explain)}
        return {
            "collection": answer.collection,
            "model": without_places(answer.model),
            "hits": [HitAnswer.fields_of_hit(hit, with_vector=with_vector) for hit in answer.hits],
            "match": answer.match,
            "cursor": answer.cursor,
            "took_ms": dict(answer.took_ms),
            **explained,
        }


class WalkAnswer(BaseModel):
    """Steps from start to end; `angle` is that between both, in degrees."""

    collection: str
    model: str
    angle: float
    steps: list[StepAnswer]
    took_ms: dict[str, float]

    @classmethod
    def of(cls, walked: Walked, *, with_vector: bool = False) -> WalkAnswer:
        steps = [
            StepAnswer(at=one.at, **StepAnswer.fields_of_hit(one.hit, with_vector=with_vector))
            for one in walked.steps
        ]
        return cls(
            collection=walked.collection,
            model=without_places(walked.model),
            angle=walked.angle,
            steps=steps,
            took_ms=dict(walked.took_ms),
        )


class MatchAnswer(HitAnswer):
    """A match, and how alike it is."""

    tier: Tier | None = Field(None, description="Left out where a mix or a vector was asked about.")

    @classmethod
    def of_match(cls, hit: Hit, tier: Tier | None) -> MatchAnswer:
        fields = cls.fields_of_hit(hit, with_vector=False)
        return cls(**fields) if tier is None else cls(tier=tier, **fields)


class CheckAnswer(BaseModel):
    """Whether something like it is there. `identical`: the same content, or a cosine of 0.9999."""

    collection: str
    model: str
    is_match: bool
    tier: Literal["identical", "near", "none"]
    closest: Tier | None = Field(description="The tier of what is most alike, match or not.")
    calibrated: bool = Field(description="Whether the tiers were fitted to this model.")
    threshold: float
    matches: list[MatchAnswer]
    took_ms: dict[str, float]


# --- collections --------------------------------------------------------------------------------


class CollectionAnswer(BaseModel):
    """What a collection holds, and how it is searched."""

    name: str
    model: str
    dim: int
    items: int
    images: int
    texts: int
    failed: int
    sequence: int
    index: dict[str, JsonValue]

    @classmethod
    def of(cls, summary: Summary) -> CollectionAnswer:
        return cls(
            name=summary.name,
            model=without_places(summary.space.model),
            dim=summary.space.dim,
            items=summary.items,
            images=summary.images,
            texts=summary.texts,
            failed=summary.failed,
            sequence=summary.sequence,
            index=dict(summary.index),
        )


class CollectionsAnswer(BaseModel):
    """All collections, by name."""

    collections: list[CollectionAnswer]


# --- without a collection -----------------------------------------------------------------------


class EmbeddingAnswer(BaseModel):
    """One vector, as numbers or as base64."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens of the texts; pictures have none."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """Vectors in the order of the input."""

    object: Literal["list"] = "list"
    data: list[EmbeddingAnswer]
    model: str
    usage: Usage


class SimilarityResult(BaseModel):
    """The cosine to one target, its tier, and how surely both belong together.

    `relevance` is null where none was learnt of the model. `match` says whether all that was asked
    of a match is reached, if something was.
    """

    index: int
    score: float
    relevance: float | None
    tier: Tier
    match: bool | None = None


class SimilarityAnswer(BaseModel):
    """One result for each target, in their order; `calibrated`: tiers were fitted to the model."""

    model: str
    calibrated: bool
    results: list[SimilarityResult]


class LabelAnswer(BaseModel):
    """How surely a label fits; `score` is the cosine."""

    label: str
    probability: float
    score: float


class ClassifyResult(BaseModel):
    """The label that fits, null where none does; `labels` are all of them, surest first."""

    index: int
    label: str | None
    none: float = Field(description="How surely no label fits.")
    labels: list[LabelAnswer]


class ClassifyAnswer(BaseModel):
    """One result for each input, in order; `calibrated`: sureness was learnt for the model."""

    model: str
    calibrated: bool
    results: list[ClassifyResult]


class DuplicatesGroup(BaseModel):
    """Copies of each other; `keep` is the largest, then the oldest. `tier`: the weakest link."""

    tier: Tier
    keep: ItemAnswer
    extra: list[ItemAnswer]


class DuplicatesAnswer(BaseModel):
    """Groups of copies, strongest tier first. Nothing was deleted.

    `items` were compared; `extra` counts what groups could do without. Only the first `limit`
    groups are listed. `unknown` pictures have no hash to compare.
    """

    collection: str
    tier: Tier
    items: int
    count: int
    extra: int
    unknown: int
    calibrated: bool
    groups: list[DuplicatesGroup]


class RerankResult(BaseModel):
    """`relevance_score` is between 0 and 1, higher is closer: (cosine + 1) / 2 in this form.

    `score` is the cosine. `relevance` says how surely the document is meant; it is null where none
    was learnt of the model.
    """

    index: int
    relevance_score: float
    score: float
    relevance: float | None


class RerankAnswer(BaseModel):
    """Documents by their index, best first."""

    model: str
    results: list[RerankResult]


class ModelAnswer(BaseModel):
    """A model that is served here."""

    id: str
    object: Literal["model"] = "model"
    owned_by: str = "nearfield"
    available: bool
    dim: int | None = None
    modalities: list[Modality] = []
    about: str


class ModelsAnswer(BaseModel):
    """Models that requests may name."""

    object: Literal["list"] = "list"
    data: list[ModelAnswer]


class Problem(BaseModel):
    """Why there is no answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, str]] | None = Field(None, description="Each place that is not valid.")
