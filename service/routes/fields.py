"""Questions in fields, as an address line or an upload has them: texts and no JSON.

They refuse fields they do not know. Knows nothing about how answers are found.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field

from latent.items import Modality
from service import filters
from service.engine.parts import Part
from service.query import Mode, Question


class SearchFields(BaseModel):
    """What a question says beside what it is about."""

    model_config = ConfigDict(extra="forbid")

    k: int = 10
    filter: str | None = Field(None, description="A JSON object.")
    modality: Modality | None = None
    cursor: str | None = None
    with_vector: bool = False
    explain: bool = False
    diversity: float | None = None
    group_by: str | None = None
    sort_by: str | None = None
    pool: int | None = None
    min_relevance: float | None = None

    def question(self, parts: Sequence[Part], mode: Mode = Mode.VECTOR) -> Question:
        """The question for the engine. Raises InputError."""
        return Question(
            parts,
            self.k,
            filters.read(self.filter),
            self.modality,
            self.cursor,
            self.explain,
            mode=mode,
            diversity=self.diversity,
            group_by=self.group_by,
            sort_by=self.sort_by,
            pool=self.pool,
            min_relevance=self.min_relevance,
        )


class SearchLine(SearchFields):
    """A search by words."""

    q: str = Field(description="What to look for.", examples=["a dog in the snow"])
    mode: Mode = Mode.VECTOR


class SearchUpload(SearchFields):
    """A search by a picture."""

    image: UploadFile = Field(description="A picture.")
