"""Bodies of requests to collections, each with an example that works as it stands.

They refuse fields they do not know, and read no number out of a text or a truth. Those that need no
collection are in `comparisons`. Knows nothing about how answers are found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictFloat,
    StrictInt,
)

from latent.items import JSON, LONGEST_ID, Modality
from service.checks.matching import Wanted
from service.checks.tiers import Tier
from service.engine.parts import Part, Thing, analogy, parse, place, thing
from service.engine.walks import STEPS
from service.explore.areas import MOST_CORNERS
from service.explore.concepts import MOST_COLUMNS
from service.live import Given
from service.query import Mode, Question, Walk

DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEElEQVR4nGNgWMCA"
    "FTEMLQkAnmQgAbvILRsAAAAASUVORK5CYII="
)
"""A green square of eight pixels, for examples."""

Id: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00-\x1f\x7f]+$")
]
ConceptName: TypeAlias = Annotated[str, Field(min_length=1, max_length=100)]
Filter: TypeAlias = Annotated[
    dict[str, JsonValue] | None,
    Field(description="Conditions on metadata, in the words of MongoDB; all must be met."),
]


def example(**content: Any) -> ConfigDict:
    """Configuration of a request body: strict about names and numbers, with an example."""
    return ConfigDict(
        extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [content]}
    )


# --- what is asked about ----------------------------------------------------------------------


class ThingBody(BaseModel):
    """A text or a picture; exactly one of them."""

    model_config = example(text="two dogs in the snow")

    text: str | None = None
    image: str | None = Field(None, description="Base64, a data URL, or a URL that may be fetched.")


class PlaceBody(ThingBody):
    """Something that has a place: exactly one of text, image, id, vector and concept."""

    model_config = example(text="snow")

    id: Id | None = Field(None, description="An item of the collection.")
    vector: list[StrictFloat] | str | None = Field(
        None,
        description="A vector of the collection's space: numbers, or base64 of float32 (<f4).",
    )
    concept: str | None = Field(None, description="A concept of the collection, by its name.")


class PartBody(PlaceBody):
    """One part of a query: exactly one of text, image, id, vector and concept."""

    model_config = example(text="snow", weight=-0.5)

    weight: StrictFloat = Field(1.0, description="How much it counts; negative leads away from it.")


ThingForm: TypeAlias = str | ThingBody
PlaceForm: TypeAlias = str | PlaceBody


class AnalogyBody(BaseModel):
    """A is to B as C is to what?"""

    model_config = example(analogy=["a dog", "a dog in the snow", "a cat"])

    analogy: list[PlaceForm] = Field(min_length=3, max_length=3, description="A, B and C.")


QueryForm: TypeAlias = str | PartBody | list[str | PartBody] | AnalogyBody


def given_of(form: str | ThingBody) -> JSON:
    if isinstance(form, str):
        return form
    # Its fields hold nothing that would have to be taken apart; a copy of a long vector takes time.
    return {name: value for name, value in form if value is not None}


def parts_of(query: QueryForm) -> Sequence[Part]:
    """The parts of a query. Raises InputError."""
    if isinstance(query, AnalogyBody):
        first, second, third = (place(given_of(form)) for form in query.analogy)
        return analogy(first, second, third)
    return parse([given_of(form) for form in (query if isinstance(query, list) else [query])])


def things_in(body: BaseModel) -> Iterator[ThingBody]:
    """Everything in a body that may be a picture, however deep."""
    waiting: list[object] = [body]
    while waiting:
        found = waiting.pop()
        if isinstance(found, BaseModel):
            if isinstance(found, ThingBody):
                yield found
            waiting += reversed(list(vars(found).values()))
        elif isinstance(found, list):
            waiting += reversed(found)


def things_of(forms: Sequence[ThingForm], names: Sequence[str]) -> list[Thing]:
    """The things; `names` are what errors call them. Raises InputError."""
    return [
        thing(form if isinstance(form, str) else form.model_dump(exclude_none=True), name=name)
        for form, name in zip(forms, names, strict=True)
    ]


class SearchBody(BaseModel):
    """What every question about a collection may say."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    query: QueryForm = Field(
        description="A text, an object, a list of weighted parts, or an analogy."
    )
    k: StrictInt = Field(10, description="How many hits, from 1 to the limit in the settings.")
    filter: Filter = None
    modality: Modality | None = Field(None, description="Only items of this kind.")
    min_relevance: StrictFloat | None = Field(
        None, ge=0, le=1, description="Hits less relevant are left out; 0 leaves none out."
    )

    def question(self) -> Question:
        """The question for the engine. Raises InputError."""
        parts = parts_of(self.query)
        is_analogy = isinstance(self.query, AnalogyBody)
        return Question(
            parts,
            self.k,
            self.filter,
            self.modality,
            is_analogy=is_analogy,
            min_relevance=self.min_relevance,
        )


