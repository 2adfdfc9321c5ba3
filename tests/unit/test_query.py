"""The query engine over a real store and the model that knows colours."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from latent.collection import Collection
from latent.errors import (
    FilterError,
    InputError,
    SpaceMismatchError,
    UnknownCollectionError,
    UnknownItemError,
    UnreadableImageError,
    UnsupportedMediaError,
)
from latent.items import JSON, Item, Modality
from latent.models.colours import ColourEmbedder
from latent.store import Store
from service.engine import cursors
from service.engine.parts import Coordinates, Like, Part, Picture, Text, coordinates, parse
from service.query import QueryEngine, Question

WORDS = ["red", "green", "blue", "yellow", "white", "black", "grey", "purple"]


@pytest.fixture
def filled(store: Store) -> Collection:
    """`main` with a text for each colour, numbered in its metadata."""
    collection = store.ensure("main")
    rows = ColourEmbedder().embed_texts(WORDS)
    collection.put(
        [
            Item(
                word, Modality.TEXT, row, uri=word, text=word, metadata={"n": n, "even": n % 2 == 0}
            )
            for n, (word, row) in enumerate(zip(WORDS, rows, strict=True))
        ]
    )
    return collection


@pytest.fixture
def engine(store: Store, filled: Collection) -> QueryEngine:
    return QueryEngine(store)


def ids(engine: QueryEngine, query: object, **asked: object) -> list[str]:
    """Ids of the hits for a query in any of its forms."""
    answer = engine.search("main", Question(parse(query), **asked))  # type: ignore[arg-type]
    return [hit.item.id for hit in answer.hits]


def test_words_find_what_they_mean(engine: QueryEngine) -> None:
    assert ids(engine, "a green thing", k=1) == ["green"]


def test_a_picture_finds_words(engine: QueryEngine, photos: Path) -> None:
    content = (photos / "blue.png").read_bytes()
    assert ids(engine, {"image": content}, k=1) == ["blue"]
    assert ids(engine, {"image": base64.b64encode(content).decode()}, k=1) == ["blue"]
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    assert ids(engine, {"image": url}, k=1) == ["blue"]


def test_an_item_finds_others_but_not_itself(engine: QueryEngine) -> None:
    found = ids(engine, {"id": "red"}, k=len(WORDS))
    assert "red" not in found
    assert len(found) == len(WORDS) - 1


def test_a_vector_of_any_length_finds_its_neighbour(engine: QueryEngine) -> None:
    row = ColourEmbedder().embed_texts(["purple"])[0] * 1e-3
    assert ids(engine, {"vector": row.tolist()}, k=1) == ["purple"]
    assert ids(engine, {"vector": (row.astype(np.float64) * 1e200).tolist()}, k=1) == ["purple"]


def test_a_mix_finds_what_has_something_of_all_parts(engine: QueryEngine) -> None:
    mix = [{"text": "red"}, {"text": "green", "weight": 0.9}]
    assert ids(engine, mix, k=2) == ["red", "green"]


def test_a_negative_weight_leads_away(engine: QueryEngine) -> None:
    mix = ["red green", {"id": "green", "weight": -1}]
    assert ids(engine, mix, k=1) == ["red"]
    assert "green" not in ids(engine, mix, k=8)


def test_parts_that_cancel_each_other_are_refused(engine: QueryEngine) -> None:
    with pytest.raises(InputError, match="cancel"):
        ids(engine, ["red", {"text": "red", "weight": -1}])
    with pytest.raises(InputError, match="cancel"):
        ids(engine, [{"text": "red", "weight": 0}])


def test_scores_are_cosines_and_best_comes_first(engine: QueryEngine) -> None:
    answer = engine.search("main", Question(parse("green"), k=8))
    scores = [hit.score for hit in answer.hits]
    assert scores[0] == pytest.approx(1.0)
    assert scores == sorted(scores, reverse=True)


def test_pages_hold_everything_once(engine: QueryEngine) -> None:
    question = Question(parse("green"), k=3)
    seen: list[str] = []
    pages = 0
    answer = engine.search("main", question)
    while True:
        pages += 1
        seen += [hit.item.id for hit in answer.hits]
        if answer.cursor is None:
            break
        answer = engine.search("main", Question(question.parts, k=3, cursor=answer.cursor))
    assert sorted(seen) == sorted(WORDS)
    assert pages == 3


def test_the_last_page_has_no_cursor(engine: QueryEngine) -> None:
    assert engine.search("main", Question(parse("green"), k=8)).cursor is None
    assert engine.search("main", Question(parse({"id": "red"}), k=7)).cursor is None
    assert engine.search("main", Question(parse({"id": "red"}), k=6)).cursor is not None


def test_the_size_of_a_page_may_change_on_the_way(engine: QueryEngine) -> None:
    first = engine.search("main", Question(parse("green"), k=2))
    rest = engine.search("main", Question(parse("green"), k=8, cursor=first.cursor))
    assert len(rest.hits) == 6


@pytest.mark.parametrize(
    "other",
    [
        Question(parse("red")),
        Question(parse("green"), where={"n": 1}),
        Question(parse("green"), modality=Modality.TEXT),
        Question(parse([{"text": "green", "weight": 2}])),
    ],
)
def test_a_cursor_of_another_question_is_refused(engine: QueryEngine, other: Question) -> None:
    cursor = engine.search("main", Question(parse("green"), k=2)).cursor
    asked = Question(other.parts, other.k, other.where, other.modality, cursor)
    with pytest.raises(InputError, match="another question"):
        engine.search("main", asked)


def test_a_cursor_of_another_collection_is_refused(engine: QueryEngine, store: Store) -> None:
    store.ensure("other")
    cursor = engine.search("main", Question(parse("green"), k=2)).cursor
    with pytest.raises(InputError, match="another question"):
        engine.search("other", Question(parse("green"), cursor=cursor))


@pytest.mark.parametrize("cursor", ["", "x", "!!", "e30", "W10", "WzEsMiwzXQ", "A" * 10_000, "é"])
def test_a_cursor_that_is_none_is_refused(engine: QueryEngine, cursor: str) -> None:
    with pytest.raises(InputError, match="not one of ours"):
        engine.search("main", Question(parse("green"), cursor=cursor))


def test_a_cursor_gives_back_what_was_written() -> None:
    position: list[JSON] = [float(np.float32(0.1)), "ü/1"]
    question = cursors.fingerprint(["a question"])
    seen = {cursors.mark("a"), cursors.mark("ü")}
    written = cursors.write(question, position, seen)
    assert cursors.read(written, question) == cursors.Cursor(position, frozenset(seen))


def test_a_filter_chooses_by_metadata(engine: QueryEngine) -> None:
    assert ids(engine, "green", where={"n": {"$gte": 4, "$lt": 5}}) == ["white"]
    assert ids(engine, "green", where={"n": 4}) == ["white"]
    assert set(ids(engine, "green", where={"even": True})) == set(WORDS[::2])
    assert ids(engine, "green", where={"n": 4, "even": False}) == []


@pytest.mark.parametrize("where", [{"n": [1]}, {"n": {"$above": 1}}, {"$or": 1}])
def test_a_filter_that_is_not_understood_is_refused(
    engine: QueryEngine, where: dict[str, object]
) -> None:
    with pytest.raises(FilterError):
        ids(engine, "green", where=where)


def test_a_modality_that_is_not_there_finds_nothing(engine: QueryEngine) -> None:
    assert ids(engine, "green", modality=Modality.IMAGE) == []


@pytest.mark.parametrize("k", [0, -1, 1001, 10**9])
def test_k_beyond_its_limits_is_refused(engine: QueryEngine, k: int) -> None:
    with pytest.raises(InputError, match="between 1 and 1000"):
        ids(engine, "green", k=k)


def test_an_empty_text_is_refused(engine: QueryEngine) -> None:
    with pytest.raises(InputError, match="empty"):
        ids(engine, "")


def test_ten_thousand_words_are_refused_with_both_numbers(engine: QueryEngine) -> None:
    with pytest.raises(InputError, match=r"10000 .*64"):
        ids(engine, "word " * 10_000)


def test_a_vector_of_another_dimension_is_refused(engine: QueryEngine) -> None:
    with pytest.raises(SpaceMismatchError, match=r"3 .*16"):
        ids(engine, {"vector": [1, 2, 3]})


def test_an_unknown_collection_or_item_is_named(engine: QueryEngine) -> None:
    with pytest.raises(UnknownCollectionError, match="nowhere"):
        engine.search("nowhere", Question(parse("green")))
    with pytest.raises(UnknownItemError, match="nothing"):
        ids(engine, {"id": "nothing"})


def test_a_picture_that_is_none_is_refused(engine: QueryEngine) -> None:
    with pytest.raises(UnreadableImageError):
        ids(engine, {"image": b"not a picture"})


def test_ids_and_vectors_need_no_model(store: Store) -> None:
    collection = store.ensure("mine", "vectors:2")
    collection.put(
        [
            Item(name, Modality.IMAGE, np.array(row, dtype=np.float32))
            for name, row in {"east": [1, 0], "north": [0, 1], "northeast": [1, 1]}.items()
        ]
    )
    engine = QueryEngine(store)
    answer = engine.search("mine", Question(parse({"id": "east"}), k=1))
    assert [hit.item.id for hit in answer.hits] == ["northeast"]
    with pytest.raises(UnsupportedMediaError):
        engine.search("mine", Question(parse("east")))


def test_every_stage_has_its_time(engine: QueryEngine) -> None:
    took = engine.search("main", Question(parse("green"))).took_ms
    assert set(took) == {"decode", "embed", "search", "catalog"}
    assert took["decode"] == 0.0
    assert took["embed"] > 0.0


def test_every_form_of_a_query_is_understood() -> None:
    assert parse("words") == (Part(Text("words")),)
    assert parse({"text": "words", "weight": 2}) == (Part(Text("words"), 2.0),)
    assert parse({"image": b"bytes"}) == (Part(Picture(b"bytes")),)
    assert parse([{"id": "a"}, "words"]) == (Part(Like("a")), Part(Text("words")))
    (part,) = parse({"vector": [0, 2]})
    assert isinstance(part.what, Coordinates)
    assert part.what.vector.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "query",
    [
        None,
        7,
        [],
        [[]],
        ["words"] * 33,
        {},
        {"text": "a", "id": "b"},
        {"text": 7},
        {"id": 7},
        {"words": "a"},
        {"text": "a", "colour": "red"},
        {"text": "a", "weight": "much"},
        {"text": "a", "weight": float("nan")},
        {"text": "a", "weight": True},
        {"image": 7},
        {"image": ""},
        {"image": "no base64 at all!"},
        {"image": "data:image/png,raw"},
        {"vector": []},
        {"vector": "north"},
        {"vector": [[1.0]]},
        {"vector": [float("nan")]},
        {"vector": [float("inf")]},
        {"vector": [10**400]},
        b"bytes",
    ],
)
def test_a_query_of_no_known_form_is_refused(query: object) -> None:
    with pytest.raises(InputError):
        parse(query)


@pytest.mark.parametrize("url", ["http://a.example/b.png", "HTTPS://a", "file:///etc/passwd"])
def test_an_image_at_a_url_is_not_fetched(url: str) -> None:
    with pytest.raises(InputError, match="not fetched"):
        parse({"image": url})


def test_a_data_url_that_says_it_is_no_image_is_refused() -> None:
    with pytest.raises(UnsupportedMediaError, match="text/html"):
        parse({"image": "data:text/html;base64,aGk="})


def test_parts_that_differ_describe_themselves_differently() -> None:
    parts = [
        Part(Text("a")),
        Part(Text("a"), 2.0),
        Part(Like("a")),
        Part(Picture(b"a")),
        Part(Picture(b"b")),
        Part(Coordinates(coordinates([1, 2]))),
        Part(Coordinates(coordinates([2, 1]))),
    ]
    marks = {cursors.fingerprint([part.describe()]) for part in parts}
    assert len(marks) == len(parts)
