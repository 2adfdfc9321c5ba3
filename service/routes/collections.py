"""Collections: make, list, describe, switch, delete."""

from __future__ import annotations

from service.answers import CollectionAnswer, CollectionsAnswer, DeletedAnswer
from service.guard.scopes import Scope, needs
from service.routes.asking import CallerNow, SearchDeskNow, router
from service.schemas import CollectionBody

routes = router("collections")


@routes.get("/v1/collections", response_model=CollectionsAnswer, openapi_extra=needs(Scope.READ))
async def list_collections(desk: SearchDeskNow, caller: CallerNow) -> CollectionsAnswer:
    """All collections, by name; those that the key is for."""
    found = await desk.run(desk.state.store.collections)
    seen = [summary for summary in found if caller.may_see(summary.name)]
    return CollectionsAnswer(collections=[CollectionAnswer.of(summary) for summary in seen])


@routes.get(
    "/v1/collections/{collection}", response_model=CollectionAnswer, openapi_extra=needs(Scope.READ)
)
async def get_collection(collection: str, desk: SearchDeskNow) -> CollectionAnswer:
    """What a collection holds, and how it is searched."""
    found = await desk.collection(collection)
    return CollectionAnswer.of(await desk.run(found.summary))


@routes.put(
    "/v1/collections/{collection}",
    response_model=CollectionAnswer,
    openapi_extra=needs(Scope.ADMIN),
)
async def put_collection(
    collection: str, body: CollectionBody, desk: SearchDeskNow
) -> CollectionAnswer:
    """Make a collection, or get it if it is there with the same model.

    A collection keeps its model; naming another one is refused with 409. Its quantisation may be
    changed at any time; the next snapshot, which is made in the background, has it.
    """
    found = await desk.ensure(collection, body.model)
    if body.quantisation is not None:
        await desk.run(found.quantise, body.quantisation)
    return CollectionAnswer.of(await desk.run(found.summary))


@routes.post(
    "/v1/collections/{collection}/switch",
    response_model=CollectionsAnswer,
    openapi_extra=needs(Scope.ADMIN, of_all=True),
)
async def switch_collections(collection: str, other: str, desk: SearchDeskNow) -> CollectionsAnswer:
    """Let each of two collections go by the other's name, in one step.

    For a change of model without a pause; done again, it is undone.
    """
    store = desk.state.store
    await desk.run(store.switch, collection, other)
    found = [await desk.run(store.collection, name) for name in (collection, other)]
    summaries = [await desk.run(one.summary) for one in found]
    return CollectionsAnswer(collections=[CollectionAnswer.of(one) for one in summaries])


@routes.delete(
    "/v1/collections/{collection}", response_model=DeletedAnswer, openapi_extra=needs(Scope.ADMIN)
)
async def delete_collection(collection: str, desk: SearchDeskNow) -> DeletedAnswer:
    """Remove a collection with all its items."""
    await desk.run(desk.state.store.delete, collection)
    return DeletedAnswer(deleted=collection)
