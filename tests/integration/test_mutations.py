"""Hostile pictures and texts, the short form: `scripts/soak --only mutations` sends many more."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from itertools import islice

import pytest
from starlette.testclient import TestClient

from latent.errors import NearfieldError
from latent.media.decode import Limits, decode
from latent.settings import Settings
from scripts.soaking.mutants import BOMBS, originals, pictures, texts
from service.app import search_app

LIMITS = Limits(max_pixels=50_000_000, max_bytes=50_000_000)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(search_app(settings)) as opened:
        opened.put("/v1/collections/main", json={}).raise_for_status()
        yield opened


def test_the_originals_are_pictures() -> None:
    """Else mutating them would show nothing."""
    for name, content in originals():
        assert decode(content, name=name, limits=LIMITS, side=32).picture.mode == "RGB", name


def test_mutated_pictures_are_decoded_or_refused_with_a_reason() -> None:
    refused = 0
    for mutant in islice(pictures(seed=1), 400):
        try:
            decode(mutant.content, name=mutant.name, limits=LIMITS, side=32)
        except NearfieldError as error:
            refused += 1
            reason = str(error).removeprefix(mutant.name).strip(": ")
            assert reason, mutant.kind
            assert "\n" not in reason, mutant.kind
    assert 100 < refused < 400


def test_every_kind_of_bomb_goes_through_the_service(client: TestClient) -> None:
    chance = random.Random(1)
    for kind, make in BOMBS:
        content = base64.b64encode(make(chance)).decode()
        body = {"items": [{"id": "a", "image": content}, {"id": "b", "text": "a red thing"}]}
        answer = client.put("/v1/collections/main/items", json=body)
        assert answer.status_code == 200, kind
        bomb, other = answer.json()["items"]
        assert other["status"] in ("indexed", "unchanged")
        assert bomb["status"] != "failed" or bomb["error"]["detail"], kind


def test_hostile_texts_are_answered(client: TestClient) -> None:
    for text in islice(texts(seed=1), 150):
        item = {"id": "a", "text": text, "metadata": {"said": text}}
        asked = [
            client.put("/v1/collections/main/items", json={"items": [item]}),
            client.post("/v1/collections/main/query", json={"query": text, "mode": "hybrid"}),
            client.post("/v1/collections/main/query", json={"query": "a", "filter": {"b": text}}),
            client.get("/v1/collections/main/search", params={"q": text[:2_000]}),
        ]
        for answer in asked:
            assert answer.status_code < 500, (text[:100], answer.text)
            assert answer.status_code == 200 or answer.json()["detail"]
