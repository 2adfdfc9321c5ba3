"""Answers that are fused, grouped, diverse or sorted, and their pages while items come and go."""

from __future__ import annotations

import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as routine
from hypothesis import strategies as st

from latent.collection import Collection
from latent.errors import InputError
from latent.items import Group, Hit, Item, Modality
from latent.models.colours import ColourEmbedder
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from service.engine.parts import Part, Text, analogy, parse, place
from service.engine.sorting import Order
from service.query import Answer, Mode, QueryEngine, Question

COUNT = 24
ARRANGED: list[dict[str, Any]] = [
    {"sort_by": "day"},
    {"sort_by": "day:desc"},
    {"group_by": "album"},
    {"diversity": 0.4},
    {"diversity": 1.0, "group_by": "album"},
    {"sort_by": "day", "group_by": "album"},
    {"mode": Mode.KEYWORD},
    {"mode": Mode.HYBRID},
    {"mode": Mode.HYBRID, "sort_by": "day"},
    {"mode": Mode.HYBRID, "group_by": "album", "diversity": 0.2},
]
NAMES = [" ".join(f"{name}={value}" for name, value in one.items()) for one in ARRANGED]


def made(number: int, **changed: Any) -> Item:
    """Item `number`: somewhat green, on a day of its own, in an album of every fifth."""
    rng = np.random.default_rng(number)
    row = rng.standard_normal(16) / 4
    row[1] += 1.0
    metadata = {"day": int(rng.integers(1000)), "album": f"a{number % 5}", **changed}
    words = f"green thing {'leaf ' * (number % 4)}"
    vector = (row / np.linalg.norm(row)).astype(np.float32)
    return Item(f"i{number}", Modality.TEXT, vector, f"i{number}", words, metadata=metadata)


@pytest.fixture
def collection(store: Store) -> Collection:
    collection = store.ensure("main")
    collection.put([made(number) for number in range(COUNT)])
    return collection


@pytest.fixture
def engine(store: Store, collection: Collection) -> QueryEngine:
    return QueryEngine(store)


def asked(query: object = "green leaf", **options: Any) -> Question:
    """A question whose hits may be however far away."""
    least = None if options.get("mode") is Mode.KEYWORD else 0
    return Question(parse(query), min_relevance=least, **options)


def pages(engine: QueryEngine, question: Question) -> Iterator[Answer]:
    answer = engine.search("main", question)
    yield answer
    while answer.cursor is not None:
        answer = engine.search("main", replace(question, cursor=answer.cursor))
        yield answer


def ids(hits: list[Hit]) -> list[str]:
    return [hit.item.id for hit in hits]


def album_of(hit: Hit) -> object:
    return hit.item.metadata["album"]


# --- one page -----------------------------------------------------------------------------------


def test_the_best_are_sorted_and_those_beyond_the_pool_are_not_among_them(
    engine: QueryEngine,
) -> None:
    best = engine.search("main", asked(k=8)).hits
    found = engine.search("main", asked(k=8, pool=8, sort_by="day:desc")).hits
    assert ids(found) != ids(best)
    assert sorted(ids(found)) == sorted(ids(best))
    assert ids(found) == ids(Order("day", True).sorted(found))


def test_groups_are_stood_for_by_their_best_hits(engine: QueryEngine) -> None:
    best = engine.search("main", asked(k=COUNT)).hits
    found = engine.search("main", asked(group_by="album")).hits
    first: dict[object, str] = {}
    for hit in best:
        first.setdefault(album_of(hit), hit.item.id)
    assert ids(found) == list(first.values())
    assert {hit.group for hit in found} == {
        Group(f"a{n}", len(range(n, COUNT, 5)) - 1) for n in range(5)
    }


def test_no_diversity_leaves_the_order_and_much_of_it_changes_it(engine: QueryEngine) -> None:
    best = ids(engine.search("main", asked(k=COUNT)).hits)
    same = ids(engine.search("main", asked(k=COUNT, diversity=0)).hits)
    unlike = ids(engine.search("main", asked(k=COUNT, diversity=0.9)).hits)
    assert same == best
    assert unlike != best
    assert unlike[0] == best[0]
    assert sorted(unlike) == sorted(best)


