"""A catalog of schema 2, which knew no picture hashes, is brought forward."""

from __future__ import annotations

import sqlite3

import numpy as np

from latent.items import Item, Modality
from latent.settings import Settings
from latent.wiring import CATALOG, open_store


def test_a_catalog_of_schema_2_gets_hashes_that_are_not_known(settings: Settings) -> None:
    item = Item("a", Modality.IMAGE, np.eye(16, dtype=np.float32)[0], picture_hash="ab" * 32)
    with open_store(settings) as store:
        store.ensure("main").put([item])
        assert store.collection("main").get(["a"])[0].picture_hash == "ab" * 32
    raw = sqlite3.connect(settings.data / CATALOG)
    raw.execute("ALTER TABLE items DROP COLUMN picture_hash")
    raw.execute("UPDATE numbers SET value = 2 WHERE name = 'schema'")
    raw.commit()
    raw.close()
    for _ in range(2):
        with open_store(settings) as store:
            collection = store.collection("main")
            assert collection.get(["a"])[0].picture_hash is None
            assert collection.looking_like("ab" * 32, 0.1, 9) == []
            assert collection.verify() == []
    with open_store(settings) as store:
        store.collection("main").put([item])
        assert store.collection("main").looking_like("ab" * 32, 0.1, 9) == ["a"]
