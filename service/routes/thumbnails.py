"""What does an item look like, small?"""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query, Response

from service.explore.thumbnails import SIZES
from service.guard.scopes import Scope, needs
from service.routes.asking import SearchDeskNow, router

routes = router("explore")

WEBP = "image/webp"


@routes.get(
    "/v1/collections/{collection}/thumbnails/{id:path}",
    response_class=Response,
    responses={200: {"content": {WEBP: {}}, "description": "A WebP picture."}},
    openapi_extra=needs(Scope.READ),
)
async def thumbnail(
    collection: str,
    id: str,
    desk: SearchDeskNow,
    size: Annotated[
        int, Query(ge=1, le=SIZES[-1], description="Pixels of the longer side, at least.")
    ] = 256,
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """A small WebP of a picture, made once and kept; texts have none."""
    made = await desk.run(desk.state.explorer.thumbnail, collection, id, size)
    # Of an item that is put anew another picture is shown, so browsers ask again, for a few bytes.
    headers = {"ETag": f'"{made.mark}"', "Cache-Control": "private, no-cache"}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(made.content, media_type=WEBP, headers=headers)
