"""Concepts, on vectors whose meaning is known."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import ValidationError
from starlette.testclient import TestClient

import nearfield
from latent.collection import Collection
from latent.errors import InputError, UnknownConceptError, UnknownItemError
from latent.items import Item, Modality
from latent.settings import Settings
from latent.store import Store
from service.app import search_app
from service.engine.parts import parse
from service.explore import concepts
from service.query import Mode, QueryEngine, Question
from service.schemas import QueryBody

NAMES = [f"{side}{n}" for side in "yn" for n in range(8)]
YES, NO = NAMES[:8], NAMES[8:]


def filled(store: Store, *, apart: float = 1.0) -> Collection:
    """Items y0…y7 that have more of the first dimension than n0…n7, and much noise."""
    collection = store.ensure("main")
    rows = np.random.default_rng(0).normal(0, 0.3, (16, 16)).astype(np.float32)
    rows[:8, 0] += apart
    items = [Item(name, Modality.IMAGE, row) for name, row in zip(NAMES, rows, strict=True)]
    collection.put(items)
    return collection


def test_a_concept_tells_what_was_marked_and_is_kept(store: Store) -> None:
    collection = filled(store)
    made = concepts.learn(collection, "first", YES, NO)
    assert made.quality.is_reliable
    chances = made.chances(collection.vectors_of(NAMES))
    assert chances[:8].min() > 0.5 > chances[8:].max()
    held = concepts.load(collection, "first")
    np.testing.assert_array_equal(held.weights, made.weights)
    assert (held.quality, held.yes, held.no) == (made.quality, YES, NO)
    assert [one.name for one in concepts.all_of(collection)] == ["first"]


def test_what_was_marked_is_on_the_disk_before_it_is_acknowledged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can mark it again from anything else."""
    flushed: list[int] = []
    collection, flush = filled(store), os.fsync

    def noted(descriptor: int) -> None:
        flushed.append(os.fstat(descriptor).st_ino)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    concepts.learn(collection, "first", YES, NO)
    folder = collection.views / concepts.FOLDER
    assert flushed == [(folder / "first.kept").stat().st_ino, folder.stat().st_ino]


@pytest.mark.parametrize("dim", [16, 200])
def test_a_head_is_the_best_there_is(store: Store, dim: int) -> None:
    """Nothing is gained by a step in any direction, of few dimensions and of many."""
    collection = store.ensure("own", f"vectors:{dim}")
    rows = np.random.default_rng(0).normal(size=(40, dim)).astype(np.float32)
    names = [f"i{n}" for n in range(40)]
    collection.put([Item(n, Modality.IMAGE, row) for n, row in zip(names, rows, strict=True)])
    made = concepts.learn(collection, "any", names[:10], names[10:])
    rows = collection.vectors_of(names).astype(np.float64)
    marks = np.arange(40) < 10
    share = np.where(marks, 2.0, 40 / 60)
    middle = (rows[:10].mean(0) + rows[10:].mean(0)) / 2
    missed = share * (1 / (1 + np.exp(-(rows @ made.weights + made.bias))) - marks)
    slope = concepts.SCALE * (rows - middle).T @ missed + made.weights / concepts.SCALE
    assert np.abs(slope).max() < 1e-3
    assert abs(missed.sum()) < 1e-3


def test_what_has_no_meaning_is_told_to_be_unreliable(store: Store) -> None:
    made = concepts.learn(filled(store, apart=0.0), "chance", YES, NO)
    assert made.quality.auc < 0.8
    assert not made.quality.is_reliable


def test_a_few_examples_are_never_reliable(store: Store) -> None:
    made = concepts.learn(filled(store), "few", YES[:2], NO[:2])
    assert (made.quality.folds, made.quality.examples) == (2, 4)
    assert not made.quality.is_reliable


