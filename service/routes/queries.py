"""Many questions in one request, for those who ask in bulk."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from service.answers import ErrorAnswer, QueryAnswer
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.live import as_error
from service.query import Answer, Refusal
from service.routes.asking import SearchDeskNow, router, told
from service.schemas import QueryBody, example
from service.together import Asked, answered

routes = router("search")


class QueriesBody(BaseModel):
    """Many questions, each as `/query` takes it."""

    model_config = example(queries=[{"query": "a dog in the snow", "k": 3}, {"query": "a cat"}])

    queries: list[QueryBody] = Field(description="Up to the limit in the settings.")


class RefusedAnswer(BaseModel):
    """In the place of an answer: what is wrong with that question."""

    error: ErrorAnswer


class QueriesAnswer(BaseModel):
    """One answer for each question, in their order."""

    answers: list[QueryAnswer | RefusedAnswer]


@routes.post(
    "/v1/collections/{collection}/queries",
    response_model=QueriesAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def queries(collection: str, body: QueriesBody, desk: SearchDeskNow) -> Response:
    """Search a collection for many questions at once; each is answered as `/query` would.

    Texts are placed in batches. A question that cannot be asked has an `error` in its place.
    """
    desk.require_few(body.queries, "queries")
    await fetch_into(body, desk.fetcher)
    await desk.see_map(collection, [one.area for one in body.queries])
    asked = [Asked(one.question, _shaped(one)) for one in body.queries]
    return told({"answers": await answered(desk, collection, asked, _refused)})


def _shaped(asked: QueryBody) -> Any:
    def shaped(answer: Answer) -> dict[str, Any]:
        return QueryAnswer.fields_of(answer, with_vector=asked.with_vector)

    return shaped


def _refused(error: Refusal) -> dict[str, Any]:
    return {"error": as_error(error)}
