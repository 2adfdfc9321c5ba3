"""What routes are given: who asks, the desk of this request, how problems look in the document.

Knows nothing about single routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.types import Message, Receive, Scope, Send

from service import strict_json
from service.answers import Problem
from service.desk import Desk, SearchDesk
from service.guard.guard import Caller, Guard
from service.guard.scopes import need_of
from service.routes.straight import Straight
from service.state import SearchState, State

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "The caller can mend it."},
    "5XX": {"model": Problem, "description": "The service cannot do it now."},
}


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        return strict_json.read(await self.body())


class StrictRoute(APIRoute):
    """Lets nobody in who may not, before a body is read; reads bodies with `StrictRequest`.

    Takes the short way to endpoints that have one, past what FastAPI opens for each request.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._straight = Straight.to(self.endpoint, self.param_convertors, GIVERS)
        self._need = need_of(self.openapi_extra)

    def get_route_handler(self) -> Any:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Any:
            if "caller" not in request.scope["state"]:
                self._admit(request)
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._straight is None or scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        request = StrictRequest(scope, receive)
        self._admit(request)
        response = await self._straight.response(request)
        if response is not None:
            await response(scope, receive, send)
        else:
            await super().handle(scope, _again(request), send)

    def _admit(self, request: Request) -> None:
        guard: Guard = request.state.guard
        request.state.caller = guard.admit(request, self._need)


def _again(request: Request) -> Receive:
    """Gives the body of a request, which may have been read, and then what comes behind it."""
    is_given = False

    async def receive() -> Message:
        nonlocal is_given
        if is_given:
            return await request.receive()
        is_given = True
        return {"type": "http.request", "body": await request.body(), "more_body": False}

    return receive


def router(tag: str) -> APIRouter:
    """A router whose routes read JSON strictly and document their problems."""
    return APIRouter(tags=[tag], route_class=StrictRoute, responses=PROBLEMS)


def told(fields: Mapping[str, Any]) -> Response:
    """An answer as it is sent, from its fields.

    They are ours: holding them against the model of the answer would cost more than finding them.
    """
    try:
        content = orjson.dumps(fields, default=_fields_of)
    except TypeError:  # a number beyond 64 bits, say; this takes five times as long
        content = to_json(fields)
    return Response(content, media_type="application/json")


def _fields_of(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError


# All of them are coroutines: FastAPI gives anything else a thread.
async def _state(request: Request) -> State:
    state = request.state.service
    assert isinstance(state, State)
    return state


async def _desk(request: Request) -> Desk:
    return Desk(await _state(request), request.state.timings, request.state.fetcher)


async def _search_desk(request: Request) -> SearchDesk:
    state = request.state.service
    assert isinstance(state, SearchState)
    return SearchDesk(state, request.state.timings, request.state.fetcher)


async def _caller(request: Request) -> Caller:
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


CallerNow = Annotated[Caller, Depends(_caller)]
StateNow = Annotated[State, Depends(_state)]
DeskNow = Annotated[Desk, Depends(_desk)]
SearchDeskNow = Annotated[SearchDesk, Depends(_search_desk)]

GIVERS = frozenset({_state, _desk, _search_desk, _caller})
