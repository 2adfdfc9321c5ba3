"""The page for people at /, and the files it is made of. Everybody may read them."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from service.web.files import INDEX, POLICY, File


def page_routes(files: Mapping[str, File]) -> APIRouter:
    """Routes that send these files: the page itself at /, the others below /web."""
    routes = APIRouter()

    @routes.get("/", include_in_schema=False)
    async def front(request: Request) -> Response:
        """The page itself."""
        return _sent(request, files[INDEX])

    @routes.get("/web/{name}", include_in_schema=False)
    async def file(request: Request, name: str) -> Response:
        """A style, a module or an icon of the page."""
        if name not in files or name == INDEX:
            raise HTTPException(404)
        return _sent(request, files[name])

    return routes


def _sent(request: Request, found: File) -> Response:
    # Asked again each time, for a few bytes: after an update no old module meets a new one.
    headers = {"ETag": found.mark, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
    if request.headers.get("if-none-match") == found.mark:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)
