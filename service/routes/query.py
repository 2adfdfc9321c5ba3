"""Find what is near: by text, picture, item, vector, or a mix of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import File, Form, Query, Response, UploadFile

from latent.items import Modality
from service import filters
from service.answers import QueryAnswer, WalkAnswer
from service.engine import phrases
from service.engine.parts import Part, Picture
from service.fetching.bodies import fetch_into
from service.guard.scopes import Scope, needs
from service.query import Answer, Mode, Question
from service.routes.asking import SearchDeskNow, router, told
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
    collection: str,
    desk: SearchDeskNow,
    q: Annotated[str, Query(description="What to look for.", examples=["a dog in the snow"])],
    k: int = 10,
    filter: Annotated[str | None, Query(description="A JSON object.")] = None,
    modality: Modality | None = None,
    cursor: str | None = None,
    with_vector: bool = False,
    explain: bool = False,
    mode: Mode = Mode.VECTOR,
    diversity: float | None = None,
    group_by: str | None = None,
    sort_by: str | None = None,
    pool: int | None = None,
    min_relevance: float | None = None,
) -> Response:
    """Search a collection by text, from a browser's address bar or curl.

    Terms may be weighted, as in `2:beach - people`.
    """
    question = Question(
        phrases.parse(q),
        k,
        filters.read(filter),
        modality,
        cursor,
        explain,
        mode=mode,
        diversity=diversity,
        group_by=group_by,
        sort_by=sort_by,
        pool=pool,
        min_relevance=min_relevance,
    )
    return await desk.searched(
        collection, lambda: question, lambda answer: _told(answer, with_vector=with_vector)
    )


@routes.post(
    "/v1/collections/{collection}/query/upload",
    response_model=QueryAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def query_upload(
    collection: str,
    desk: SearchDeskNow,
    image: Annotated[UploadFile, File(description="A picture.")],
    k: Annotated[int, Form()] = 10,
    filter: Annotated[str | None, Form(description="A JSON object.")] = None,
    modality: Annotated[Modality | None, Form()] = None,
    cursor: Annotated[str | None, Form()] = None,
    with_vector: Annotated[bool, Form()] = False,
    explain: Annotated[bool, Form()] = False,
    diversity: Annotated[float | None, Form()] = None,
    group_by: Annotated[str | None, Form()] = None,
    sort_by: Annotated[str | None, Form()] = None,
    pool: Annotated[int | None, Form()] = None,
    min_relevance: Annotated[float | None, Form()] = None,
) -> Response:
    """Search a collection by a picture that is sent as a file."""
    picture = Picture(await image.read(), image.filename or "image")
    question = Question(
        [Part(picture)],
        k,
        filters.read(filter),
        modality,
        cursor,
        explain,
        diversity=diversity,
        group_by=group_by,
        sort_by=sort_by,
        pool=pool,
        min_relevance=min_relevance,
    )
    return await desk.searched(
        collection, lambda: question, lambda answer: _told(answer, with_vector=with_vector)
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
