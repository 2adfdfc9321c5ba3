"""Live items: put, upload, get, delete, scroll, count. The next query sees what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import File, Form, UploadFile

from latent.collection import Collection
from latent.errors import InputError
from latent.filters.language import Filter
from latent.items import JSON
from service import live, strict_json
from service.answers import (
    CountAnswer,
    DeletedAnswer,
    ItemAnswer,
    ItemOutcome,
    ItemsAnswer,
    ScrollAnswer,
)
from service.desk import SearchDesk
from service.engine import cursors
from service.explore.narrowing import narrowed
from service.guard.scopes import Scope, needs
from service.live import Given
from service.routes.asking import SearchDeskNow, router
from service.schemas import CountBody, Id, ItemsBody, ScrollBody

routes = router("items")


@routes.put(
    "/v1/collections/{collection}/items",
    response_model=ItemsAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.WRITE),
)
async def put_items(collection: str, body: ItemsBody, desk: SearchDeskNow) -> ItemsAnswer:
    """Store items, replacing those of the same id, in one transaction.

    An item that cannot be stored is `failed`, with the reason, and keeps no other from being
    stored. One that is stored already, with the same content and metadata, is `unchanged`, and
    nothing is embedded for it.
    """
    given = await live.fetched(desk, [item.given() for item in body.items])
    return _answer(await live.put(desk, collection, given))


@routes.post(
    "/v1/collections/{collection}/items/upload",
    response_model=ItemsAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.WRITE),
)
async def upload_items(
    collection: str,
    desk: SearchDeskNow,
    files: Annotated[list[UploadFile], File(description="Pictures.")],
    ids: Annotated[
        list[Id] | None, Form(description="One for each file; made from its bytes if left out.")
    ] = None,
    metadata: Annotated[str | None, Form(description="A JSON object, for all of them.")] = None,
) -> ItemsAnswer:
    """Store pictures that are sent as files."""
    shared = _object(metadata)
    if ids and len(ids) != len(files):
        raise InputError(f"there are {len(files)} files but {len(ids)} ids")
    desk.require_few(files, "files")
    contents = [await file.read() for file in files]
    names = [file.filename for file in files]
    given = await desk.run(_given, contents, names, ids, shared)
    return _answer(await live.put(desk, collection, given))


@routes.post(
    "/v1/collections/{collection}/items/scroll",
    response_model=ScrollAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def scroll(collection: str, body: ScrollBody, desk: SearchDeskNow) -> ScrollAnswer:
    """Read a collection page by page, in order of arrival."""
    await desk.see_map(collection, [body.area])
    found = await desk.collection(collection)
    where = await desk.run(_narrowed, desk, found, body)
    corners: list[JSON] = [list(corner) for corner in body.area or ()]
    asked: list[JSON] = [dict(body.filter or {}), dict(body.concepts or {}), corners]
    mark = cursors.fingerprint(["scroll", found.name, body.modality, *asked])
    after = _left_off(body.cursor, mark) if body.cursor is not None else None
    items = await desk.run(
        found.scroll, body.limit + 1, after=after, where=where, modality=body.modality
    )
    page = items[: body.limit]
    return ScrollAnswer(
        items=[ItemAnswer.of(item, with_vector=body.with_vector) for item in page],
        cursor=cursors.write(mark, page[-1].id) if len(items) > len(page) else None,
    )


@routes.post(
    "/v1/collections/{collection}/items/count",
    response_model=CountAnswer,
    openapi_extra=needs(Scope.READ),
)
async def count(collection: str, body: CountBody, desk: SearchDeskNow) -> CountAnswer:
    """How many items match."""
    await desk.see_map(collection, [body.area])
    found = await desk.collection(collection)
    where = await desk.run(_narrowed, desk, found, body)
    number = await desk.run(found.count, where=where, modality=body.modality)
    return CountAnswer(count=number)


@routes.get(
    "/v1/collections/{collection}/items/{id:path}",
    response_model=ItemAnswer,
    response_model_exclude_unset=True,
    openapi_extra=needs(Scope.READ),
)
async def get_item(
    collection: str, id: str, desk: SearchDeskNow, with_vector: bool = False
) -> ItemAnswer:
    """One item."""
    found = await desk.collection(collection)
    (item,) = await desk.run(found.get, [id])
    return ItemAnswer.of(item, with_vector=with_vector)


@routes.delete(
    "/v1/collections/{collection}/items/{id:path}",
    response_model=DeletedAnswer,
    openapi_extra=needs(Scope.WRITE),
)
async def delete_item(collection: str, id: str, desk: SearchDeskNow) -> DeletedAnswer:
    """Remove one item."""
    await live.drop(desk, collection, id)
    return DeletedAnswer(deleted=id)


def _narrowed(
    desk: SearchDesk, collection: Collection, body: ScrollBody | CountBody
) -> Filter | None:
    surveys = desk.state.explorer.surveys
    return narrowed(surveys, collection, body.filter, least=body.concepts, area=body.area)


def _left_off(cursor: str, mark: str) -> str:
    """The id of the last item of the page before."""
    position = cursors.read(cursor, mark).position
    if not isinstance(position, str):
        raise cursors.not_ours()
    return position


def _answer(done: tuple[Sequence[live.Outcome], int]) -> ItemsAnswer:
    outcomes, sequence = done
    items = [ItemOutcome.of(outcome) for outcome in outcomes]
    return ItemsAnswer(items=items, sequence=sequence)


def _given(
    contents: Sequence[bytes],
    names: Sequence[str | None],
    ids: Sequence[str] | None,
    metadata: Mapping[str, JSON],
) -> list[Given]:
    return [
        Given(
            id=ids[i] if ids else hashlib.sha256(content).hexdigest()[:16],
            image=content,
            uri=names[i] or None,
            metadata=metadata,
        )
        for i, content in enumerate(contents)
    ]


def _object(text: str | None) -> Mapping[str, JSON]:
    if not text:
        return {}
    try:
        read = strict_json.read(text)
    except ValueError as error:
        raise InputError(f"metadata is not valid JSON: {error}") from error
    if not isinstance(read, dict):
        raise InputError("metadata must be a JSON object")
    return read
