"""Bodies of requests, each with an example that works as it stands.

They refuse fields they do not know. Knows nothing about how answers are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from latent.items import LONGEST_ID, Modality
from service.live import Given
from service.parts import Thing, parse, thing
from service.query import Question

DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEElEQVR4nGNgWMCA"
    "FTEMLQkAnmQgAbvILRsAAAAASUVORK5CYII="
)
"""A green square of eight pixels, for examples."""

Id: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Filter: TypeAlias = Annotated[
    dict[str, JsonValue] | None,
    Field(description="Equality on metadata: every name given must have exactly this value."),
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
    image: str | None = Field(None, description="Base64 or a data URL. URLs are not fetched.")


class PartBody(ThingBody):
    """One part of a query: exactly one of text, image, id and vector."""

    model_config = example(text="snow", weight=-0.5)

    id: Id | None = Field(None, description="An item of the collection.")
    vector: list[float] | None = Field(None, description="A vector of the collection's space.")
    weight: float = Field(1.0, description="How much it counts; negative leads away from it.")


ThingForm: TypeAlias = str | ThingBody
QueryForm: TypeAlias = str | PartBody | list[str | PartBody]


def things_of(forms: Sequence[ThingForm], names: Sequence[str]) -> list[Thing]:
    """The things; `names` are what errors call them. Raises InputError."""
    return [
        thing(form if isinstance(form, str) else form.model_dump(exclude_none=True), name=name)
        for form, name in zip(forms, names, strict=True)
    ]


class SearchBody(BaseModel):
    """What every question about a collection may say."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    query: QueryForm = Field(description="A text, an object, or a list of weighted parts.")
    k: int = Field(10, description="How many hits, from 1 to the limit in the settings.")
    filter: Filter = None
    modality: Modality | None = Field(None, description="Only items of this kind.")

    def question(self, cursor: str | None = None) -> Question:
        """The question for the engine. Raises InputError."""
        query = self.query
        forms = query if isinstance(query, list) else [query]
        given = [
            form if isinstance(form, str) else form.model_dump(exclude_none=True) for form in forms
        ]
        return Question(parse(given), self.k, self.filter, self.modality, cursor)


class QueryBody(SearchBody):
    """Find what is near."""

    model_config = example(
        query=[{"text": "a dog in the snow"}, {"image": DOT, "weight": 0.3}],
        k=5,
        modality="image",
        filter={"camera": "Canon EOS 5D"},
    )

    cursor: str | None = Field(None, description="From the answer before, for the next page.")
    with_vector: bool = Field(False, description="Whether hits carry their vectors.")


class CheckBody(SearchBody):
    """Is something like this in the collection already?

    Matches are items with a cosine of at least `threshold`. Pictures of the same scene reach
    about 0.9; a text and a picture rarely reach 0.4, so a check of a text against pictures needs
    a threshold of its own. Calibrated tiers, which need no threshold, will join later.
    """

    model_config = example(query={"image": DOT}, threshold=0.9)

    threshold: float = Field(0.9, ge=-1, le=1, description="Least cosine of a match.")


# --- items --------------------------------------------------------------------------------------


class ItemBody(BaseModel):
    """An item to store: a text, an image, or a vector with its modality.

    A text beside an image or a vector is kept and shown with it, and not embedded.
    """

    model_config = example(id="notes/1", text="a dog in the snow", metadata={"author": "Ada"})

    id: Id
    text: str | None = None
    image: str | None = Field(None, description="Base64 or a data URL. URLs are not fetched.")
    vector: list[float] | None = None
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


class ScrollBody(BaseModel):
    """Read a collection page by page, in order of arrival."""

    model_config = example(limit=100, modality="image")

    limit: int = Field(100, ge=1, le=1000)
    filter: Filter = None
    modality: Modality | None = None
    cursor: str | None = Field(None, description="From the page before.")
    with_vector: bool = False


class CountBody(BaseModel):
    """Count items."""

    model_config = example(modality="text")

    filter: Filter = None
    modality: Modality | None = None


# --- collections --------------------------------------------------------------------------------


class CollectionBody(BaseModel):
    """A collection to make. `vectors:DIM` takes vectors that you bring along."""

    model_config = example(model="mini")

    model: str | None = Field(None, description="Name of a model; the default one if left out.")


# --- without a collection -----------------------------------------------------------------------


class EmbeddingsBody(BaseModel):
    """Vectors of texts and pictures, in OpenAI's form."""

    model_config = example(model="mini", input=["a dog in the snow", {"image": DOT}])

    input: ThingForm | list[ThingForm]
    model: str | None = Field(None, description="A model that is served here.")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="base64: the bytes of little-endian float32 numbers."
    )
    dimensions: int | None = Field(None, description="If given, must be that of the model.")
    user: str | None = Field(None, description="Taken for the sake of clients; not kept.")


class SimilarityBody(BaseModel):
    """How alike is the source to each target?"""

    model_config = example(
        source="a dog in the snow",
        targets=["a puppy outside in winter", "a recipe for pancakes"],
        threshold=0.5,
    )

    source: ThingForm
    targets: list[ThingForm]
    threshold: float | None = Field(None, ge=-1, le=1, description="Least cosine of a match.")
    model: str | None = None


class RerankBody(BaseModel):
    """Order documents by how near they are to the query."""

    model_config = example(
        query="a dog in the snow",
        documents=["a recipe for pancakes", "a puppy outside in winter"],
        top_n=1,
    )

    query: ThingForm
    documents: list[ThingForm]
    top_n: int | None = Field(None, ge=1, description="Only the best so many.")
    model: str | None = None
