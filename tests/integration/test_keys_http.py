"""Keys over HTTP: every endpoint asks for one, and for the scope it says."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from latent.settings import Settings
from nearfield import main
from service.app import SEARCH_ROUTES, SIMILARITY_ROUTES, search_app, similarity_app
from service.guard.keyring import Keyring
from service.guard.keys import new_key
from service.guard.scopes import Scope, declares
from service.routes.pages import page_routes
from service.web.files import page_files

QUERY = "/v1/collections/main/query"
PAGES = {"/", "/docs", "/openapi.json"}
"""What everybody may read: it is the same for all, and in the source anyway."""


def given(settings: Settings, scope: Scope, *collections: str, rate: str | None = None) -> str:
    """A key that the service knows."""
    name = f"key-{len(Keyring.of(settings).keys())}"
    key, secret = new_key(name, scope, collections=collections, rate=rate)
    Keyring.of(settings).add(key)
    return secret


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def public(settings: Settings) -> Settings:
    return settings.model_copy(update={"host": "0.0.0.0"})


@pytest.fixture
def admin(settings: Settings) -> dict[str, str]:
    return bearer(given(settings, Scope.ADMIN))


@pytest.fixture
def client(public: Settings, admin: dict[str, str]) -> Iterator[TestClient]:
    """A service that other machines can reach, with two collections."""
    with TestClient(search_app(public)) as opened:
        for name in ("main", "other"):
            opened.put(f"/v1/collections/{name}", json={}, headers=admin).raise_for_status()
        items = {"items": [{"id": "a", "text": "a red thing"}]}
        opened.put("/v1/collections/other/items", json=items, headers=admin).raise_for_status()
        yield opened


def problem(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    document = search_app(Settings(model="colours")).openapi()
    return [
        (method.upper(), path, operation)
        for path, by_method in document["paths"].items()
        for method, operation in by_method.items()
    ]


OPERATIONS = operations()


def filled(path: str, collection: str) -> str:
    """The path of a collection; whatever else it names is called `a`."""
    return re.sub(r"\{\w+\}", "a", path.replace("{collection}", collection))


GUARDED = [(method, path, one) for method, path, one in OPERATIONS if one.get("security") != []]


# --- every endpoint -----------------------------------------------------------------------------


def test_every_endpoint_declares_what_it_needs() -> None:
    for routes in SEARCH_ROUTES:
        for route in routes.routes:
            assert isinstance(route, APIRoute)
            assert declares(route.openapi_extra), f"{route.path}: say needs(…) or OPEN"


@pytest.mark.parametrize("make_app", [search_app, similarity_app])
def test_what_is_not_in_the_document_is_pages_alone(make_app: Any) -> None:
    app = make_app(Settings(model="colours"))
    pages = page_routes(page_files())
    routers = [*SEARCH_ROUTES, pages] if make_app is search_app else SIMILARITY_ROUTES
    listed = Counter(route.path for some in routers for route in some.routes)
    assert {route.path for route in pages.routes if isinstance(route, APIRoute)} == {
        "/",
        "/web/{name}",
    }
    # Each has a path: none is in another router, which would not be looked into here.
    beside = Counter(route.path for route in app.routes) - listed
    assert set(beside) <= PAGES
    assert len(app.routes) == beside.total() + listed.total()


def test_only_health_is_for_everybody() -> None:
    is_open = {path for _, path, one in OPERATIONS if one["security"] == []}
    assert is_open == {"/healthz", "/readyz"}


def test_no_endpoint_answers_without_a_key(client: TestClient) -> None:
    secret = "nf_00000000_" + "A" * 43
    for method, path, _ in GUARDED:
        where = filled(path, "main")
        for headers in ({}, bearer(secret), bearer(""), {"X-API-Key": secret}, {"X-API-Key": "ä"}):
            sent = {name.encode(): value.encode() for name, value in headers.items()}
            answer = client.request(method, where, headers=sent)
            assert problem(answer) == (401, "unknown_key"), (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"


def test_every_endpoint_needs_the_scope_it_declares(client: TestClient, settings: Settings) -> None:
    keys = {scope: bearer(given(settings, scope)) for scope in Scope}
    for method, path, operation in GUARDED:
        needed = Scope(operation["security"][0]["bearer"][0])
        assert operation["security"] == [{"bearer": [needed]}, {"key": [needed]}]
        where = filled(path, "none")
        for scope, headers in keys.items():
            answer = client.request(method, where, headers=headers)
            is_let_in = answer.status_code not in (401, 403)
            assert is_let_in == scope.allows(needed), (method, path, scope)
            assert answer.status_code != 500
            assert is_let_in or problem(answer) == (403, "not_allowed")


def test_a_key_of_one_collection_opens_no_other(client: TestClient, settings: Settings) -> None:
    """Nor can be told from the answer whether it is there."""
    headers = bearer(given(settings, Scope.ADMIN, "main"))
    for method, path, operation in GUARDED:
        if "{collection}" in path:
            answers = [
                client.request(method, filled(path, name), headers=headers)
                for name in ("other", "missing")
            ]
            assert [problem(one) for one in answers] == [(403, "not_allowed")] * 2
            details = [one.json()["detail"] for one in answers]
            assert details[0].replace("other", "missing") == details[1]
            continue
        answer = client.request(method, path, headers=headers)
        if operation.get("x-all-collections"):
            assert problem(answer) == (403, "not_allowed")
        else:
            assert answer.status_code not in (401, 403, 500)
            assert "other" not in answer.text


# --- keys ---------------------------------------------------------------------------------------


def test_both_headers_are_taken(client: TestClient, settings: Settings) -> None:
    key = given(settings, Scope.READ)
    basic = {"Authorization": "Basic YTpi", "X-API-Key": key}  # as behind a proxy
    for headers in (bearer(key), {"Authorization": f"bearer  {key}"}, {"X-API-Key": key}, basic):
        assert client.post(QUERY, json={"query": "red"}, headers=headers).status_code == 200


def test_a_key_counts_from_when_it_is_made_until_it_is_taken_back(
    client: TestClient, settings: Settings
) -> None:
    key = given(settings, Scope.READ)
    assert client.get("/v1/collections", headers=bearer(key)).status_code == 200
    (name,) = [one.name for one in Keyring.of(settings).keys().values() if one.id in key]
    Keyring.of(settings).remove(name)
    assert problem(client.get("/v1/collections", headers=bearer(key))) == (401, "unknown_key")


def test_a_key_that_is_not_there_cannot_be_taken_back(
    client: TestClient, admin: dict[str, str]
) -> None:
    assert problem(client.delete("/v1/keys/nobody", headers=admin)) == (404, "missing_key")


def test_a_body_is_not_read_before_the_key(client: TestClient) -> None:
    taken = []

    def chunks() -> Iterator[bytes]:
        for i in range(100):
            taken.append(i)
            yield b"x" * 1_000

    headers = {"Content-Type": "application/json"}
    assert problem(client.post(QUERY, content=chunks(), headers=headers)) == (401, "unknown_key")
    assert not taken


def test_a_damaged_file_of_keys_shuts_the_door(
    client: TestClient, settings: Settings, admin: dict[str, str]
) -> None:
    (settings.data / "keys.json").write_text("{")
    assert problem(client.get("/v1/collections", headers=admin)) == (503, "store_failed")
    (settings.data / "keys.json").unlink()
    assert problem(client.get("/v1/collections", headers=admin)) == (401, "unknown_key")
    assert client.get("/healthz").status_code == 200


def test_lists_hold_what_the_key_is_for(
    client: TestClient, settings: Settings, admin: dict[str, str]
) -> None:
    client.put("/v1/collections/mine", json={"model": "vectors:7"}, headers=admin)
    narrow = bearer(given(settings, Scope.READ, "other"))
    listed = client.get("/v1/collections", headers=narrow).json()["collections"]
    assert [one["name"] for one in listed] == ["other"]
    assert len(client.get("/v1/collections", headers=admin).json()["collections"]) == 3
    for headers, is_there in ((admin, True), (narrow, False)):
        models = client.get("/v1/models", headers=headers).json()["data"]
        assert ("vectors:7" in {one["id"] for one in models}) == is_there


def test_the_log_names_the_key_and_does_not_hold_it(
    client: TestClient, admin: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "nearfield.requests"):
        client.get("/v1/collections", headers=admin)
        client.get("/v1/collections")
    known, unknown = [json.loads(record.getMessage()) for record in caplog.records]
    assert known["key"] == "key-0"
    assert "key" not in unknown
    assert admin["Authorization"].split()[1] not in caplog.text


def test_so_many_requests_and_then_429(client: TestClient, settings: Settings) -> None:
    slow = bearer(given(settings, Scope.READ, rate="5/hour"))
    answers = [client.get("/v1/collections", headers=slow) for _ in range(8)]
    assert [one.status_code for one in answers] == [200] * 5 + [429] * 3
    assert problem(answers[-1]) == (429, "rate_limited")
    assert 3_590 <= int(answers[-1].headers["retry-after"]) <= 3_600
    other = bearer(given(settings, Scope.READ))
    assert client.get("/v1/collections", headers=other).status_code == 200


def test_the_limit_of_the_settings_is_that_of_keys_without_one(public: Settings) -> None:
    limited = public.model_copy(update={"rate_limit": "3/hour"})
    plain, own = (bearer(given(public, Scope.READ, rate=rate)) for rate in (None, "4/hour"))
    with TestClient(search_app(limited)) as client:
        for headers, most in ((plain, 3), (own, 4)):
            codes = [client.get("/v1/models", headers=headers).status_code for _ in range(6)]
            assert codes == [200] * most + [429] * (6 - most)


# --- without keys -------------------------------------------------------------------------------


@contextmanager
def opened(settings: Settings) -> Iterator[TestClient]:
    with TestClient(search_app(settings)) as client:
        yield client


def test_on_this_machine_nobody_needs_a_key(settings: Settings) -> None:
    with opened(settings) as client:
        assert client.get("/v1/collections").status_code == 200
        assert client.get("/v1/collections", headers=bearer("sk-any")).status_code == 200


def test_the_first_key_shuts_the_door_and_the_last_one_does_not_open_it(
    settings: Settings,
) -> None:
    with opened(settings) as client:
        assert client.get("/v1/collections").status_code == 200
        key = given(settings, Scope.READ)
        assert client.get("/v1/collections").status_code == 401
        assert client.get("/v1/collections", headers=bearer(key)).status_code == 200
        Keyring.of(settings).remove("key-0")
        assert client.get("/v1/collections").status_code == 401
        (settings.data / "keys.json").unlink()
        assert client.get("/v1/collections").status_code == 401


def test_told_by_name_everybody_may_ask(public: Settings) -> None:
    given(public, Scope.READ)
    with opened(public.model_copy(update={"without_keys": True})) as client:
        assert client.get("/v1/collections").status_code == 200
        assert client.get("/v1/models", headers={"Host": "photos.example"}).status_code == 200


def test_a_page_that_lets_its_name_lead_here_gets_nothing(settings: Settings) -> None:
    with opened(settings) as client:
        for host in ("evil.example", "evil.example:8000"):
            answer = client.get("/v1/collections", headers={"Host": host})
            assert problem(answer) == (403, "no_access")
        assert client.get("/v1/collections", headers={"Host": "[::1]:80"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999"])
def test_a_page_of_another_origin_sends_nothing_here(settings: Settings, origin: str) -> None:
    files = {"files": ("a.png", b"x")}
    with opened(settings) as client:
        client.put("/v1/collections/main", json={}).raise_for_status()
        path = "/v1/collections/main/items/upload"
        headers = {"Origin": origin, "Host": "127.0.0.1:8000"}
        assert problem(client.post(path, files=files, headers=headers)) == (403, "no_access")
        headers["Origin"] = "http://127.0.0.1:8000"
        assert client.post(path, files=files, headers=headers).status_code == 200


# --- the command --------------------------------------------------------------------------------


def test_serve_refuses_a_public_address_without_keys(settings: Settings) -> None:
    words = ["serve", "--host", "0.0.0.0", "--port", "0", "--data", str(settings.data)]
    ended = CliRunner().invoke(main, words)
    assert ended.exit_code == 1
    assert "nearfield keys create NAME" in ended.stderr
    assert "--without-keys" in ended.stderr


def test_a_key_of_the_command_opens_the_service(settings: Settings) -> None:
    words = ["keys", "create", "web", "--data", str(settings.data)]
    ended = CliRunner().invoke(main, words)
    assert ended.exit_code == 0
    with opened(settings) as client:
        assert client.get("/v1/collections", headers=bearer(ended.stdout.strip())).is_success
    listed = CliRunner().invoke(main, ["keys", "list", "--data", str(settings.data)])
    assert "web" in listed.stdout
    assert ended.stdout.strip() not in listed.stdout
    revoked = CliRunner().invoke(main, ["keys", "revoke", "web", "--data", str(settings.data)])
    assert "nobody is let in" in revoked.stderr