def test_words_find_what_the_vectors_do_not(engine: QueryEngine, collection: Collection) -> None:
    far = np.eye(16, dtype=np.float32)[2]
    collection.put([Item("code", Modality.TEXT, far, text="part XJ-900")])
    by_words = engine.search("main", asked("XJ-900", mode=Mode.KEYWORD)).hits
    assert ids(by_words) == ["code"]
    assert by_words[0].found_by == ("keyword",)
    assert math.isnan(by_words[0].score)
    both = engine.search("main", asked("green XJ-900", mode=Mode.HYBRID, k=5, pool=5)).hits
    code = next(hit for hit in both if hit.item.id == "code")
    assert code.found_by == ("keyword",)
    vector = ColourEmbedder().embed_texts(["green XJ-900"])[0]
    assert code.score == pytest.approx(float(far @ vector), abs=1e-6)


def test_a_hybrid_hit_says_which_sides_found_it(engine: QueryEngine) -> None:
    hits = engine.search("main", asked("green leaf", mode=Mode.HYBRID, k=COUNT)).hits
    assert {hit.found_by for hit in hits} == {("vector", "keyword")}
    assert all(hit.found_by == () for hit in engine.search("main", asked()).hits)


def test_keyword_search_needs_no_model(store: Store) -> None:
    mine = store.ensure("mine", "vectors:2")
    mine.put([Item("a", Modality.IMAGE, np.ones(2, np.float32), text="a red boat")])
    question = Question(parse("boat"), mode=Mode.KEYWORD)
    assert ids(QueryEngine(store).search("mine", question).hits) == ["a"]


def test_words_keep_to_what_matches_and_leave_out_what_is_named(engine: QueryEngine) -> None:
    kept = engine.search("main", asked(mode=Mode.KEYWORD, where={"album": "a1"}, k=COUNT)).hits
    assert {album_of(hit) for hit in kept} == {"a1"}
    named = asked(["green leaf", {"id": "i7"}], mode=Mode.HYBRID, k=COUNT)
    assert "i7" not in ids(engine.search("main", named).hits)


def test_the_explanation_says_how_many_were_arranged(engine: QueryEngine) -> None:
    sorted_ = engine.search("main", asked(sort_by="day", pool=12, explain=True)).explain
    assert sorted_ is not None
    assert sorted_["pool"] == 12
    both = engine.search("main", asked(mode=Mode.HYBRID, explain=True)).explain
    assert both is not None
    assert both["words"] == COUNT
    words = engine.search("main", asked(mode=Mode.KEYWORD, explain=True)).explain
    assert words == {"plan": "keyword", "words": COUNT, "pool": COUNT}


# --- analogies ----------------------------------------------------------------------------------


