"""`mini` is asked for bare nouns: by the engine, and what the answer says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from latent.items import Item, Modality
from latent.settings import Settings
from latent.wiring import open_store
from service.app import search_app
from service.checks.checks import check
from service.checks.tiers import Tier
from service.engine.parts import Part, Text, analogy
from service.query import Mode, QueryEngine, Question


def test_a_noun_is_asked_as_sentences_and_stored_as_itself(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", model="mini")
    with open_store(settings) as store:
        embedder, engine = store.embedder(), QueryEngine(store)
        texts = ["dog", "a dog runs", "the stock market"]
        rows = embedder.embed_texts(texts)
        store.ensure("main").put(
            [
                Item(text, Modality.TEXT, row, text=text)
                for text, row in zip(texts, rows, strict=True)
            ]
        )
        answer = engine.search("main", Question([Part(Text("dog"))], min_relevance=0, explain=True))
        assert answer.explain is not None
        said = answer.explain["understood_as"]
        assert isinstance(said, dict) and isinstance(said["dog"], list)
        mean = embedder.embed_texts([str(one) for one in said["dog"]]).mean(axis=0)
        wanted = rows @ (mean / np.linalg.norm(mean))
        assert [hit.item.id for hit in answer.hits] == texts
        found = [hit.score for hit in answer.hits]
        np.testing.assert_allclose(found, wanted, atol=1e-3)
        assert 0.5 < found[0] < 0.99

        plain = engine.search(
            "main", Question([Part(Text("a dog"))], min_relevance=0, explain=True)
        )
        assert "understood_as" not in (plain.explain or {})
        words = Question([Part(Text("dog"))], mode=Mode.KEYWORD)
        assert engine.plan("main", words).things == []
        three = analogy(Part(Text("dog")), Part(Text("dogs")), Part(Text("cat")))
        asked = Question(three, is_analogy=True, min_relevance=0)
        assert engine.plan("main", asked).things == [Text("cat"), Text("dogs"), Text("dog")]


def test_who_checks_for_a_word_is_told_of_the_very_word(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", model="mini")
    with open_store(settings) as store:
        (row,) = store.embedder().embed_texts(["dog"])
        store.ensure("main").put([Item("dog", Modality.TEXT, row, text="dog")])
        (found,) = check(store, "main", Question([Part(Text("dog"))]))
        assert found.hit.score > 0.999
        assert found.tier is Tier.IDENTICAL
        (other,) = check(store, "main", Question([Part(Text("dogs"))]))
        rows = store.embedder().embed_texts(["dog", "dogs"])
        assert abs(other.hit.score - float(rows[0] @ rows[1])) < 1e-3


def test_what_is_explained_is_what_was_asked(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", model="mini")
    with TestClient(search_app(settings)) as client:
        client.put("/v1/collections/main", json={"model": "mini"}).raise_for_status()
        items = {"items": [{"id": "a", "text": "a dog runs"}]}
        client.put("/v1/collections/main/items", json=items).raise_for_status()

        def both(query: object) -> tuple[float, dict[str, Any]]:
            """The score that a search gives, and what explains it."""
            body = {"query": query, "min_relevance": 0}
            found = client.post("/v1/collections/main/query", json=body).raise_for_status().json()
            why = client.post("/v1/collections/main/explain", json={"query": query, "id": "a"})
            return found["hits"][0]["score"], why.raise_for_status().json()

        score, why = both("dog")
        assert list(why["understood_as"]) == ["dog"]
        assert abs(why["score"] - score) < 1e-3
        score, why = both({"analogy": ["cat", "cats", "dog"]})
        assert why["understood_as"] == {}
        assert abs(why["score"] - score) < 1e-3
