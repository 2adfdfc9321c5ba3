"""Items that are not as they were written are named, whatever was changed of them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from old_catalogs import set_back

from latent.items import Item, Modality, Passage
from latent.models.colours import DIM
from latent.settings import Settings
from latent.wiring import CATALOG, open_store

ITEMS = [
    Item(
        "a/ü", Modality.TEXT, np.eye(DIM, dtype=np.float32)[0], "a.md", "12",
        Passage("a", 0, 1, 0, 2),
        {"year": 2019, "ratio": 0.1, "deep": {"b": [True, None, 1e300]}}, "/x/a.md", "h",
    ),
    Item("b", Modality.IMAGE, np.eye(DIM, dtype=np.float32)[1], picture_hash="ab" * 32),
]  # fmt: skip


def write(settings: Settings) -> Path:
    with open_store(settings) as store:
        collection = store.ensure("main")
        collection.put(ITEMS)
        collection.put(ITEMS[:1])  # replaced: its checksum is that of the new row
        assert collection.verify() == []
    return settings.data / CATALOG


def verified(settings: Settings) -> list[str]:
    with open_store(settings) as store:
        return store.collection("main").verify()


@pytest.mark.parametrize(
    ("change", "item_id"),
    [
        ("UPDATE items SET metadata = replace(metadata, 'year', 'yeas') WHERE id = 'a/ü'", "a/ü"),
        ("UPDATE items SET metadata = replace(metadata, '2019', '2018') WHERE id = 'a/ü'", "a/ü"),
        ("UPDATE items SET text = CAST(x'ff31' AS TEXT) WHERE id = 'a/ü'", "a/ü"),
        ("UPDATE items SET text = NULL WHERE id = 'a/ü'", "a/ü"),
        ("UPDATE items SET uri = 'b.md' WHERE id = 'a/ü'", "a/ü"),
        ("UPDATE items SET source = '/y/a.md' WHERE id = 'a/ü'", "a/ü"),
        ("UPDATE items SET sequence = 1 WHERE id = 'a/ü'", "a/ü"),
        ("UPDATE items SET id = 'c' WHERE id = 'b'", "c"),
        ("UPDATE items SET modality = 'text' WHERE id = 'b'", "b"),
        ("UPDATE items SET picture_hash = NULL WHERE id = 'b'", "b"),
    ],
)
def test_whatever_is_changed_of_a_row_is_noticed(
    settings: Settings, change: str, item_id: str
) -> None:
    raw = sqlite3.connect(write(settings))
    assert raw.execute(change).rowcount == 1
    raw.commit()
    raw.close()
    said = f"item {item_id} is damaged in the catalog: restore a backup, or put it in again"
    assert said in verified(settings)


def test_a_vector_is_noticed_where_there_is_no_snapshot_to_hold_it_against(
    settings: Settings,
) -> None:
    raw = sqlite3.connect(write(settings))
    other = np.eye(DIM, dtype="<f4")[5].tobytes()
    raw.execute("UPDATE vectors SET vector = ? WHERE key = 2", (other,))
    raw.commit()
    raw.close()
    assert verified(settings) == [
        "item b is damaged in the catalog: restore a backup, or put it in again"
    ]


def test_rows_of_an_older_schema_have_none_until_they_are_written_again(settings: Settings) -> None:
    path = write(settings)
    set_back(path, 5)
    assert verified(settings) == []
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT checksum FROM items").fetchall() == [(None,), (None,)]
    raw.close()
    with open_store(settings) as store:
        store.collection("main").put(ITEMS[:1])
    raw = sqlite3.connect(path)
    ((kept,),) = raw.execute("SELECT checksum FROM items WHERE id = 'a/ü'").fetchall()
    raw.close()
    assert kept is not None
    assert verified(settings) == []
