"""A store beside a dictionary; the long form is `scripts/soak --only model`."""

from __future__ import annotations

from pathlib import Path

import pytest

from latent.items import Hit
from scripts.soaking.model import StoreBesideDictionary, held, item_of, vector_of
from scripts.soaking.oracle import Oracle


def test_a_store_does_what_a_dictionary_does(tmp_path: Path) -> None:
    wrong = held(tmp_path, lives=6)
    assert wrong is None, wrong
    assert StoreBesideDictionary.operations > 100


@pytest.fixture
def oracle() -> Oracle:
    made = Oracle()
    made.put(item_of(f"i{n}", n, "red" if n % 2 else "green") for n in range(10))
    return made


def right(oracle: Oracle, k: int, colour: str | None = None) -> list[Hit]:
    query = vector_of(1_000)
    hits = [Hit(item, float(item.vector @ query)) for item in oracle.matching(colour)]
    return sorted(hits, key=lambda hit: -hit.score)[:k]


def test_the_oracle_takes_what_is_right(oracle: Oracle) -> None:
    assert oracle.faults(right(oracle, 4), vector_of(1_000), 4, None) == []
    assert oracle.faults(right(oracle, 9, "red"), vector_of(1_000), 9, "red") == []


def test_the_oracle_sees_every_kind_of_fault(oracle: Oracle) -> None:
    hits = right(oracle, 4)
    others = right(oracle, 10)
    stale = item_of(hits[0].item.id, int(hits[0].item.id[1:]), "blue")
    wrong = [
        hits[:3],
        [hits[0], hits[0], hits[1], hits[2]],
        [*hits[:3], others[5]],
        [Hit(hits[0].item, hits[0].score + 0.01), *hits[1:]],
        [Hit(stale, hits[0].score), *hits[1:]],
        [*hits[:3], Hit(item_of("i99", 3, "red"), hits[3].score)],
        hits[::-1],
    ]
    for answer in wrong:
        assert oracle.faults(answer, vector_of(1_000), 4, None), answer
    oracle.drop([hits[0].item.id])
    assert oracle.faults(hits, vector_of(1_000), 4, None)