@pytest.mark.parametrize(
    ("name", "yes", "no", "said"),
    [
        ("../x", YES, NO, "no name"),
        ("one", YES[:1], NO, "at least 2"),
        ("both", YES, [*NO, "y1"], "yes and no"),
    ],
)
def test_marks_that_cannot_be_learnt_of_are_refused(
    store: Store, name: str, yes: list[str], no: list[str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        concepts.learn(filled(store), name, yes, no)


def test_strangers_are_named(store: Store) -> None:
    collection = filled(store)
    with pytest.raises(UnknownItemError, match="nobody"):
        concepts.learn(collection, "a", [*YES, "nobody"], NO)
    with pytest.raises(UnknownConceptError, match="'a'"):
        concepts.load(collection, "a")
    with pytest.raises(UnknownConceptError):
        concepts.drop(collection, "a")


def test_a_concept_is_a_part_of_a_question_and_a_filter(store: Store) -> None:
    collection = filled(store)
    concepts.learn(collection, "first", YES, NO)
    engine = QueryEngine(store)
    found = engine.search("main", Question(parse({"concept": "first"}), k=8))
    assert {hit.item.id for hit in found.hits} == set(YES)
    away = parse([{"id": "n0"}, {"concept": "first", "weight": -1}])
    assert engine.search("main", Question(away, k=1)).hits[0].item.id in NO
    narrowed = Question(parse({"id": "n0"}), k=16, concepts={"first": 0.5})
    assert {hit.item.id for hit in engine.search("main", narrowed).hits} == set(YES)
    both = Question(parse({"id": "n0"}), k=16, where={"$id": "y3"}, concepts={"first": 0.5})
    assert [hit.item.id for hit in engine.search("main", both).hits] == ["y3"]
    with pytest.raises(UnknownConceptError):
        engine.search("main", Question(parse({"concept": "other"})))


def test_hits_tell_how_likely_they_have_a_concept(store: Store) -> None:
    collection = filled(store)
    made = concepts.learn(collection, "first", YES, NO)
    engine = QueryEngine(store)
    asked = Question(parse({"id": "n0"}), k=16, with_concepts=["first"])
    hits = engine.search("main", asked).hits
    expected = made.chances(collection.vectors_of([hit.item.id for hit in hits]))
    assert [hit.concepts["first"] for hit in hits] == np.round(expected, 4).tolist()
    assert not engine.search("main", Question(parse({"id": "n0"}))).hits[0].concepts
    with pytest.raises(UnknownConceptError, match="second"):
        engine.search("main", Question(parse({"id": "n0"}), with_concepts=["second"]))
    with pytest.raises(UnknownConceptError, match="second"):
        engine.search("main", Question(parse({"id": "n0"}), concepts={"second": 0.5}))
    with pytest.raises(InputError, match="32"):
        engine.search("main", Question(parse({"id": "n0"}), with_concepts=["first"] * 33))


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.9, 1.0])
def test_a_filter_by_a_concept_leaves_those_that_are_likely_enough(
    store: Store, chance: float
) -> None:
    collection = filled(store)
    made = concepts.learn(collection, "first", YES, NO)
    collection.publish(force=True)
    collection.drop(["y0", "n1"])
    rows = np.random.default_rng(1).normal(0, 0.3, (5, 16)).astype(np.float32)
    collection.put([Item(f"later{n}", Modality.IMAGE, row) for n, row in enumerate(rows)])
    items = collection.scroll(100)
    likely = {one.id for one in items if made.chances(one.vector[None])[0] >= chance}
    asked = Question(parse({"text": "green"}), k=50, concepts={"first": chance}, min_relevance=0)
    assert {hit.item.id for hit in QueryEngine(store).search("main", asked).hits} == likely


@pytest.mark.parametrize("chance", [-0.1, 1.1, float("nan")])
def test_a_chance_out_of_range_is_refused(store: Store, chance: float) -> None:
    concepts.learn(filled(store), "first", YES, NO)
    asked = Question(parse({"id": "n0"}), concepts={"first": chance})
    with pytest.raises(InputError, match="from 0 to 1"):
        QueryEngine(store).search("main", asked)


def test_items_are_not_asked_for_any_number_of_concepts(store: Store) -> None:
    """All vectors are looked at for each, and all that have it are held."""
    collection = filled(store)
    names = [f"c{n}" for n in range(concepts.MOST_NARROWING + 1)]
    for name in names:
        concepts.learn(collection, name, YES[:2], NO[:2])
    assert concepts.narrowed(collection, None, dict.fromkeys(names[1:], 0.5)) is not None
    with pytest.raises(InputError, match="not for 33"):
        concepts.narrowed(collection, None, dict.fromkeys(names, 0.5))


def test_a_concept_goes_with_words_and_with_other_filters(store: Store) -> None:
    collection = filled(store)
    concepts.learn(collection, "first", YES, NO)
    said = {"concepts": {"first": 0.5}, "where": {"$id": {"$nin": ["y1"]}}}
    engine = QueryEngine(store)
    found = engine.search("main", Question(parse({"id": "n0"}), k=16, **said))  # type: ignore[arg-type]
    assert {hit.item.id for hit in found.hits} == set(YES) - {"y1"}
    text = Item("said", Modality.TEXT, collection.get(["y2"])[0].vector, text="a red thing")
    other = Item("unsaid", Modality.TEXT, collection.get(["n2"])[0].vector, text="a red thing")
    collection.put([text, other])
    by_words = Question(parse("red"), mode=Mode.KEYWORD, concepts={"first": 0.5})
    assert [hit.item.id for hit in engine.search("main", by_words).hits] == ["said"]


