"""Search by words: what is found, that any text may be asked, and that words stay in step."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as routine
from hypothesis import strategies as st
from old_catalogs import set_back
from sqlalchemy import create_engine, text

from latent.catalog import keywords
from latent.collection import Collection
from latent.errors import FilterError, StoreError, UnknownCollectionError
from latent.items import JSON, Item, Modality
from latent.models.colours import DIM
from latent.settings import Settings
from latent.store import Store
from latent.wiring import CATALOG, open_store

ROOT = Path(__file__).parents[2]
VECTOR = np.eye(1, DIM, dtype=np.float32)[0]


def said(item_id: str, words: str | None, uri: str = "", **metadata: JSON) -> Item:
    modality = Modality.IMAGE if words is None else Modality.TEXT
    return Item(item_id, modality, VECTOR, uri, words, metadata=metadata)


@pytest.fixture
def collection(store: Store) -> Collection:
    made = store.ensure("main")
    made.put(
        [
            said("dogs", "Two dogs running in the snow.", "notes/a.md", n=1),
            said("cat", "A cat sleeps; the dog is not here, and nothing else happens", n=2),
            said("photo", None, "holiday/IMG_1234-Beach.JPG", tags=["Café", {"of": "Zoë"}], n=3),
            said("tokyo", "東京の雪はカメラで", n=4),
            said("grass", "Viele Hunde auf der Wiese"),
            said("hindi", "हिन्दी में"),
        ]
    )
    return made


def ids(collection: Collection, query: str, **how: Any) -> list[str]:
    return [item.id for item, _ in collection.matching_words(query, 10, **how)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("snow", ["dogs"]),
        ("SNOW!", ["dogs"]),
        ("run", ["dogs"]),
        ("running dogs", ["dogs", "cat"]),
        ("beach", ["photo"]),
        ("1234", ["photo"]),
        ("cafe", ["photo"]),
        ("zoe", ["photo"]),
        ("jpg", ["photo"]),
        ("雪", ["tokyo"]),
        ("東京", ["tokyo"]),
        ("京東", []),
        ("カメラ", ["tokyo"]),
        ("hunde", ["grass"]),
        ("हिन्दी", ["hindi"]),
        ("the", ["dogs", "cat"]),
        ("the beach", ["photo"]),
        ("unicorn", []),
        ("", []),
        ("?!", []),
    ],
)
def test_words_are_found_in_texts_names_and_metadata(
    collection: Collection, query: str, expected: list[str]
) -> None:
    found = ids(collection, query)
    assert sorted(found) == sorted(expected)
    assert found[:1] == expected[:1] or query == "the"


def test_a_rare_word_counts_for_more_and_scores_fall(collection: Collection) -> None:
    found = collection.matching_words("sleeping dog", 10)
    assert [item.id for item, _ in found] == ["cat", "dogs"]
    assert found[0][1] > found[1][1] > 0
    assert [item.id for item, _ in collection.matching_words("sleeping dog", 1)] == ["cat"]
    assert collection.matching_words("sleeping dog", 0) == []


def test_the_last_word_may_be_a_beginning(collection: Collection) -> None:
    assert ids(collection, "bea") == []
    assert ids(collection, "bea", prefix=True) == ["photo"]
    assert ids(collection, "bea snow", prefix=True) == ["dogs"]
    assert ids(collection, "東", prefix=True) == ["tokyo"]


def test_words_go_together_with_filters(collection: Collection) -> None:
    assert ids(collection, "dog", where={"n": {"$gt": 1}}) == ["cat"]
    assert ids(collection, "dog beach", modality=Modality.IMAGE) == ["photo"]
    assert ids(collection, "dog", where={"n": 99}) == []
    with pytest.raises(FilterError):
        ids(collection, "dog", where={"n": {"$above": 1}})


def test_collections_have_words_of_their_own(store: Store, collection: Collection) -> None:
    other = store.ensure("other")
    assert ids(other, "dog") == []
    other.put([said("x", "a dog")])
    store.delete("main")
    assert ids(other, "dog") == ["x"]
    assert ids(store.ensure("main"), "dog") == []


def test_words_come_and_go_with_their_item(collection: Collection) -> None:
    collection.put([said("dogs", "two horses")])
    assert ids(collection, "snow") == []
    assert ids(collection, "horse") == ["dogs"]
    collection.drop(["dogs"])
    assert ids(collection, "horse") == []
    assert collection.verify() == []


@routine(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(query=st.text() | st.text(st.sampled_from("\"'()*:^-+{}[]~&|!<>\\ ANDORNEART雪a")))
def test_any_text_may_be_asked(collection: Collection, query: str) -> None:
    for prefix in (False, True):
        for item, score in collection.matching_words(query, 10, prefix=prefix):
            assert item.id
            assert score >= 0


@routine(deadline=None)
@given(words=st.lists(st.text(max_size=12), max_size=12))
def test_what_is_said_is_found_by_each_of_its_words(words: list[str]) -> None:
    content = keywords.content(" ".join(words), "", {}).split()
    for asked in keywords.asked_in(" ".join(words)):
        parts = list(asked.parts)
        assert any(content[n : n + len(parts)] == parts for n in range(len(content)))


def test_no_more_is_kept_than_a_database_takes() -> None:
    assert len(keywords.content("word " * 200_000, "", {})) <= keywords.LONGEST_CONTENT
    assert len(keywords.words_in("x" * 10_000)[0]) == keywords.LONGEST_WORD
    deep: JSON = "bottom"
    for _ in range(500):
        deep = [deep]
    assert keywords.content(None, "", {"deep": deep}) == ""


def harmed(settings: Settings, *statements: str) -> None:
    """Change the catalog behind its back; WORDS stands for the table of words."""
    engine = create_engine(f"sqlite:///{settings.data / CATALOG}")
    with engine.begin() as connection:
        uid = connection.execute(text("SELECT uid FROM collections")).scalar_one()
        for statement in statements:
            connection.exec_driver_sql(statement.replace("WORDS", f"words_{uid}"))
    engine.dispose()


@pytest.mark.parametrize(
    ("harm", "flaw"),
    [
        ("DELETE FROM WORDS WHERE rowid = 1", "item dogs is not found by its words"),
        ("UPDATE WORDS SET content = 'x' WHERE rowid = 2", "item cat is not found by its words"),
        (
            "UPDATE items SET text = 'x', checksum = NULL WHERE key = 6",
            "item hindi is not found by its words",
        ),
        ("INSERT INTO WORDS (rowid, content) VALUES (99, 'x')", "words are kept for key 99, which"),
        ("INSERT INTO WORDS (rowid, content) VALUES (-1, 'x')", "words are kept for key -1, which"),
        ("DELETE FROM WORDS_data WHERE id > 100", "the words of the collection are damaged"),
        ("DROP TABLE WORDS", "the words of the collection are damaged: no such table"),
    ],
)
def test_words_out_of_step_are_named_and_repaired(
    collection: Collection, settings: Settings, harm: str, flaw: str
) -> None:
    harmed(settings, harm)
    (found,) = collection.verify()
    assert found.startswith(flaw)
    collection.repair()
    assert collection.verify() == []
    assert ids(collection, "snow") == ["dogs"]


def test_a_collection_that_was_deleted_gets_no_words_again(
    collection: Collection, store: Store, settings: Settings
) -> None:
    store.delete("main")
    with pytest.raises(UnknownCollectionError):
        collection.repair()
    raw = sqlite3.connect(settings.data / CATALOG)
    names = [name for (name,) in raw.execute("SELECT name FROM sqlite_master")]
    raw.close()
    assert not [name for name in names if name.startswith("words")]


# --- a catalog of schema 1 ----------------------------------------------------------------------


def test_a_catalog_of_schema_1_is_brought_forward_once(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main").put(
            [said(f"i{n}", f"the number {n} snow", camera={"make": "X"}) for n in range(1_200)]
        )
    set_back(settings.data / CATALOG, 1)
    for _ in range(2):
        with open_store(settings) as store:
            collection = store.collection("main")
            assert ids(collection, "777") == ["i777"]
            assert collection.count(where={"camera.make": "X"}) == 1_200
            with pytest.raises(FilterError, match=r"did you mean 'camera'\?"):
                collection.count(where={"camra": "X"})
            assert collection.verify() == []


def test_processes_that_open_an_old_catalog_at_once_bring_it_forward_once(
    settings: Settings, tmp_path: Path
) -> None:
    with open_store(settings) as store:
        store.ensure("main").put([said(f"i{n}", f"number {n}") for n in range(3_000)])
    set_back(settings.data / CATALOG, 1)
    shutil.copytree(settings.data, tmp_path / "copy")
    code = (
        "import sys, pathlib\n"
        "from latent.settings import Settings\n"
        "from latent.wiring import open_store\n"
        "sys.stdin.read()\n"
        "with open_store(Settings(data=pathlib.Path(sys.argv[1]), model='colours')) as store:\n"
        "    found = store.collection('main').matching_words('2999', 5)\n"
        "    assert [item.id for item, _ in found] == ['i2999'], found\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "copy")]
    opening = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
        for _ in range(4)
    ]
    for process in opening:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    for process in opening:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint.decode()[-500:]


def test_an_upgrade_that_fails_leaves_the_old_catalog_as_it_was(settings: Settings) -> None:
    with open_store(settings) as store:
        store.ensure("main").put([said("a", "snow"), said("b", "sun")])
    set_back(settings.data / CATALOG, 1)
    harmed(settings, "UPDATE items SET metadata = '{bad' WHERE key = 2")
    with pytest.raises(StoreError, match="cannot be read"), open_store(settings):
        pass
    raw = sqlite3.connect(settings.data / CATALOG)
    names = {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}
    raw.close()
    assert not any(name.startswith(("words", "fields")) for name in names)
