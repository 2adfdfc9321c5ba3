"""The short way to an endpoint is no other than the long one: the same answers, refusals, counts.

A body of the kind `application/anything+json` is JSON as well, and goes the long way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from starlette.testclient import TestClient

from latent.settings import Settings
from service.app import search_app
from service.guard.keyring import Keyring
from service.guard.keys import new_key
from service.guard.scopes import Scope

SHORT, LONG = "application/json", "application/any+json"
MAIN = "/v1/collections/main"
DEEP = b'{"query": ' + b"[" * 300 + b"]" * 300 + b"}"
TOOK = re.compile(r'"took_ms":\{[^}]*\}')

Asked: TypeAlias = tuple[str, str, bytes]
"""Method, path and body."""

ITEMS = (
    "PUT",
    f"{MAIN}/items",
    b'{"items": [{"id": "a", "text": "red"}, {"id": "b", "text": "blue"}]}',
)
QUERY = ("POST", f"{MAIN}/query", b'{"query": "red", "min_relevance": 0}')
ASKED: list[Asked] = [
    ITEMS,
    QUERY,
    ("POST", f"{MAIN}/query", b'{"query": "red", "k": 0}'),
    ("POST", f"{MAIN}/query", b'{"query": {"id": "nothing"}}'),
    ("POST", f"{MAIN}/query", b'{"query": {"vector": [1, 2]}}'),
    ("POST", f"{MAIN}/query", b'{"query": "red", "filter": {"n": {"$no": 1}}}'),
    ("POST", f"{MAIN}/query", b'{"query": "red", "more": 1}'),
    ("POST", f"{MAIN}/query", b'{"query": "red", "k": "3"}'),
    ("POST", f"{MAIN}/query", b'{"query": "red", "k": NaN}'),
    ("POST", f"{MAIN}/query", b'{"query": "\\ud800"}'),
    ("POST", f"{MAIN}/query", b'{"query": "red"'),
    ("POST", f"{MAIN}/query", b'\xff\xfe{"query": "red"}'),
    ("POST", f"{MAIN}/query", b"null"),
    ("POST", f"{MAIN}/query", b"[]"),
    ("POST", f"{MAIN}/query", b""),
    ("POST", f"{MAIN}/query", DEEP),
    ("POST", f"{MAIN}/query", b'{"query": "' + b"a" * 5_000 + b'"}'),
    ("POST", "/v1/collections/none/query", b'{"query": "red"}'),
    ("POST", "/v1/collections/a%20b%2Fc/query", b'{"query": "red"}'),
    ("POST", f"{MAIN}/queries", b'{"queries": [{"query": "red", "k": 1}, {"query": ""}]}'),
    ("POST", f"{MAIN}/queries", b'{"queries": []}'),
    ("POST", f"{MAIN}/map/hits", b'{"query": "red"}'),
    ("POST", f"{MAIN}/items/scroll", b'{"limit": 1}'),
    ("POST", "/v1/embeddings", b'{"input": ["red", "green"]}'),
    ("POST", "/v1/embeddings", b'{"input": ["red", ""]}'),
    ("POST", "/v1/embeddings", b'{"input": "red", "model": "nobody"}'),
    ("POST", "/v1/similarity", b'{"source": "red", "targets": ["a red thing"]}'),
    ("POST", "/v1/rerank", b'{"query": "red", "documents": ["green", "red"]}'),
    ("DELETE", f"{MAIN}/query", b'{"query": "red"}'),
]


@dataclass
class Served:
    """A service that asks for keys and takes short bodies alone, and keys to it."""

    client: TestClient
    keys: dict[str, str]

    def asked(self, asked: Asked, kind: str = SHORT, who: str = "all") -> Any:
        """All that is said to a request, less what differs each time."""
        method, path, content = asked
        headers = {"Content-Type": kind, "X-Request-ID": "r1", **self.bearer(who)}
        answer = self.client.request(method, path, content=content, headers=headers)
        kept = [one for one in answer.headers.items() if one[0] != "content-length"]
        return answer.status_code, kept, TOOK.sub("", answer.text)

    def bearer(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[who]}"}


@contextmanager
def serving(data: Path) -> Iterator[Served]:
    settings = Settings(data=data, model="colours", threads=2, host="0.0.0.0", max_body_bytes=4_000)
    keys = {"nobody": "nf_nobody"}
    for name, scope, rate in (("all", Scope.ADMIN, None), ("some", Scope.READ, "2/hour")):
        key, keys[name] = new_key(name, scope, rate=rate)
        Keyring.of(settings).add(key)
    with TestClient(search_app(settings)) as client:
        served = Served(client, keys)
        client.put(MAIN, json={}, headers=served.bearer("all")).raise_for_status()
        assert served.asked(ITEMS)[0] == 200
        yield served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("both")) as opened:
        yield opened


@pytest.mark.parametrize("asked", ASKED, ids=lambda one: f"{one[1][4:]} {one[2][:40]!r}")
def test_both_ways_say_the_same(served: Served, asked: Asked) -> None:
    assert served.asked(asked, SHORT) == served.asked(asked, LONG)


def test_both_ways_are_closed_to_the_same(served: Served) -> None:
    for who, asked, status in (("nobody", QUERY, 401), ("some", ITEMS, 403)):
        short, long = (served.asked(asked, kind, who) for kind in (SHORT, LONG))
        assert short == long
        assert short[0] == status


def test_both_ways_count_for_a_rate_and_under_the_same_name(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        statuses = [served.asked(QUERY, kind, "some")[0] for kind in (SHORT, LONG, SHORT, LONG)]
        assert statuses == [200, 200, 429, 429]
        counted = served.client.get("/metrics", headers=served.bearer("all")).text
        name = 'method="POST",route="/v1/collections/{collection}/query"'
        assert f'{name},status="200"}} 2.0' in counted
        assert f'{name},status="429"}} 2.0' in counted


def test_a_request_that_is_left_to_the_long_way_counts_once(tmp_path: Path) -> None:
    wrong = ("POST", f"{MAIN}/query", b'{"query": "red", "k": "many"}')
    with serving(tmp_path) as served:
        asked = (wrong, QUERY, QUERY)
        assert [served.asked(one, SHORT, "some")[0] for one in asked] == [400, 200, 429]
