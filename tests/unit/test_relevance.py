"""Relevance of hits: the cut, matches, mixed lists and pages, with the model that knows colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent.collection import Collection
from latent.errors import InputError
from latent.items import Item, Modality
from latent.models.colours import COLOURS, ColourEmbedder
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from service.engine import nearby
from service.engine.parts import Coordinates, Like, Part, Picture, Text, coordinates, parse
from service.engine.relevance import kinds_of
from service.query import Answer, Mode, QueryEngine, Question


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store that cuts off as it does by default."""
    with open_store(Settings(data=tmp_path / "data", model="colours", threads=1)) as opened:
        yield opened


@pytest.fixture
def both(store: Store) -> Collection:
    """`main` with a picture and a text of each colour."""
    model = ColourEmbedder()
    pictures = [model.prepare(Image.new("RGB", (8, 8), colour)) for colour in COLOURS.values()]
    collection = store.ensure("main")
    collection.put(
        [
            Item(f"{name}.png", Modality.IMAGE, row, metadata={"n": n})
            for n, (name, row) in enumerate(zip(COLOURS, model.embed_images(pictures), strict=True))
        ]
    )
    collection.put(
        [
            Item(name, Modality.TEXT, row, text=name, metadata={"n": n})
            for n, (name, row) in enumerate(
                zip(COLOURS, model.embed_texts(list(COLOURS)), strict=True)
            )
        ]
    )
    return collection


def ask(store: Store, query: object, **more: object) -> Answer:
    return QueryEngine(store).search("main", Question(parse(query), **more))  # type: ignore[arg-type]


def ids(answer: Answer) -> list[str]:
    return [hit.item.id for hit in answer.hits]


def test_what_stands_out_is_found_and_nothing_else(store: Store, both: Collection) -> None:
    answer = ask(store, "a green thing")
    assert answer.match
    assert set(ids(answer)) == {"green", "green.png"}
    assert answer.cursor is None


def test_where_nothing_stands_out_the_answer_is_empty(store: Store, both: Collection) -> None:
    answer = ask(store, "a thing")
    assert not answer.match
    assert answer.hits == []
    assert answer.cursor is None


def test_zero_shows_the_nearest_and_says_they_are_no_match(store: Store, both: Collection) -> None:
    answer = ask(store, "a thing", min_relevance=0, k=5)
    assert len(answer.hits) == 5
    assert not answer.match
    assert ask(store, "green", min_relevance=0).match


def test_the_cut_is_at_the_relevance_asked_for(store: Store, both: Collection) -> None:
    everything = ask(store, "red green", min_relevance=0, k=16).hits
    for least in (0.1, 0.5, 0.9):
        kept = ask(store, "red green", min_relevance=least, k=16).hits
        assert [hit.item.id for hit in kept] == [
            hit.item.id for hit in everything if (hit.relevance or 0) >= least
        ]


def test_relevance_is_between_0_and_1_and_never_rises(store: Store, both: Collection) -> None:
    found = [hit.relevance for hit in ask(store, "red green", min_relevance=0, k=16).hits]
    relevance = [one for one in found if one is not None]
    assert len(relevance) == 16
    assert relevance == sorted(relevance, reverse=True)
    assert 0 <= relevance[-1] < relevance[0] <= 1


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_least_relevance_that_is_none_is_refused(
    store: Store, both: Collection, least: float
) -> None:
    with pytest.raises(InputError, match="min_relevance"):
        ask(store, "green", min_relevance=least)


def test_words_alone_have_no_relevance_to_ask_for(store: Store, both: Collection) -> None:
    answer = ask(store, "green", mode=Mode.KEYWORD)
    assert ids(answer) == ["green"]
    assert answer.match
    assert answer.hits[0].relevance is None
    with pytest.raises(InputError, match="min_relevance"):
        ask(store, "green", mode=Mode.KEYWORD, min_relevance=0.5)


def test_a_hit_that_only_words_found_is_judged_too(store: Store, both: Collection) -> None:
    both.put([Item("odd", Modality.TEXT, np.eye(1, 16, 3, dtype=np.float32)[0], text="green tea")])
    answer = ask(store, "green", mode=Mode.HYBRID)
    odd = next(hit for hit in answer.hits if hit.item.id == "odd")
    assert odd.relevance is not None and odd.relevance < 0.5


