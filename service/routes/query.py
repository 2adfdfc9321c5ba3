"""Find what is near: by text, picture, item, vector, or a mix of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import File, Form, Query, UploadFile

from latent.items import Modality
from service import filters
from service.answers import QueryAnswer
from service.parts import Part, Picture, Text
from service.query import Question
from service.routes.asking import SearchDeskNow, router
from service.schemas import QueryBody

routes = router("search")


@routes.post(
    "/v1/collections/{collection}/query",
    response_model=QueryAnswer,
    response_model_exclude_unset=True,
)
async def query(collection: str, body: QueryBody, desk: SearchDeskNow) -> QueryAnswer:
    """Search a collection; `score` is the cosine, higher is closer.

    An item named in the query is not among the hits.
    """
    question = await desk.run(body.question, body.cursor)
    answer = await desk.search(collection, question)
    return QueryAnswer.of(answer, with_vector=body.with_vector)


@routes.get(
    "/v1/collections/{collection}/search",
    response_model=QueryAnswer,
    response_model_exclude_unset=True,
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
) -> QueryAnswer:
    """Search a collection by text, from a browser's address bar or curl."""
    question = Question([Part(Text(q))], k, filters.read(filter), modality, cursor)
    return QueryAnswer.of(await desk.search(collection, question), with_vector=with_vector)


@routes.post(
    "/v1/collections/{collection}/query/upload",
    response_model=QueryAnswer,
    response_model_exclude_unset=True,
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
) -> QueryAnswer:
    """Search a collection by a picture that is sent as a file."""
    picture = Picture(await image.read(), image.filename or "image")
    question = Question([Part(picture)], k, filters.read(filter), modality, cursor)
    return QueryAnswer.of(await desk.search(collection, question), with_vector=with_vector)
