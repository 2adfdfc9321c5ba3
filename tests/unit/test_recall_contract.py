"""A graph is held against comparing all: what it finds is known, and it looks as far as it must."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from latent.index.bases import Base, Kind, build
from latent.index.exact import MARGIN, nearest_of
from latent.index.faiss_index import FaissIndex
from latent.index.plans import LEAST_EFFORT, Plan, Way
from latent.index.questions import ENOUGH, FEW, PHRASES
from latent.index.recall import AT, EFFORTS, Questions, lines_of, measured
from latent.items import Item, Modality
from latent.models.colours import DIM
from latent.settings import Settings
from latent.wiring import INDEX, open_store

Rows = NDArray[np.float32]


def unit(rows: Rows) -> Rows:
    scaled: Rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def random_rows(count: int, dim: int, seed: int = 0) -> Rows:
    return unit(np.random.default_rng(seed).standard_normal((count, dim), np.float32))


def strangers(rows: Rows) -> Questions:
    return Questions(rows, np.full(len(rows), -1, np.int64))


@pytest.fixture(scope="module")
def hard() -> Base:
    """A graph of vectors that lie anywhere: no walk finds all that is near."""
    rows = random_rows(6_000, 128)
    return build(np.arange(0, 12_000, 2, dtype=np.int64), rows, Kind.HNSW, threads=2)


def test_the_tenth_nearest_is_known_and_an_item_is_not_its_own_neighbour(hard: Base) -> None:
    own = np.array([0, 4_000, 11_998], np.int64)
    stored = Questions(hard.vectors[own // 2], own)
    for line, key, query in zip(lines_of(hard, stored), own, stored.vectors, strict=True):
        neighbours = nearest_of(hard.keys, hard.vectors, query, AT + 1)
        assert neighbours[0].key == key
        assert line == pytest.approx(neighbours[AT].score, abs=1e-5)
    queries = random_rows(3, 128, seed=1)
    for line, query in zip(lines_of(hard, strangers(queries)), queries, strict=True):
        tenth = nearest_of(hard.keys, hard.vectors, query, AT)[-1]
        assert line == pytest.approx(tenth.score, abs=1e-5)


def test_effort_is_raised_until_the_promise_is_kept(hard: Base) -> None:
    asked = {"text": strangers(random_rows(100, 128, seed=1))}
    easy = measured(hard, asked, 0.5)
    assert easy.effort == LEAST_EFFORT == EFFORTS[0]
    assert 0.5 <= easy.recall["text"] < 0.99
    strict = measured(hard, asked, 0.99)
    assert strict.effort is not None
    assert strict.effort > LEAST_EFFORT
    assert strict.recall["text"] >= 0.99


def found_at(base: Base, asked: Questions, effort: int) -> float:
    """The share of the ten nearest that walks of this effort find."""
    lines = lines_of(base, asked)
    plan = Plan(Way.GRAPH, effort)
    answers = FaissIndex(base).traced(asked.vectors, AT, plan=plan)
    found = sum(
        hit.score >= line - MARGIN
        for (hits, _), line in zip(answers, lines, strict=True)
        for hit in hits
    )
    return float(found / (AT * len(asked)))


@pytest.mark.parametrize("promise", [0.99, 0.995, 0.999])
def test_a_step_less_would_not_be_enough(hard: Base, promise: float) -> None:
    asked = strangers(random_rows(100, 128, seed=1))
    effort = measured(hard, {"text": asked}, promise).effort
    assert effort is not None
    step = EFFORTS.index(effort)
    assert step > 0
    assert found_at(hard, asked, EFFORTS[step - 1]) < promise <= found_at(hard, asked, effort)


def test_the_worst_kind_of_question_decides(hard: Base) -> None:
    stored = np.arange(0, 200, 2, dtype=np.int64)
    near = Questions(hard.vectors[:100], stored)
    far = strangers(random_rows(100, 128, seed=1))
    both = measured(hard, {"image": near, "text": far}, 0.97)
    assert min(both.recall.values()) >= 0.97
    efforts = [measured(hard, {"one": one}, 0.97).effort or 0 for one in (near, far)]
    assert both.effort == max(efforts)


def test_a_promise_out_of_reach_is_told_with_what_was_reached(
    hard: Base, caplog: pytest.LogCaptureFixture
) -> None:
    asked = {"text": strangers(random_rows(100, 128, seed=1))}
    contract = measured(hard, asked, 1.1)
    assert contract.effort == EFFORTS[-1]
    assert 0.9 < contract.recall["text"] <= 1
    assert "stays below" in caplog.text


def test_equal_vectors_are_equally_right() -> None:
    rows = np.repeat(random_rows(20, 16), 50, axis=0)
    base = build(np.arange(1_000, dtype=np.int64), rows, Kind.HNSW)
    contract = measured(base, {"image": Questions(rows[:20], base.keys[:20])}, 0.98)
    assert contract.recall["image"] == pytest.approx(1.0)


def test_nothing_asked_is_nothing_measured(hard: Base) -> None:
    nothing = {"text": strangers(np.empty((0, 128), np.float32))}
    assert measured(hard, nothing, 0.98).recall == {}
    exact = build(hard.keys[:30], hard.vectors[:30], Kind.EXACT)
    assert measured(exact, nothing, 0.98).effort is None


def filled(settings: Settings, kind: Modality, count: int, model: str = "colours") -> Settings:
    settings = settings.model_copy(update={"exact_limit": 100})
    with open_store(settings) as store:
        collection = store.ensure("main", model)
        rows = random_rows(count, DIM)
        collection.put([Item(f"i{n}", kind, row) for n, row in enumerate(rows)])
        collection.publish()
    return settings


def test_what_was_measured_is_kept_with_the_snapshot(settings: Settings) -> None:
    settings = filled(settings, Modality.TEXT, 300)
    with open_store(settings) as store:
        index = store.collection("main").summary().index
    assert index["effort"] == LEAST_EFFORT
    assert isinstance(recall := index["recall"], dict)
    assert recall["image"] is None
    assert isinstance(found := recall["text"], float)
    assert found >= 0.98


def test_photos_alone_are_asked_with_everyday_phrases(settings: Settings) -> None:
    assert len(set(PHRASES)) == ENOUGH > FEW
    settings = filled(settings, Modality.IMAGE, 300)
    with open_store(settings) as store:
        index = store.collection("main").summary().index
    assert isinstance(recall := index["recall"], dict)
    assert None not in recall.values()


def test_vectors_of_ones_own_are_asked_with_vectors_alone(settings: Settings) -> None:
    settings = filled(settings, Modality.IMAGE, 300, f"vectors:{DIM}")
    with open_store(settings) as store:
        index = store.collection("main").summary().index
    assert isinstance(recall := index["recall"], dict)
    assert recall["text"] is None
    assert recall["image"] is not None


def manifest_of(settings: Settings) -> Path:
    (found,) = (settings.data / INDEX).glob("*/*/manifest.json")
    return found


def test_a_search_looks_as_far_as_the_snapshot_says(settings: Settings) -> None:
    settings = filled(settings, Modality.TEXT, 3_000)
    manifest = manifest_of(settings)
    said = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(said | {"effort": 181}))
    with open_store(settings) as store:
        found = store.collection("main").explained(random_rows(1, DIM)[0], 5)
        assert found.explain["effort"] == 181
        assert store.collection("main").summary().index["effort"] == 181


def test_a_snapshot_of_the_first_format_is_still_read(settings: Settings) -> None:
    settings = filled(settings, Modality.TEXT, 300)
    manifest = manifest_of(settings)
    said = json.loads(manifest.read_text())
    del said["effort"], said["recall"], said["quantisation"]
    said["files"] = {
        name: hashlib.sha256((manifest.parent / name).read_bytes()).hexdigest()
        for name in said["files"]
    }
    manifest.write_text(json.dumps(said | {"format": 1}))
    with open_store(settings) as store:
        index = store.collection("main").summary().index
    assert index["snapshot"] == 1
    assert index["recall"] == {"image": None, "text": None}
    assert index["quantisation"] == "sq8"
