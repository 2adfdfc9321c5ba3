"""Bodies of requests that compare things with each other, and need no collection.

Each has an example that works as it stands. Knows nothing about collections and how answers are
found.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, StrictFloat, StrictInt

from service.checks.matching import Wanted
from service.checks.tiers import Tier
from service.schemas import DOT, ThingForm, example


class EmbeddingsBody(BaseModel):
    """Vectors of texts and pictures, in OpenAI's form."""

    model_config = example(model="mini", input=["a dog in the snow", {"image": DOT}])

    input: ThingForm | list[ThingForm]
    model: str | None = Field(None, description="A model that is served here.")
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="base64: the bytes of little-endian float32 numbers."
    )
    dimensions: StrictInt | None = Field(None, description="If given, must be that of the model.")
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
    threshold: StrictFloat | None = Field(None, ge=-1, le=1, description="Least cosine of a match.")
    least: Tier | None = Field(None, description="Least tier of a match.")
    min_relevance: StrictFloat | None = Field(
        None, ge=0, le=1, description="Least relevance of a match; not for every model."
    )
    model: str | None = None

    def wanted(self) -> Wanted:
        """What is asked of a match."""
        return Wanted(self.threshold, self.least, self.min_relevance)


class ClassifyBody(BaseModel):
    """Which of some labels fits each input, or none of them?"""

    model_config = example(inputs=[{"image": DOT}, "a green thing"], labels=["red", "green"])

    inputs: list[ThingForm]
    labels: list[str] = Field(description="Two at least, each once.")
    templates: list[str] | None = Field(
        None, description="Sentences with {} in the place of the label; there are default ones."
    )
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
    top_n: StrictInt | None = Field(None, ge=1, description="Only the best so many.")
    min_relevance: StrictFloat | None = Field(
        None, ge=0, le=1, description="Less relevant documents are left out; not for every model."
    )
    model: str | None = None
