"""Errors become `application/problem+json` (RFC 9457); the one table from error to HTTP status.

Knows nothing about routes; `app` installs the handlers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from latent import errors
from latent.items import JSON
from latent.models.places import without_places

MEDIA_TYPE = "application/problem+json"
MOST_PLACES = 20  # named in one problem; a bad vector has thousands


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its status, its stable code and what it is called."""

    status: int
    code: str
    title: str


STATUS: dict[type[errors.NearfieldError], tuple[int, str]] = {
    errors.NearfieldError: (500, "Something went wrong"),
    errors.InputError: (400, "The request cannot be carried out"),
    errors.UnreadableImageError: (422, "The picture cannot be read"),
    errors.ImageTooLargeError: (413, "Too large"),
    errors.FetchError: (422, "The picture cannot be fetched"),
    errors.UnsupportedMediaError: (415, "Not a kind of input that is taken here"),
    errors.UnknownItemError: (404, "No such item"),
    errors.UnknownCollectionError: (404, "No such collection"),
    errors.UnknownConceptError: (404, "No such concept"),
    errors.MissingKeyError: (404, "No such key"),
    errors.SourceMissingError: (404, "A file or folder is not there"),
    errors.FilterError: (400, "The filter cannot be understood"),
    errors.SpaceMismatchError: (409, "Two spaces do not mix"),
    errors.ModelUnavailableError: (503, "The model is not available"),
    errors.StoreError: (503, "The store failed"),
    errors.NewerCatalogError: (503, "The catalog is of a newer version"),
    errors.StorageFullError: (507, "No room left"),
    errors.AccessError: (403, "Not let in"),
    errors.UnknownKeyError: (401, "A key is needed"),
    errors.NotAllowedError: (403, "Not with this key"),
    errors.OverloadedError: (503, "Too much work at once"),
    errors.RateLimitError: (429, "Too many requests"),
}
"""Every class of the error tree, its HTTP status and its title."""

INTERNAL = Kind(500, "internal", "An error of ours")
NOT_READY = Kind(503, "not_ready", "Not ready yet")
WEB = (
    Kind(404, "not_found", "Nothing is here"),
    Kind(405, "method_not_allowed", "Not with this method"),
    Kind(408, "request_timeout", "Too slow"),
)
"""Problems of the web alone, which the error tree does not know."""


def kinds() -> list[Kind]:
    """Every kind of problem there is, for the reference."""
    tree = [Kind(status, cls.code, title) for cls, (status, title) in STATUS.items()]
    return [*tree, *WEB, NOT_READY, INTERNAL]


def kind_of(error: errors.NearfieldError) -> Kind:
    """The kind of a problem: that of the nearest class in the table."""
    cls = next(cls for cls in type(error).__mro__ if cls in STATUS)
    status, title = STATUS[cls]
    return Kind(status, error.code, title)


def problem(
    kind: Kind,
    detail: str,
    request_id: str,
    *,
    errors: Sequence[JSON] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response to a request that met such a problem."""
    content = told(kind, detail, request_id, errors=errors)
    return Response(content, kind.status, headers, MEDIA_TYPE)


def told(
    kind: Kind, detail: str, request_id: str, *, errors: Sequence[JSON] | None = None
) -> bytes:
    """What such a response says: `type` leads to the reference of the running service."""
    content: dict[str, JSON] = {
        "type": f"/docs#problem-{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": kind.code,
        "request_id": request_id,
    }
    if errors is not None:
        content["errors"] = list(errors)
    # ASCII only: a detail may quote text that has no UTF-8, such as half a surrogate pair.
    return json.dumps(content).encode()


def on_nearfield_error(request: Request, error: Exception) -> Response:
    """An error of the tree: its class decides the status."""
    assert isinstance(error, errors.NearfieldError)
    headers = {}
    if isinstance(error, errors.OverloadedError):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.UnknownKeyError):
        headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 15.5.2: a 401 says how to do better
    # Of an input error all is the caller's own.
    is_theirs = isinstance(error, errors.InputError)
    detail = str(error) if is_theirs else without_places(str(error))
    return problem(kind_of(error), detail, request_id_of(request), headers=headers)


def on_invalid_request(request: Request, error: Exception) -> Response:
    """A body or a parameter of another form than the schema's: 400, naming each place."""
    assert isinstance(error, RequestValidationError)
    found = [_place(given) for given in error.errors()]
    # Where several forms are allowed, the mistake is in the one that fits furthest.
    worst = max(found, key=lambda place: place["where"].count("."))
    detail = f"{worst['where']}: {worst['message']}"
    kind = kind_of(errors.InputError(detail))
    named: list[JSON] = [dict(place) for place in found[:MOST_PLACES]]
    return problem(kind, detail, request_id_of(request), errors=named)


def on_http_exception(request: Request, error: Exception) -> Response:
    """What the web framework refused by itself: no such route, no such method."""
    assert isinstance(error, HTTPException)
    kind = {
        **{kind.status: kind for kind in WEB},
        400: kind_of(errors.InputError()),
        413: kind_of(errors.ImageTooLargeError()),
    }.get(error.status_code)
    if kind is None:
        phrase = HTTPStatus(error.status_code).phrase
        kind = Kind(error.status_code, phrase.lower().replace(" ", "_"), phrase)
    return problem(kind, str(error.detail), request_id_of(request), headers=error.headers)


def request_id_of(request: Request) -> str:
    """The id that the middleware gave this request."""
    return str(getattr(request.state, "request_id", ""))


def _place(given: Mapping[str, object]) -> dict[str, str]:
    """One place of a request that is not as it should be; what was sent is not repeated."""
    location = given.get("loc")
    steps = location if isinstance(location, tuple) else ()
    # Where a value may have several forms, pydantic names the form as a step; `list[float]` is none
    # that anybody has sent.
    where = ".".join(str(step) for step in steps if not str(step).startswith("list["))
    where = where if len(where) <= 100 else f"{where[:100]}…"
    message = str(given.get("msg", ""))
    context = given.get("ctx")
    if given.get("type") == "json_invalid" and isinstance(context, Mapping):
        where, message = "body", f"not valid JSON: {context.get('error')}"
    return {"where": where, "message": message, "type": str(given.get("type"))}