class Narrowing(BaseModel):
    """What else may be asked of items, beside a filter."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    concepts: dict[str, Annotated[StrictFloat, Field(ge=0, le=1)]] | None = Field(
        None, description="How likely hits must have each concept, from 0 to 1."
    )
    area: list[tuple[StrictFloat, StrictFloat]] | None = Field(
        None,
        min_length=3,
        max_length=MOST_CORNERS,
        description="Corners, x and y, of a line around a part of the map: only what lies in it.",
    )


class QueryBody(SearchBody, Narrowing):
    """Find what is near."""

    model_config = example(
        query=[{"text": "a dog in the snow"}, {"image": DOT, "weight": 0.3}],
        k=5,
        modality="image",
        filter={"$uri": {"$like": "holiday/%"}},
    )

    cursor: str | None = Field(None, description="From the answer before, for the next page.")
    with_vector: StrictBool = Field(False, description="Whether hits carry their vectors.")
    explain: StrictBool = Field(False, description="Whether to say how the hits were found.")
    mode: Mode = Field(Mode.VECTOR, description="What is compared: places, words, or both.")
    diversity: StrictFloat | None = Field(
        None, ge=0, le=1, description="How much hits should differ."
    )
    group_by: str | None = Field(None, description="A field: only the best hit of each value.")
    sort_by: str | None = Field(None, description="A field, as in taken_at:desc.")
    pool: StrictInt | None = Field(None, description="How many of the best hits are arranged so.")
    with_concepts: list[ConceptName] | None = Field(
        None, max_length=MOST_COLUMNS, description="Concepts of which hits tell how likely."
    )

    def question(self) -> Question:
        return replace(
            super().question(),
            cursor=self.cursor,
            explain=self.explain,
            mode=self.mode,
            diversity=self.diversity,
            group_by=self.group_by,
            sort_by=self.sort_by,
            pool=self.pool,
            concepts=self.concepts or {},
            with_concepts=self.with_concepts or (),
            area=self.area,
        )


class WalkBody(BaseModel):
    """From one thing to another by what is near the way between them."""

    model_config = example(between=["a dog in the snow", {"image": DOT}], steps=3)

    between: list[PlaceForm] = Field(min_length=2, max_length=2, description="Start and end.")
    steps: StrictInt = Field(STEPS, description="How many, both ends among them.")
    filter: Filter = None
    modality: Modality | None = Field(None, description="Only items of this kind.")
    with_vector: StrictBool = Field(False, description="Whether steps carry their vectors.")

    def walk(self) -> Walk:
        """The walk for the engine. Raises InputError."""
        start, end = (place(given_of(form)) for form in self.between)
        return Walk(start, end, self.steps, self.filter, self.modality)


class CheckBody(SearchBody):
    """Is something like this in the collection already?

    Matches are copies, and items with a cosine of at least 0.9. With any of `threshold`, `least`
    and `min_relevance`, they are those for which all hold that are given.
    """

    model_config = example(query={"image": DOT}, threshold=0.9)

    threshold: StrictFloat | None = Field(
        None, ge=-1, le=1, description="Least cosine of a match; 0.9 where nothing is asked for."
    )
    least: Tier | None = Field(None, description="Least tier of a match.")

    def wanted(self) -> Wanted:
        """What is asked of a match."""
        return Wanted(self.threshold, self.least, self.min_relevance)


class DuplicatesBody(BaseModel):
    """Find all groups of copies in a collection."""

    model_config = example(tier="near_copy", limit=20)

    tier: Tier = Field(Tier.NEAR_COPY, description="Down to which tier things are copies.")
    limit: StrictInt = Field(100, ge=1, le=1000, description="Most groups that are listed.")


# --- items --------------------------------------------------------------------------------------


class ItemBody(BaseModel):
    """An item to store: a text, an image, or a vector with its modality.

    A text beside an image or a vector is kept and shown with it, and not embedded.
    """

    model_config = example(id="notes/1", text="a dog in the snow", metadata={"author": "Ada"})

    id: Id
    text: str | None = None
    image: str | None = Field(None, description="Base64, a data URL, or a URL that may be fetched.")
    vector: list[StrictFloat] | None = None
    modality: Modality | None = Field(None, description="Needed beside a vector.")
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    uri: str | None = Field(None, description="Where it came from, for people; the id by default.")

    def given(self) -> Given:
        return Given(
            id=self.id,
            text=self.text,
            image=self.image,
            vector=self.vector,
            modality=self.modality,
            metadata=self.metadata,
            uri=self.uri,
        )


class ItemsBody(BaseModel):
    """Items to store in one transaction."""

    model_config = example(
        items=[
            {"id": "notes/1", "text": "a dog in the snow", "metadata": {"author": "Ada"}},
            {"id": "green-square", "image": DOT},
        ]
    )

    items: list[ItemBody]


class ScrollBody(Narrowing):
    """Read a collection page by page, in order of arrival."""

    model_config = example(limit=100, modality="image")

    limit: StrictInt = Field(100, ge=1, le=1000)
    filter: Filter = None
    modality: Modality | None = None
    cursor: str | None = Field(None, description="From the page before.")
    with_vector: StrictBool = False


class CountBody(Narrowing):
    """Count items."""

    model_config = example(modality="text")

    filter: Filter = None
    modality: Modality | None = None


# --- collections --------------------------------------------------------------------------------


class CollectionBody(BaseModel):
    """A collection to make. `vectors:DIM` takes vectors that you bring along."""

    model_config = example(model="mini")

    model: str | None = Field(None, description="Name of a model; the default one if left out.")
    quantisation: Literal["float32", "fp16", "sq8", "pq", "rabitq"] | None = Field(
        None, description="By which codes a large collection is searched; left out, as it is."
    )
