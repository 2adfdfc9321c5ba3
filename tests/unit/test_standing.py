"""All hits of a question at once: the same as a search that goes on to the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latent.errors import FilterError, InputError
from latent.items import Item, Modality
from latent.models.colours import COLOURS, ColourEmbedder
from latent.store import Store
from service.engine.parts import Text, analogy, parse, place
from service.query import Mode, QueryEngine, Question

NAMES = ["red", "green", "blue", "yellow"]


def filled(store: Store) -> QueryEngine:
    """Texts and pictures of some colours, a few of each not quite that colour."""
    embedder = ColourEmbedder()
    rows = embedder.embed_texts([f"a {name} thing" for name in NAMES])
    drawn = np.random.default_rng(3).normal(0, 0.15, (12, *rows.shape)).astype(np.float32)
    drawn[0] = 0  # these are the very colours: an analogy of them leaves them out
    kinds = [Modality.IMAGE, Modality.TEXT]
    items = [
        Item(f"{name}/{n}", kinds[n % 2], row + drawn[n, at], metadata={"year": 2000 + n})
        for at, (name, row) in enumerate(zip(NAMES, rows, strict=True))
        for n in range(12)
    ]
    store.ensure("main").put(items)
    assert set(NAMES) <= set(COLOURS)
    return QueryEngine(store)


def told(store: Store, asked: Question, most: int = 1_000) -> tuple[list[str], int]:
    """The ids of all hits as `standing` tells them, and how many there are."""
    engine = QueryEngine(store)
    plan = engine.plan("main", asked)
    placed = list(
        ColourEmbedder().embed_texts([one.text for one in plan.things if isinstance(one, Text)])
    )
    found = engine.standing(plan, placed, most)
    collection = store.collection("main")
    ids = {int(collection.keys_of([item.id])[0]): item.id for item in collection.scroll(1_000)}
    return [ids[key] for key in found.keys.tolist()], found.hits


@pytest.mark.parametrize(
    "asked",
    [
        {"parts": parse("red")},
        {"parts": parse("red"), "modality": Modality.TEXT},
        {"parts": parse("red"), "where": {"year": {"$gte": 2004}}},
        {"parts": parse({"id": "green/1"}), "where": {"year": {"$lt": 2007}}},
        {"parts": parse("red"), "where": {"year": 1999}, "modality": None},
        {"parts": analogy(place("red"), place("green"), place("blue"))[:], "is_analogy": True},
    ],
    ids=["all", "texts", "filtered", "like one", "none match", "analogy"],
)
@pytest.mark.parametrize("least", [0.0, 0.2, 0.5, 0.9])
def test_all_hits_are_those_of_a_search_to_the_end(
    store: Store, asked: dict[str, Any], least: float
) -> None:
    engine = filled(store)
    question = Question(**asked, k=100, min_relevance=least)
    found = engine.search("main", question).hits
    ids, hits = told(store, question)
    assert sorted(ids) == sorted(hit.item.id for hit in found)
    assert hits == len(found)


def test_the_most_relevant_are_told_and_all_are_counted(store: Store) -> None:
    engine = filled(store)
    question = Question(parse("red"), k=5, min_relevance=0)
    few, hits = told(store, question, most=5)
    assert (len(few), hits) == (5, 48)
    assert set(few) == {hit.item.id for hit in engine.search("main", question).hits}


def test_what_was_dropped_stands_nowhere(store: Store) -> None:
    filled(store)
    store.collection("main").drop(["red/1"])
    assert "red/1" not in told(store, Question(parse("red"), min_relevance=0))[0]


def test_words_alone_have_no_place_in_the_space(store: Store) -> None:
    filled(store)
    with pytest.raises(InputError, match="keyword"):
        told(store, Question(parse("red"), mode=Mode.KEYWORD))


def test_a_filter_that_nothing_can_match_is_named(store: Store) -> None:
    filled(store)
    with pytest.raises(FilterError, match="year"):
        told(store, Question(parse("red"), where={"year": "late"}))
