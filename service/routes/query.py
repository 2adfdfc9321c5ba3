"""Find what is near: by text, picture, item, vector, or a mix of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Query, Response

from service.answers import QueryAnswer, WalkAnswer
from service.engine import phrases
from service.engine.parts import Part, Picture
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.query import Answer
from service.routes.asking import SearchDeskNow, router, told
from service.routes.fields import SearchLine, SearchUpload
from service.schemas import QueryBody, WalkBody

routes = router("search")


@routes.post(
    "/v1/collections/{collection}/query",
    response_model=QueryAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def query(collection: str, body: QueryBody, desk: SearchDeskNow) -> Response:
    """Search a collection; `score` is the cosine, higher is closer.

    `relevance` is how surely a hit is what was meant; where nothing is, `match` is false. An item
    named in the query is not among the hits.
    """
    await fetch_into(body, desk.fetcher)
    await desk.see_map(collection, [body.area])
    return await desk.searched(
        collection, body.question, lambda answer: _told(answer, with_vector=body.with_vector)
    )


@routes.get(
    "/v1/collections/{collection}/search",
    response_model=QueryAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def search(
    collection: str, asked: Annotated[SearchLine, Query()], desk: SearchDeskNow
) -> Response:
    """Search a collection by text, from a browser's address bar or curl.

    Terms may be weighted, as in `2:beach - people`.
    """
    question = asked.question(phrases.parse(asked.q), asked.mode)
    return await desk.searched(
        collection, lambda: question, lambda answer: _told(answer, with_vector=asked.with_vector)
    )


@routes.post(
    "/v1/collections/{collection}/query/upload",
    response_model=QueryAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def query_upload(
    collection: str,
    asked: Annotated[SearchUpload, Form(media_type="multipart/form-data")],
    desk: SearchDeskNow,
) -> Response:
    """Search a collection by a picture that is sent as a file."""
    picture = Picture(await asked.image.read(), asked.image.filename or "image")
    question = asked.question([Part(picture)])
    return await desk.searched(
        collection, lambda: question, lambda answer: _told(answer, with_vector=asked.with_vector)
    )


@routes.post(
    "/v1/collections/{collection}/walk",
    response_model=WalkAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def walk(collection: str, body: WalkBody, desk: SearchDeskNow) -> WalkAnswer:
    """Walk from one thing to another by what is near the way between them.

    No item occurs twice.
    """
    await fetch_into(body, desk.fetcher)
    asked = await desk.run(body.walk)
    return WalkAnswer.of(await desk.walk(collection, asked), with_vector=body.with_vector)


def _told(answer: Answer, *, with_vector: bool) -> Response:
    return told(QueryAnswer.fields_of(answer, with_vector=with_vector))
