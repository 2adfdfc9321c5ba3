"""Two ASGI apps made of the same routers: search (everything) and similarity (stateless).

Nothing is opened when an app is made; its lifespan opens late and closes always.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from opentelemetry.trace import TracerProvider
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from latent import __version__
from latent.errors import NearfieldError
from latent.settings import Settings
from service.entrance.middleware import Requests
from service.entrance.reception import Limits, Reception
from service.entrance.turnstile import Shed, Turnstile
from service.fetching.fetch import Fetcher
from service.guard.guard import Guard
from service.guard.headers import Shielded, allowed_origins
from service.guard.scopes import SCHEMES
from service.problems import (
    MEDIA_TYPE,
    on_http_exception,
    on_invalid_request,
    on_nearfield_error,
)
from service.routes import (
    check,
    classify,
    collections,
    concepts,
    duplicates,
    embeddings,
    explain,
    facets,
    failures,
    groups,
    health,
    items,
    keys,
    maps,
    models,
    queries,
    query,
    rerank,
    similarity,
    thumbnails,
)
from service.routes.pages import page_routes
from service.seen.metrics import Metrics
from service.seen.tracing import finish, provider_of, telemetry
from service.state import State, open_search_state, open_similarity_state
from service.web.files import page_files
from service.web.reference import page

SIMILARITY_ROUTES = [
    module.routes for module in (embeddings, similarity, classify, rerank, models, health)
]
SEARCH_ROUTES = [
    *(module.routes for module in (query, queries, check, duplicates, items, collections)),
    *(module.routes for module in (facets, thumbnails, maps, groups, explain, concepts)),
    *(module.routes for module in (failures, keys)),
    *SIMILARITY_ROUTES,
]


class Lived(TypedDict):
    """What requests find in `request.state`."""

    service: State
    guard: Guard
    fetcher: Fetcher
    turnstile: Turnstile


OpenState = Callable[[Metrics], AbstractAsyncContextManager[State]]


def search_app(settings: Settings, *, shared: Path | None = None) -> FastAPI:
    """Everything: collections, items, search, and what the similarity app has."""
    return create_app(
        partial(open_search_state, settings),
        settings,
        [*SEARCH_ROUTES, page_routes(page_files())],
        title="Nearfield",
        shared=shared,
    )


def similarity_app(settings: Settings, *, shared: Path | None = None) -> FastAPI:
    """Embeddings, similarity and rerank; needs no catalog and no data folder."""
    return create_app(
        partial(open_similarity_state, settings),
        settings,
        SIMILARITY_ROUTES,
        title="Nearfield similarity",
        shared=shared,
    )


def create_app(
    open_state: OpenState,
    settings: Settings,
    routers: Sequence[APIRouter],
    *,
    title: str,
    fetcher: Fetcher | None = None,
    tracer: TracerProvider | None = None,
    shared: Path | None = None,
) -> FastAPI:
    """An app of these routers, whose lifespan holds what `open_state` opens.

    Args:
        fetcher: of pictures at URLs; by default the one that the settings ask for.
        tracer: takes the spans of requests; by default the one that the settings ask for.
        shared: a folder of what several processes count together, where there are several.
    """
    metrics = Metrics(shared)
    tracer = tracer or provider_of(settings)
    guard = Guard.of(settings, shared=shared)
    fetcher = fetcher or Fetcher.of(settings)
    shed = Shed(metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Lived]:
        async with open_state(metrics) as state:
            try:
                turnstile = Turnstile(state.door, shed=shed, metrics=metrics)
                yield {
                    "service": state,
                    "guard": guard,
                    "fetcher": fetcher,
                    "turnstile": turnstile,
                }
            finally:
                await asyncio.to_thread(finish, tracer)

    app = FastAPI(
        title=title,
        version=__version__,
        description="Semantic search for images and texts: what is near in one latent space.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=telemetry(tracer),
    )
    # The last one added is the outermost: it sees what the others refuse.
    app.add_middleware(Reception, limits=Limits(settings.max_body_bytes), shed=shed)
    app.add_middleware(Requests, metrics=metrics)
    if origins := allowed_origins(settings):
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(Shielded)
    app.add_exception_handler(NearfieldError, on_nearfield_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, partial(_on_http_exception, routers))
    for routes in routers:  # as they are: an included router is gone through twice a request
        app.router.routes.extend(routes.routes)
    _add_reference(app, is_front=not any(one.path == "/" for one in _routes_of(routers)))
    return app


def _on_http_exception(
    routers: Sequence[APIRouter], request: Request, error: Exception
) -> Response:
    """Told as a problem; one about the method names all that there are here (RFC 9110, 15.5.6)."""
    response = on_http_exception(request, error)
    if response.status_code == 405:
        here = [one for one in _routes_of(routers) if one.path_regex.match(request.scope["path"])]
        methods = {
            method for one in here if one.path == here[0].path for method in one.methods or ()
        }
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response


def _routes_of(routers: Sequence[APIRouter]) -> list[APIRoute]:
    return [one for some in routers for one in some.routes if isinstance(one, APIRoute)]


def _add_reference(app: FastAPI, *, is_front: bool) -> None:
    """The pages at /openapi.json and /docs; `is_front`: the way in leads there."""
    document = partial(_document, app, {})
    app.openapi = document  # type: ignore[method-assign]

    if is_front:

        @app.get("/", include_in_schema=False)
        async def front() -> RedirectResponse:
            return RedirectResponse("/docs")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        return HTMLResponse(page(document()), headers={"Content-Security-Policy": policy})


def _document(app: FastAPI, kept: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document, made once; problems have the media type they are sent with."""
    if not kept:
        kept.update(
            get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
        )
        kept["components"]["securitySchemes"] = SCHEMES
        for operations in kept["paths"].values():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    if status in ("4XX", "5XX"):
                        response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
    return kept
