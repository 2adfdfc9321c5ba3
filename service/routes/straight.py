"""The short way to an endpoint: for those that take one JSON body and names in their path.

For each request FastAPI finds out anew what an endpoint is called with, which takes as long as a
small search. Here that is known from the beginning. Whatever is not as it should be goes the long
way, so that FastAPI says what is wrong with it. Knows nothing about single routes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from inspect import isclass
from typing import Any, get_args, get_type_hints

from fastapi import Request, Response
from fastapi.params import Depends
from opentelemetry import trace
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

Given = Callable[[Request], Awaitable[Any]]
"""What gives an endpoint something of this request."""

LONGEST = 1_000_000  # bytes of a body; what is read for longer gains nothing, and is read once


@dataclass(frozen=True, slots=True)
class Straight:
    """How an endpoint is called: names in its path, its body by name, and what else it is given."""

    endpoint: Callable[..., Awaitable[Response]]
    names: tuple[str, ...]
    body: tuple[str, type[BaseModel]]
    given: Mapping[str, Given]

    @classmethod
    def to(
        cls, endpoint: Callable[..., Any], names: Collection[str], givers: Collection[Given]
    ) -> Straight | None:
        """The short way to an endpoint; None where it asks for anything else.

        `names` are those in its path; `givers` are what may give it something.
        """
        asked = get_type_hints(endpoint, include_extras=True)
        if asked.pop("return", None) is not Response:
            return None
        in_path: list[str] = []
        bodies: list[tuple[str, type[BaseModel]]] = []
        given: dict[str, Given] = {}
        for name, kind in asked.items():
            if kind is str and name in names:
                in_path.append(name)
            elif isclass(kind) and issubclass(kind, BaseModel):
                bodies.append((name, kind))
            elif (giver := _giver_in(kind)) in givers and giver is not None:
                given[name] = giver
            else:
                return None
        return cls(endpoint, tuple(in_path), bodies[0], given) if len(bodies) == 1 else None

    async def response(self, request: Request) -> Response | None:
        """What the endpoint answers; None where the request is not plainly what it takes."""
        kind = request.headers.get("content-type", "").partition(";")[0]
        if kind.strip().lower() != "application/json" or _is_traced():
            return None
        name, model = self.body
        try:
            if len(await request.body()) > LONGEST:
                return None
            body = model.model_validate(await request.json())
        except (json.JSONDecodeError, ValidationError, ClientDisconnect):
            return None
        asked: dict[str, Any] = {one: request.path_params[one] for one in self.names}
        asked[name] = body
        for other, giver in self.given.items():
            asked[other] = await giver(request)
        return await self.endpoint(**asked)


def _giver_in(kind: object) -> Given | None:
    found = [one.dependency for one in get_args(kind) if isinstance(one, Depends)]
    return found[0] if found else None


def _is_traced() -> bool:
    """Whether somebody follows this request: FastAPI tells each of its steps."""
    return trace.get_current_span().is_recording()
