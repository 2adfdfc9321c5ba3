"""`mini` is asked for bare nouns: by the engine, and what the answer says of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latent.items import Item, Modality
from latent.settings import Settings
from latent.wiring import open_store
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