def test_neither_kind_crowds_out_the_other(store: Store, both: Collection) -> None:
    model = ColourEmbedder()
    # Texts that all score higher for "green blue" than any photo, and photos of both colours.
    near, far = model.embed_texts(["green blue yellow", "blue red white black grey"])
    both.put([Item(f"text {n}", Modality.TEXT, near, text="x") for n in range(40)])
    both.put([Item(f"photo {n}", Modality.IMAGE, far) for n in range(40)])
    answer = ask(store, "green blue", min_relevance=0, k=60)
    alone = ask(store, "green blue", min_relevance=0, k=60, modality=Modality.IMAGE)
    photos = [hit.item.id for hit in answer.hits if hit.item.modality is Modality.IMAGE]
    assert photos[:2] == ids(alone)[:2]
    scores = [hit.score for hit in answer.hits]
    assert scores != sorted(scores, reverse=True)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_pages_of_both_kinds_hold_everything_once_in_order(
    store: Store, both: Collection, k: int
) -> None:
    whole = ids(ask(store, "red green", min_relevance=0, k=16))
    answer = ask(store, "red green", min_relevance=0, k=k)
    seen = ids(answer)
    while answer.cursor is not None:
        answer = ask(store, "red green", min_relevance=0, k=k, cursor=answer.cursor)
        seen += ids(answer)
    assert seen == whole
    assert len(set(seen)) == 16


def test_pages_end_where_relevance_ends(store: Store, both: Collection) -> None:
    first = ask(store, "red green", k=3)
    assert first.cursor is not None
    rest = ask(store, "red green", k=3, cursor=first.cursor)
    assert set(ids(first) + ids(rest)) == {"red", "green", "red.png", "green.png"}
    assert rest.cursor is None
    assert rest.match


def test_a_cursor_of_another_least_relevance_is_refused(store: Store, both: Collection) -> None:
    cursor = ask(store, "red green", k=3).cursor
    with pytest.raises(InputError, match="another question"):
        ask(store, "red green", k=3, min_relevance=0, cursor=cursor)


def test_an_arranged_answer_holds_only_what_is_relevant(store: Store, both: Collection) -> None:
    answer = ask(store, "red green", sort_by="n:desc", k=10)
    assert sorted(ids(answer)) == ["green", "green.png", "red", "red.png"]


def test_a_filter_counts_only_what_it_lets_pass(store: Store, both: Collection) -> None:
    where = {"n": {"$lt": 2}}
    answer = ask(store, "green", where=where, modality=Modality.TEXT, explain=True)
    assert answer.explain is not None
    relevance = answer.explain["relevance"]
    assert relevance == {
        "text": {"mean": pytest.approx(0.125), "deviation": pytest.approx(0.3307, abs=1e-4)}
        | {"sampled": 8, "items": 2}
    }
    assert ids(answer) == ["green"]


def test_items_and_vectors_are_judged_as_well(store: Store, both: Collection) -> None:
    assert ids(ask(store, {"id": "red"})) == ["red.png"]
    row = ColourEmbedder().embed_texts(["red"])[0].tolist()
    assert set(ids(ask(store, {"vector": row}))) == {"red", "red.png"}


def test_an_empty_collection_answers_that_nothing_matches(store: Store) -> None:
    store.ensure("main")
    answer = ask(store, "green", explain=True)
    assert (answer.match, answer.hits) == (False, [])


def test_a_new_kind_of_item_is_found_at_once(store: Store) -> None:
    model = ColourEmbedder()
    collection = store.ensure("main")
    collection.put([Item("red", Modality.TEXT, model.embed_texts(["red"])[0], text="red")])
    assert ids(ask(store, "green")) == []
    green = model.embed_images([model.prepare(Image.new("RGB", (8, 8), COLOURS["green"]))])[0]
    collection.put([Item("green.png", Modality.IMAGE, green)])
    assert ids(ask(store, "green")) == ["green.png"]


def test_the_kinds_of_a_question_are_weighed() -> None:
    parts = [
        Part(Text("a"), 2.0),
        Part(Text("b"), -1.0),
        Part(Picture(b"c"), 1.0),
        Part(Like("d"), 0.5),
        Part(Coordinates(coordinates([1, 2])), 3.0),
    ]
    kinds = kinds_of(parts, {"d": Modality.IMAGE})
    assert kinds == {Modality.TEXT: 2.0, Modality.IMAGE: 1.5, None: 3.0}


@pytest.mark.parametrize("position", [[], {"image": 1}, {"sound": [0.5, "a"]}, {"text": ["a", 1]}])
def test_a_position_that_is_none_is_refused(
    store: Store, both: Collection, position: object
) -> None:
    plan = QueryEngine(store).plan("main", Question(parse("green")))
    vector = ColourEmbedder().embed_texts(["green"])[0]
    with pytest.raises(InputError, match="not one of ours"):
        nearby.nearby(plan, vector, 3, after=position)  # type: ignore[arg-type]


def test_a_sample_is_drawn_anew_when_much_has_changed(store: Store, both: Collection) -> None:
    before = both.background()[Modality.TEXT]
    assert before.items == 8
    assert both.background()[Modality.TEXT] is before
    row = ColourEmbedder().embed_texts(["red"])[0]
    both.put([Item(f"more {n}", Modality.TEXT, row) for n in range(20)])
    after = both.background()[Modality.TEXT]
    assert (after.items, len(after.vectors)) == (28, 28)
    both.put([Item("one more", Modality.TEXT, row)])
    assert both.background()[Modality.TEXT] is after
