"""What chance gives a question, for models that were not calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent.errors import UnsupportedMediaError
from latent.items import Item, Modality, Vectors
from latent.models import chance
from latent.models.calibration import Spread
from latent.models.chance import Chance
from latent.models.colours import COLOURS, ColourEmbedder
from latent.models.vectors_only import VectorsOnly
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from service.checks.wording import resemblance, shingles
from service.engine.parts import parse
from service.query import Answer, QueryEngine, Question

DIM = 64


def unit(rows: Vectors) -> Vectors:
    directions: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return directions


@pytest.fixture(scope="module")
def sample() -> Vectors:
    return unit(np.random.default_rng(0).standard_normal((300, DIM)).astype(np.float32))


@pytest.fixture(scope="module")
def asked() -> Vectors:
    return unit(np.random.default_rng(1).standard_normal((100, DIM)).astype(np.float32))


def spread(question: Vectors, sample: Vectors, items: int = 300) -> Spread:
    return Spread.of((sample @ question).astype(np.float64), items)


def test_what_is_far_above_chance_is_meant_and_what_is_chance_is_not(
    sample: Vectors, asked: Vectors
) -> None:
    known = Chance.of(asked, sample, 300)
    near = unit(sample[:1] + 0.1)[0]
    best = float((sample @ near).max())
    assert known.relevance(best, best, spread(near, sample)) > 0.9
    others = unit(np.random.default_rng(2).standard_normal((200, DIM)).astype(np.float32))
    tops = [float((sample @ other).max()) for other in others]
    told = [
        known.relevance(top, top, spread(other, sample)) < 0.5
        for top, other in zip(tops, others, strict=True)
    ]
    assert np.mean(told) > 0.85


def test_a_hit_is_no_surer_than_its_question_and_a_higher_score_never_less(
    sample: Vectors, asked: Vectors
) -> None:
    known, near = Chance.of(asked, sample, 300), sample[0]
    scores = np.linspace(-1, 1, 41)
    found = [known.relevance(score, 1.0, spread(near, sample)) for score in scores]
    assert found == sorted(found)
    assert found[20] < 0.1  # as near as anything
    assert known.relevance(1.0, 0.2, spread(near, sample)) < 0.1


def test_the_same_score_says_less_among_more_items(sample: Vectors, asked: Vectors) -> None:
    few, many = (Chance.of(asked, sample, items) for items in (300, 100_000))
    seen = spread(sample[0], sample)
    assert few.mean < many.mean
    assert few.relevance(0.5, 0.5, seen) > many.relevance(0.5, 0.5, seen)


def test_the_best_of_many_is_foretold_from_a_sample(asked: Vectors) -> None:
    everything = unit(np.random.default_rng(3).standard_normal((20_000, DIM)).astype(np.float32))
    whole = Chance.of(asked, everything, len(everything))
    foretold = Chance.of(asked, everything[:512], len(everything))
    assert foretold.mean == pytest.approx(whole.mean, rel=0.06)


def test_the_questions_are_many_and_none_is_one_that_relevance_is_measured_with() -> None:
    from benchmarks.captioned import unanswerable

    measured = [shingles(one) for group in unanswerable().values() for one in group]
    asked = chance.questions()
    assert len(set(asked)) == len(asked) > 100
    assert max(resemblance(shingles(one), other) for one in asked for other in measured) < 0.5


def test_a_model_without_texts_has_no_chance_questions(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMediaError):
        chance.placed(VectorsOnly(8))
    with open_store(Settings(data=tmp_path / "data")) as store:
        assert store.chance(store.ensure("main", "vectors:8")) is None


def test_a_question_without_an_answer_gets_none_from_a_model_nobody_calibrated(
    store: Store,
) -> None:
    model = ColourEmbedder()
    pictures = [model.prepare(Image.new("RGB", (8, 8), colour)) for colour in COLOURS.values()]
    rows = model.embed_images(pictures)
    store.ensure("main", "colours").put(
        [Item(name, Modality.IMAGE, row) for name, row in zip(COLOURS, rows, strict=True)]
    )

    def answer(words: str) -> Answer:
        return QueryEngine(store).search("main", Question(parse(words), min_relevance=0.5))

    assert not answer("an octopus of an unknown hue").match
    assert [hit.item.id for hit in answer("a green octopus").hits] == ["green"]
