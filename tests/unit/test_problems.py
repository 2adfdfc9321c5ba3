"""Every error of the tree has a status, and looks the same from outside."""

from __future__ import annotations

import json

import pytest
from fastapi import Request

from latent.errors import NearfieldError, OverloadedError, UnreadableImageError
from service.problems import MEDIA_TYPE, STATUS, kind_of, kinds, on_nearfield_error
from service.web.reference import page


def every_class(cls: type[NearfieldError] = NearfieldError) -> list[type[NearfieldError]]:
    """The whole tree below a class."""
    return [cls, *(below for child in cls.__subclasses__() for below in every_class(child))]


TREE = [cls for cls in every_class() if cls.__module__ == "latent.errors"]


@pytest.fixture
def request_seven() -> Request:
    return Request({"type": "http", "headers": [], "state": {"request_id": "seven"}})


def made(cls: type[NearfieldError]) -> NearfieldError:
    """An error of the class with some message, whatever its constructor wants."""
    error = cls.__new__(cls)
    error.args = ("what happened",)
    if isinstance(error, OverloadedError):
        error.retry_after = 7
    return error


@pytest.mark.parametrize("cls", TREE)
def test_every_error_of_the_tree_is_in_the_table_itself(cls: type[NearfieldError]) -> None:
    assert cls in STATUS


@pytest.mark.parametrize("cls", TREE)
def test_every_error_becomes_a_problem(cls: type[NearfieldError], request_seven: Request) -> None:
    response = on_nearfield_error(request_seven, made(cls))
    status, title = STATUS[cls]
    assert response.status_code == status
    assert response.headers["content-type"] == MEDIA_TYPE
    assert json.loads(bytes(response.body)) == {
        "type": f"/docs#problem-{cls.code}",
        "title": title,
        "status": status,
        "detail": "what happened",
        "code": cls.code,
        "request_id": "seven",
    }


def test_the_statuses_are_those_of_the_house() -> None:
    assert {cls.__name__: status for cls, (status, _) in STATUS.items()} == {
        "NearfieldError": 500,
        "InputError": 400,
        "UnreadableImageError": 422,
        "ImageTooLargeError": 413,
        "FetchError": 422,
        "UnsupportedMediaError": 415,
        "UnknownItemError": 404,
        "UnknownCollectionError": 404,
        "UnknownConceptError": 404,
        "MissingKeyError": 404,
        "SourceMissingError": 404,
        "FilterError": 400,
        "SpaceMismatchError": 409,
        "ModelUnavailableError": 503,
        "StoreError": 503,
        "NewerCatalogError": 503,
        "StorageFullError": 507,
        "AccessError": 403,
        "UnknownKeyError": 401,
        "NotAllowedError": 403,
        "OverloadedError": 503,
        "RateLimitError": 429,
    }


def test_an_overload_says_when_to_come_back(request_seven: Request) -> None:
    response = on_nearfield_error(request_seven, OverloadedError("too much", retry_after=3))
    assert response.headers["retry-after"] == "3"


def test_a_class_below_the_table_gets_the_status_of_its_parent() -> None:
    class BlurredError(UnreadableImageError):
        code = "blurred"

    kind = kind_of(BlurredError("a.png", "all grey"))
    assert (kind.status, kind.code) == (422, "blurred")


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(codes) == len(set(codes))


def test_the_type_of_every_problem_leads_to_the_reference() -> None:
    shown = page({"info": {"title": "t", "version": "v"}, "paths": {}})
    for kind in kinds():
        assert f'id="problem-{kind.code}"' in shown
