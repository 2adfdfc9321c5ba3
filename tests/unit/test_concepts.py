"""Concepts, on vectors whose meaning is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import ValidationError

import nearfield
from latent.collection import Collection
from latent.errors import InputError, UnknownConceptError, UnknownItemError
from latent.items import Item, Modality
from latent.settings import Settings
from latent.store import Store
from service.engine.parts import parse
from service.explore import concepts
from service.query import QueryEngine, Question
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
