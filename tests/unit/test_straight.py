"""The short way to an endpoint answers what the long way would, and leaves to it what is wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel
from starlette.types import Message

from service.routes import embeddings, items, query
from service.routes.asking import GIVERS, StrictRequest
from service.routes.straight import LONGEST, Straight


class Body(BaseModel):
    word: str


async def _who(request: Request) -> str:
    return str(request.scope["who"])


async def _stranger(request: Request) -> str:
    raise AssertionError(request)


Who = Annotated[str, Depends(_who)]


async def told(name: str, body: Body, who: Who) -> Response:
    return Response(f"{name} {body.word} {who}")


async def searched(name: str, body: Body, k: Annotated[int, Query()]) -> Response:
    raise AssertionError(name, body, k)


async def strange(body: Body, who: Annotated[str, Depends(_stranger)]) -> Response:
    raise AssertionError(body, who)


async def modelled(body: Body) -> Body:
    raise AssertionError(body)


async def bare(name: str) -> Response:
    raise AssertionError(name)


def to(endpoint: Any) -> Straight | None:
    return Straight.to(endpoint, ["name"], {_who})


def answered(
    content: bytes, kind: str = "application/json", *, is_gone: bool = False
) -> str | None:
    """What the endpoint `told` says to a request; None where it is left to the long way."""

    async def receive() -> Message:
        if is_gone:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": content, "more_body": False}

    scope = {
        "type": "http",
        "headers": [(b"content-type", kind.encode())],
        "path_params": {"name": "photos"},
        "who": "ada",
    }
    way = to(told)
    assert way is not None
    response = asyncio.run(way.response(StrictRequest(scope, receive)))
    return None if response is None else bytes(response.body).decode()


def test_an_endpoint_is_called_with_names_body_and_what_it_is_given() -> None:
    assert answered(b'{"word": "snow"}') == "photos snow ada"
    assert answered(b'{"word": "snow"}', "Application/JSON; charset=utf-8") == "photos snow ada"


def test_what_is_wrong_is_left_to_the_long_way() -> None:
    assert answered(b'{"word": 1}') is None
    assert answered(b'{"word": "snow"') is None
    assert answered(b'{"word": "snow", "word2": NaN}') is None
    assert answered(b"") is None
    assert answered(b'{"word": "snow"}', "text/plain") is None
    assert answered(b'{"word": "snow"}', is_gone=True) is None


def test_a_long_body_is_left_to_the_long_way_and_not_read_twice() -> None:
    assert answered(json.dumps({"word": "a" * LONGEST}).encode()) is None


def test_endpoints_that_ask_for_anything_else_have_no_short_way() -> None:
    assert to(searched) is None  # a parameter behind the path
    assert to(strange) is None  # something that nobody here gives
    assert to(modelled) is None  # an answer that is held against a model
    assert to(bare) is None  # no body


def test_the_busiest_endpoints_have_a_short_way() -> None:
    for endpoint in (query.query, embeddings.embeddings):
        assert Straight.to(endpoint, ["collection"], GIVERS) is not None
    assert Straight.to(items.get_item, ["collection", "item_id"], GIVERS) is None
