"""Thousands of rows in one write are written as one row is, and read the same."""

from __future__ import annotations

import json
import math
import re
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from latent.catalog import fields, keywords
from latent.catalog.database import TOGETHER, listed, written
from latent.collection import Collection
from latent.errors import InputError
from latent.items import JSON, Item, Metadata, Modality
from latent.settings import Settings
from latent.store import Store
from latent.wiring import CATALOG, open_store

MANY = 2 * TOGETHER + 7


@pytest.fixture
def collection(store: Store) -> Collection:
    return store.ensure("many", "vectors:8")


def items(year: int, count: int = MANY) -> list[Item]:
    chance = np.random.default_rng(year)
    return [
        Item(
            str(number),
            Modality.TEXT,
            chance.standard_normal(8).astype(np.float32),
            text=f"note {number}",
            metadata={"year": year, "in": {f"n{number % 3}": None}},
        )
        for number in range(count)
    ]


def test_many_rows_are_stored_and_replaced_as_few_are(collection: Collection) -> None:
    collection.put(items(1999))
    collection.put(items(2020))
    assert collection.count(where={"year": 2020}) == collection.count() == MANY
    last = collection.get([str(MANY - 1)])[0]
    assert (last.text, last.metadata["year"]) == (f"note {MANY - 1}", 2020)
    assert [hit.item.id for hit in collection.nearest(last.vector, 1)] == [last.id]
    assert [item.id for item, _ in collection.matching_words(f"note {MANY - 2}", 1)] == [
        str(MANY - 2)
    ]
    assert collection.verify() == []


def test_an_id_with_a_nul_is_not_that_of_what_stands_before_it(collection: Collection) -> None:
    collection.put(items(2020, count=2))
    assert collection.find(["1\0x"]) == {}
    assert collection.origins(["1\0x"]) == {}
    assert collection.drop(["1\0x"]) == 0


def test_values_that_are_looked_up_together_are_one_parameter() -> None:
    assert listed(["a", 'b"', "c\0"]) == '["a", "b\\""]'


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inside: st.lists(inside) | st.dictionaries(st.text("ab\"é"), inside),
    max_leaves=10,
)  # fmt: skip


@given(JSONS)
def test_what_is_written_is_read_again(value: JSON) -> None:
    read = json.loads(written(value))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("odd", [math.nan, math.inf, object()])
def test_what_json_cannot_hold_is_refused(collection: Collection, odd: object) -> None:
    metadata: Metadata = {"deep": [odd]}  # type: ignore[list-item]
    with pytest.raises(InputError, match="JSON cannot hold"):
        collection.put([Item("a", Modality.TEXT, np.ones(8, np.float32), metadata=metadata)])


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_plain_text_is_cut_into_words_as_any_other_is(text: str) -> None:
    by_pattern = [word[: keywords.LONGEST_WORD] for word in re.findall(r"[^\W_]+", text.lower())]
    assert keywords.words_in(text) == by_pattern
    assert keywords.words_in(text + " é") == [*by_pattern, "e"]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), JSONS), max_size=5))
def test_of_rows_that_are_made_alike_no_field_is_overlooked(rows: Sequence[Metadata]) -> None:
    forms = {fields.form_of(row): set(fields.names_in(row)) for row in rows}
    for row in rows:
        assert forms[fields.form_of(row)] == set(fields.names_in(row))


def test_verify_looks_at_every_page_and_holds_none_of_the_others(settings: Settings) -> None:
    count, dim = 20_000, 128
    rows = np.random.default_rng(0).standard_normal((count, dim)).astype(np.float32)
    with open_store(settings) as store:
        collection = store.ensure("many", f"vectors:{dim}")
        collection.put([Item(str(n), Modality.IMAGE, row) for n, row in enumerate(rows)])
        collection.publish(force=True)
        assert collection.verify() == []
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.begin() as connection:
        for item_id, other in (("17", "18"), (str(count - 2), str(count - 1))):
            of = "(SELECT key FROM items WHERE id = '{}')".format
            vector = f"(SELECT vector FROM vectors WHERE key = {of(other)})"
            connection.execute(
                text(f"UPDATE vectors SET vector = {vector} WHERE key = {of(item_id)}")
            )
    engine.dispose()
    with open_store(settings) as store:
        index = store.collection("many")._index
        index.followed()
        tracemalloc.start()
        flaws = [flaw for _, flaw in index.flaws()]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert flaws == ["has another vector in the index"] * 2
    assert peak < count * dim * 4


def test_counts_are_those_of_now(collection: Collection) -> None:
    assert collection.summary().texts == 0
    for count in (3, 5):
        collection.put(items(2020, count=count))
        assert collection.summary().texts == collection.summary().searched == count
    collection.drop(["0"])
    assert collection.summary().texts == 4
