"""The catalog on PostgreSQL: filters, words, upkeep. Set NEARFIELD_TEST_POSTGRESQL to a URL.

    NEARFIELD_TEST_POSTGRESQL=postgresql+psycopg://postgres@127.0.0.1:5432/test

Each test works in a schema of its own, which it drops again.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any

import filter_forms
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from latent.collection import Collection
from latent.items import Item, Modality
from latent.models.colours import DIM
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store

URL = os.environ.get("NEARFIELD_TEST_POSTGRESQL")
pytestmark = pytest.mark.skipif(URL is None, reason="NEARFIELD_TEST_POSTGRESQL is not set")


@pytest.fixture
def url() -> Iterator[str]:
    assert URL is not None
    schema = f"nearfield_{secrets.token_hex(6)}"
    engine = create_engine(URL)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{URL}{'&' if '?' in URL else '?'}options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def store(settings: Settings, url: str) -> Iterator[Store]:
    with open_store(settings.model_copy(update={"catalog_url": url})) as opened:
        yield opened


@pytest.fixture
def collection(store: Store) -> Collection:
    made = store.ensure("main")
    filter_forms.fill(made, [])
    return made


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    metadatas=st.lists(filter_forms.metadata, min_size=1, max_size=8),
    filters=st.lists(filter_forms.wheres, min_size=1, max_size=6),
)
def test_postgresql_and_python_agree(
    collection: Collection, metadatas: list[dict[str, Any]], filters: list[dict[str, Any]]
) -> None:
    filter_forms.fill(collection, metadatas)
    for where in filters:
        filter_forms.require_agreement(collection, where)


def place(*numbers: float) -> Any:
    row = np.zeros(DIM, np.float32)
    row[: len(numbers)] = numbers
    return row / np.linalg.norm(row)


def test_items_come_and_go_and_are_found(store: Store) -> None:
    collection = store.ensure("main")
    collection.put(
        [
            Item("a", Modality.TEXT, place(1), "a.md", "a dog in the snow", metadata={"n": 1}),
            Item("b", Modality.TEXT, place(1, 1), "b.md", "東京の雪", metadata={"n": 2}),
            Item("c", Modality.IMAGE, place(0, 1), "beach/dogs.jpg", metadata={"tag": "Café"}),
        ]
    )
    assert [hit.item.id for hit in collection.nearest(place(1), 5)] == ["a", "b", "c"]
    found = collection.explained(place(1), 5, where={"n": {"$gt": 1}})
    assert [hit.item.id for hit in found.hits] == ["b"]
    assert found.explain["matched"] == 1
    assert collection.publish()
    assert collection.verify() == []
    collection.drop(["a"])
    collection.put([Item("b", Modality.TEXT, place(1, 1), "b.md", "a cat")])
    assert {item.id for item, _ in collection.matching_words("dog cat", 5)} == {"b", "c"}
    assert collection.verify() == []


def test_words_are_found_with_their_stems_accents_and_beginnings(store: Store) -> None:
    collection = store.ensure("main")
    collection.put(
        [
            Item("a", Modality.TEXT, place(1), "a.md", "two dogs running in the snow"),
            Item("b", Modality.TEXT, place(1), "b.md", "東京の雪"),
            Item("c", Modality.IMAGE, place(1), "beach/IMG_12.jpg", metadata={"tags": ["Café"]}),
        ]
    )

    def ids(query: str, **how: Any) -> list[str]:
        return [item.id for item, _ in collection.matching_words(query, 5, **how)]

    assert ids("a dog runs") == ["a"]
    assert ids("雪") == ids("東京") == ["b"]
    assert ids("京東") == []
    assert ids("CAFE") == ids("beach") == ids("12") == ["c"]
    assert ids("bea", prefix=True) == ["c"]
    assert ids("snow", modality=Modality.IMAGE) == []
    assert ids("' & | ! :* <-> \\ \" (") == []


def test_words_out_of_step_are_named_and_repaired(store: Store, url: str) -> None:
    collection = store.ensure("main")
    collection.put([Item(name, Modality.TEXT, place(1), text=name) for name in ("x", "y", "z")])
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM words WHERE content LIKE 'x%'"))
        connection.execute(text("UPDATE words SET content = 'other' WHERE content LIKE 'y%'"))
    engine.dispose()
    assert collection.verify() == [
        "item x is not found by its words",
        "item y is not found by its words",
    ]
    collection.repair()
    assert collection.verify() == []
    store.delete("main")
    assert store.ensure("main").verify() == []


def test_a_catalog_of_schema_1_is_brought_forward(settings: Settings, url: str) -> None:
    open_settings = settings.model_copy(update={"catalog_url": url})
    with open_store(open_settings) as store:
        store.ensure("main").put(
            [Item("a", Modality.TEXT, place(1), text="snow", metadata={"n": {"m": 1}})]
        )
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "ALTER TABLE items ADD COLUMN vector bytea",
            "UPDATE items SET vector = vectors.vector FROM vectors WHERE vectors.key = items.key",
            "DROP TABLE vectors",
            "DROP TABLE alembic_version",
            "ALTER TABLE collections DROP COLUMN pruned",
            "ALTER TABLE collections DROP COLUMN quantisation",
            "ALTER TABLE items DROP COLUMN picture_hash",
            "ALTER TABLE items DROP COLUMN checksum",
            "DROP TABLE words",
            "DROP TABLE fields",
            "ALTER TABLE items ALTER COLUMN metadata TYPE json USING metadata::json",
            "UPDATE numbers SET value = 1 WHERE name = 'schema'",
        ):
            connection.execute(text(statement.replace("::", "\\:\\:")))
    engine.dispose()
    with open_store(open_settings) as store:
        collection = store.collection("main")
        assert [item.id for item, _ in collection.matching_words("snow", 5)] == ["a"]
        assert collection.count(where={"n.m": 1}) == 1
        assert collection.get(["a"])[0].vector.tolist() == place(1).tolist()
        assert collection.verify() == []
