"""Whatever the OpenAPI document allows, and what it does not, is answered as the document says.

One check of schemathesis is left out: that everything a schema allows is accepted. A schema cannot
say that base64 is a picture, or that a text has words.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from latent.settings import Settings
from service.app import search_app
from service.entrance.server import listen
from service.guard.keyring import Keyring
from service.guard.keys import new_key
from service.guard.scopes import Scope

LEFT_OUT: list[Any] = [positive_data_acceptance]
EXAMPLES = 3  # of each endpoint, besides those that go through the schema systematically

document = schemathesis.openapi.from_dict(search_app(Settings(model="colours")).openapi())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a service that asks for keys, and a key."""
    folder = tmp_path_factory.mktemp("service")
    chosen = Settings(data=folder, model="colours", threads=2, published="0.0.0.0", port=0)
    key, secret = new_key("any", Scope.ADMIN)
    Keyring.of(chosen).add(key)
    with listen(chosen) as (listener, url):
        config = uvicorn.Config(search_app(chosen), log_config=None, lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield url, secret
        finally:
            server.should_exit = True
            thread.join()


@document.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
def test_every_request_is_answered_as_the_document_says(
    case: schemathesis.Case[Any], service: tuple[str, str]
) -> None:
    url, key = service
    headers = {"Authorization": f"Bearer {key}"}
    case.call_and_validate(base_url=url, headers=headers, excluded_checks=LEFT_OUT)
