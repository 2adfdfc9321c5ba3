"""Which files could not be read, why, and when they were tried last."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from latent.collection import Collection
from latent.items import Source
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router

routes = router("administration")


class FailureAnswer(BaseModel):
    """A file, or a row of a manifest, that could not be read."""

    uri: str
    reason: str
    code: str | None
    at: str | None = Field(description="When it was tried last; null if an older version did.")

    @classmethod
    def of(cls, source: Source) -> FailureAnswer:
        path, at = PurePath(source.path), source.failed_at
        return cls(
            uri=source.uri or path.name,
            reason=str(source.failure).replace(f"{path.parent}/", ""),  # places stay on the machine
            code=source.code,
            at=None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
        )


class FailuresAnswer(BaseModel):
    """Some of the files that could not be read, by their place, and how many there are."""

    collection: str
    count: int
    failed: list[FailureAnswer]


@routes.get(
    "/v1/collections/{collection}/failures",
    response_model=FailuresAnswer,
    openapi_extra=needs(Scope.ADMIN),
)
async def failures(
    collection: str,
    desk: SearchDeskNow,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000, description="How many to pass over.")] = 0,
) -> FailuresAnswer:
    """Files that the indexer could not read; one that can be read by now, or is gone, is not here.

    `offset` passes over so many, for the next page.
    """
    return await desk.run(_answer, await desk.collection(collection), limit, offset)


def _answer(collection: Collection, limit: int, offset: int) -> FailuresAnswer:
    found = collection.failures(limit, offset)
    return FailuresAnswer(
        collection=collection.name,
        count=collection.summary().failed,
        failed=[FailureAnswer.of(source) for source in found],
    )