def test_search_at_a_prompt_takes_concepts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    concepts.learn(filled(store), "first", YES, NO)
    monkeypatch.setenv("NEARFIELD_DATA", str(settings.data))
    monkeypatch.setenv("NEARFIELD_MODEL", "colours")

    def searched(*words: str) -> Any:
        return CliRunner().invoke(nearfield.main, ["search", "--min-relevance", "0", *words])

    ended = searched(
        "--concept", "first", "--has", "first=0.6", "--with-concept", "first", "--json"
    )
    assert ended.exit_code == 0, ended.output
    hits = json.loads(ended.stdout)["hits"]
    assert {hit["id"] for hit in hits} <= set(YES)
    assert all(hit["concepts"]["first"] >= 0.6 for hit in hits)
    away = searched("--like", "n0", "--concept=-first", "-k", "1", "--json")
    assert json.loads(away.stdout)["hits"][0]["id"] in NO
    assert "first" in searched("--concept", "first", "--with-concept", "first").stdout
    assert searched("green", "--has", "first=often").exit_code == 2
    assert searched("green", "--has", "second").exit_code == 1
    assert searched("green", "--area", "[[0, 0]").exit_code == 1
    assert "no map yet" in searched("green", "--area", "[[0,0],[1,0],[1,1]]").stderr


def test_concepts_at_a_prompt(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    filled(store)
    monkeypatch.setenv("NEARFIELD_DATA", str(settings.data))

    def said(*words: str) -> dict[str, Any]:
        ended = CliRunner().invoke(nearfield.main, ["concepts", *words, "--json"])
        assert ended.exit_code == 0, ended.output
        answer: dict[str, Any] = json.loads(ended.stdout)
        return answer

    marks = [word for name in YES for word in ("--yes", name)]
    marks += [word for name in NO for word in ("--no", name)]
    assert said("learn", "first", *marks)["is_reliable"] is True
    assert len(said("list")["concepts"]) == 1
    (best,) = said("items", "first", "-k", "1")["items"]
    assert best["id"] in YES
    assert said("drop", "first") == {"deleted": "first"}
    assert said("list") == {"concepts": []}


@pytest.mark.parametrize("chance", [True, "0.5", -0.1, 1.1])
def test_a_chance_is_a_number_from_0_to_1(chance: object) -> None:
    with pytest.raises(ValidationError):
        QueryBody.model_validate({"query": "a", "concepts": {"first": chance}})


def test_items_are_located_in_the_order_asked(store: Store) -> None:
    collection = filled(store)
    collection.publish(force=True)
    text = np.eye(16, dtype=np.float32)[3]
    collection.put([Item("said", Modality.TEXT, text), Item("y1", Modality.IMAGE, -text)])
    asked = ["n3", "said", "y1", "n3"]
    found = collection.located(asked)
    np.testing.assert_array_equal(found.vectors, [item.vector for item in collection.get(asked)])
    assert found.are_images.tolist() == [True, False, True, True]
    assert collection.vectors_of([]).shape == (0, 16)
    with pytest.raises(UnknownItemError, match="nobody"):
        collection.located(["n3", "nobody"])


def test_what_items_have_in_common_is_told_of_many(settings: Settings, store: Store) -> None:
    collection = filled(store)
    concepts.learn(collection, "first", YES, NO)
    concepts.learn(collection, "other", NO, YES)
    with TestClient(search_app(settings)) as client:
        url = "/v1/collections/main/concepts/meanings"
        body = {"ids": [*YES, NO[0]] * 1_000, "with_chances": False}
        listed = client.post(url, json=body).json()
        assert [(one["name"], one["items"]) for one in listed["concepts"]] == [
            ("first", 8_000),
            ("other", 1_000),
        ]
        assert {one["chances"] for one in listed["concepts"]} == {None}
        told = client.post(url, json={"ids": YES[:2]}).json()
        assert [len(one["chances"]) for one in told["concepts"]] == [2, 2]
        many = client.post(url, json={"ids": ["a"] * 10_001})
        assert many.json()["code"] == "invalid_input"
        assert client.post(url, json={"ids": ["nobody"]}).json()["code"] == "unknown_item"
