"""What answers tell browsers, and which pages may ask."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from latent.errors import InputError
from latent.settings import Settings
from service.app import search_app
from service.guard.headers import HEADERS

FRIEND, STRANGER = "https://photos.example:8443", "https://evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/healthz", "/v1/collections", "/v1/no", "/nowhere"]
)
def test_every_answer_has_the_headers(settings: Settings, path: str) -> None:
    with TestClient(search_app(settings)) as client:
        answer = client.get(path, follow_redirects=False)
        for name in HEADERS:
            assert answer.headers[name], name
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"script-src[^;]*('unsafe|http|\*)", policy)


def test_an_answer_that_failed_has_them_too(settings: Settings) -> None:
    app = search_app(settings)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("broken")

    with TestClient(app) as client:
        answer = client.get("/broken")
        assert answer.status_code == 500
        assert all(name in answer.headers for name in HEADERS)


def test_no_page_of_another_origin_may_ask_unless_it_is_named(settings: Settings) -> None:
    for origins, allowed in ((None, False), (f" {FRIEND}, https://x.example", True)):
        app = search_app(settings.model_copy(update={"cors_origins": origins}))
        with TestClient(app) as client:
            client.put("/v1/collections/main", json={}).raise_for_status()
            path = "/v1/collections/main/query"
            asked = client.options(path, headers={"Origin": FRIEND, **PREFLIGHT})
            assert (asked.headers.get("access-control-allow-origin") == FRIEND) == allowed
            sent = client.post(path, json={"query": "red"}, headers={"Origin": FRIEND})
            assert sent.status_code == (200 if allowed else 403)
            stranger = client.options(path, headers={"Origin": STRANGER, **PREFLIGHT})
            assert "access-control-allow-origin" not in stranger.headers
            refused = client.post(path, json={"query": "red"}, headers={"Origin": STRANGER})
            assert refused.status_code == 403


@pytest.mark.parametrize("given", ["*", "photos.example", "https://a.example/path", "https://*.a"])
def test_what_is_no_origin_is_refused_at_the_start(settings: Settings, given: str) -> None:
    with pytest.raises(InputError, match="NEARFIELD_CORS_ORIGINS"):
        search_app(settings.model_copy(update={"cors_origins": given}))