def test_an_analogy_finds_what_completes_it_and_none_of_its_own_things(store: Store) -> None:
    words = ["red", "red grey", "green", "green grey", "blue", "blue grey", "white"]
    rows = ColourEmbedder().embed_texts(words)
    collection = store.ensure("main")
    collection.put(
        [Item(word, Modality.TEXT, row, text=word) for word, row in zip(words, rows, strict=True)]
    )
    engine = QueryEngine(store)

    def completed(*things: object) -> list[str]:
        first, second, third = (place(thing) for thing in things)
        parts = analogy(first, second, third)
        question = Question(parts, k=7, is_analogy=True, min_relevance=0)
        return ids(engine.search("main", question).hits)

    for third in ({"id": "green"}, "green"):
        found = completed("red", {"id": "red grey"}, third)
        assert found[0] == "green grey"
        assert not {"red", "red grey", "green"} & {*found}
    with pytest.raises(InputError, match="A and B"):
        completed("red", {"id": "red"}, "green")
    with pytest.raises(InputError, match="A and C"):
        completed("red", "green", "red")


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"diversity": -0.1}, "between 0 and 1"),
        ({"diversity": 1.1}, "between 0 and 1"),
        ({"diversity": math.nan}, "between 0 and 1"),
        ({"diversity": 0.5, "sort_by": "day"}, "one of them"),
        ({"pool": 50}, "none are"),
        ({"pool": 5, "sort_by": "day"}, r"between k \(10\)"),
        ({"pool": 1001, "sort_by": "day"}, "1000"),
        ({"sort_by": ""}, "needs a field"),
        ({"sort_by": "dya"}, "sort_by: .*'day'"),
        ({"group_by": "albun"}, "group_by: .*'album'"),
        ({"group_by": "$files"}, r"\$document"),
    ],
)
def test_options_without_a_meaning_are_refused(
    engine: QueryEngine, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        engine.search("main", asked(**options))


def test_a_query_that_only_leads_away_is_refused(engine: QueryEngine) -> None:
    with pytest.raises(InputError, match="leads away"):
        engine.search("main", Question([Part(Text("green"), -1.0)]))


@pytest.mark.parametrize("options", ARRANGED, ids=NAMES)
def test_a_cursor_of_another_arrangement_is_refused(
    engine: QueryEngine, options: dict[str, Any]
) -> None:
    cursor = engine.search("main", asked(k=3, **options)).cursor
    for other in [{}, *ARRANGED]:
        if other != options:
            with pytest.raises(InputError, match="another question"):
                engine.search("main", asked(k=3, cursor=cursor, **other))


@pytest.mark.parametrize(
    "position", [None, 7, [], {}, {"pool": 1, "last": None}, {"pool": {"text": 1}}]
)
@pytest.mark.parametrize("tail", ["", ".AA", ".!"])
def test_a_forged_cursor_is_refused_by_name(
    engine: QueryEngine, position: object, tail: str
) -> None:
    question = asked(k=3, sort_by="day")
    cursor = engine.search("main", question).cursor
    assert cursor is not None
    head = cursor.partition(".")[0]
    mark, _ = json.loads(urlsafe_b64decode(head + "=="))
    forged = urlsafe_b64encode(json.dumps([mark, position]).encode()).decode().rstrip("=") + tail
    with pytest.raises(InputError, match="not one of ours"):
        engine.search("main", replace(question, cursor=forged))


# --- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ARRANGED, ids=NAMES)
@pytest.mark.parametrize("k", [1, 5, 7])
def test_pages_are_the_whole_answer_cut_into_pieces(
    engine: QueryEngine, options: dict[str, Any], k: int
) -> None:
    whole = engine.search("main", asked(k=COUNT, **options)).hits
    found = list(pages(engine, asked(k=k, pool=COUNT, **options)))
    assert [hit.item.id for page in found for hit in page.hits] == ids(whole)
    assert [len(page.hits) for page in found[:-1]] == [k] * (len(found) - 1)


def test_a_pool_ends_the_pages(engine: QueryEngine) -> None:
    found = list(pages(engine, asked(k=4, pool=10, sort_by="day")))
    assert [len(page.hits) for page in found] == [4, 4, 2]


@pytest.mark.parametrize("options", [{"sort_by": "day"}, {"diversity": 0.4}])
def test_better_hits_that_come_push_nothing_out_of_the_pool(
    engine: QueryEngine, collection: Collection, options: dict[str, Any]
) -> None:
    pool = ids(engine.search("main", asked("green", k=10)).hits)
    seen: list[str] = []
    for turn, page in enumerate(pages(engine, asked("green", k=4, pool=10, **options))):
        seen += ids(page.hits)
        if turn < 2:
            best = ColourEmbedder().embed_texts(["green"])[0]
            better = [replace(made(n), id=f"better {turn} {n}", vector=best) for n in range(10)]
            collection.put(better)
    assert {*pool} <= {*seen}
    assert len({*seen}) == len(seen)


@st.composite
def turns(draw: st.DrawFn) -> list[tuple[list[int], list[int]]]:
    """Between two pages: which items come, and which go."""
    number = st.integers(0, 2 * COUNT)
    comes, goes = st.lists(number, max_size=6), st.lists(number, max_size=4)
    return draw(st.lists(st.tuples(comes, goes), max_size=6))


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store whose collection each example fills anew."""
    settings = Settings(data=tmp_path_factory.mktemp("data"), model="colours", threads=1)
    with open_store(settings) as opened:
        yield opened


@pytest.mark.parametrize("options", ARRANGED, ids=NAMES)
@given(turns())
@routine(max_examples=12, deadline=None)
def test_pages_hold_nothing_twice_and_miss_nothing_that_stays(
    changing: Store, options: dict[str, Any], changes: list[tuple[list[int], list[int]]]
) -> None:
    collection = changing.ensure("main")
    collection.drop([f"i{number}" for number in range(4 * COUNT)])
    collection.put([made(number) for number in range(COUNT)])
    touched: set[str] = set()
    seen: list[Hit] = []
    for turn, page in enumerate(pages(QueryEngine(changing), asked(k=4, **options))):
        seen += page.hits
        comes, goes = changes[turn] if turn < len(changes) else ([], [])
        collection.put([made(number + COUNT) for number in comes])
        collection.drop([f"i{number}" for number in goes])
        touched |= {f"i{number + COUNT}" for number in comes} | {f"i{n}" for n in goes}
    names = ids(seen)
    assert len(set(names)) == len(names)
    if "group_by" in options:
        assert len({album_of(hit) for hit in seen}) == len(seen)
        assert len(seen) == 5 or touched
    else:
        assert {f"i{number}" for number in range(COUNT)} - touched <= set(names)
    if "sort_by" in options:
        order = Order("day", options["sort_by"].endswith(":desc"))
        assert names == ids(order.sorted(seen))
