"""Hits grouped by what are copies of each other."""

from __future__ import annotations

import numpy as np

from latent.collection import Collection
from latent.items import Group, Hit, Item, Modality, Vectors
from latent.media.fingerprints import BITS
from latent.models.cuts import UNFITTED
from latent.settings import Settings
from latent.store import Store
from service.checks.among import MOST_TEXTS, copies_among
from service.checks.tiers import Tier
from service.engine.grouping import COPIES, grouped
from service.engine.parts import Coordinates, Part
from service.query import QueryEngine, Question

DIM = 16
CHANCE = np.random.default_rng(0)
LOOKS = [CHANCE.bytes(BITS // 8) for _ in range(4)]


def place(number: int) -> Vectors:
    """Mostly along the first axis, so that one question finds all."""
    row = np.zeros(DIM, np.float32)
    row[0], row[1 + number % (DIM - 1)] = 1.0, 1.0
    unit: Vectors = row / np.linalg.norm(row)
    return unit


def photo(name: str, look: bytes, at: int) -> Item:
    return Item(name, Modality.IMAGE, place(at), content_hash=name, picture_hash=look.hex())


def note(name: str, words: str, at: int) -> Item:
    return Item(name, Modality.TEXT, place(at), text=words)


def nearly(look: bytes) -> bytes:
    """The hash with a few bits changed."""
    return bytes([look[0] ^ 0b111, *look[1:]])


ITEMS = [
    photo("a", LOOKS[0], 0),
    photo("b", LOOKS[1], 1),
    photo("a again", nearly(LOOKS[0]), 2),
    note("c", "one cat sleeps on a warm red sofa", 3),
    note("c again", "one cat sleeps on a warm blue sofa", 3),
    note("d", "quite other words", 3),
]


def test_copies_stand_behind_the_best_of_them() -> None:
    groups = grouped([Hit(item, 0.5) for item in ITEMS], COPIES, UNFITTED)
    assert [(one.item.id, one.group) for one in groups.hits] == [
        ("a", Group("same_picture", 1)),
        ("b", Group(None, 0)),
        ("c", Group("near_copy", 1)),
        ("d", Group(None, 0)),
    ]
    assert set(groups.names["a"]) == {"a", "a again"}


def test_no_hit_and_one_hit_have_no_copies() -> None:
    assert copies_among([], UNFITTED) == []
    assert copies_among(ITEMS[:1], UNFITTED) == []


def test_many_copies_of_one_text_are_one_group_though_each_is_compared_with_few() -> None:
    words = "one cat sleeps on a warm red sofa beside the window"
    copies = [note(f"n{n}", f"{words} {n}", 0) for n in range(3 * MOST_TEXTS)]
    ((tier, places),) = copies_among(copies, UNFITTED)
    assert tier is Tier.NEAR_COPY
    assert len(places) == len(copies)


def collection_of(store: Store) -> Collection:
    collection = store.ensure("main", f"vectors:{DIM}")
    collection.put(ITEMS)
    return collection


def asked(**more: object) -> Question:
    towards = Coordinates(np.eye(1, DIM, dtype=np.float32)[0])
    return Question([Part(towards)], min_relevance=0, group_by=COPIES, **more)  # type: ignore[arg-type]


def test_an_answer_holds_one_of_all_copies_and_no_page_another(store: Store) -> None:
    collection_of(store)
    engine = QueryEngine(store)
    everything = engine.search("main", asked(k=9)).hits
    assert len(everything) == 4
    shown: set[str] = set()
    cursor = None
    for _ in range(4):
        answer = engine.search("main", asked(k=1, cursor=cursor))
        shown |= {hit.item.id for hit in answer.hits}
        cursor = answer.cursor
    assert cursor is None
    assert shown == {hit.item.id for hit in everything}


def test_a_copy_whose_best_is_gone_by_the_next_page_is_not_shown_again(
    store: Store, settings: Settings
) -> None:
    collection = collection_of(store)
    engine = QueryEngine(store)
    first = engine.search("main", asked(k=1))
    (hit,) = first.hits
    collection.drop([hit.item.id])
    rest = engine.search("main", asked(k=9, cursor=first.cursor))
    assert hit.group is not None
    known = {"a": "a again", "a again": "a", "c": "c again", "c again": "c"}
    assert known.get(hit.item.id) not in [one.item.id for one in rest.hits]
