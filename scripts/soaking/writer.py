"""A process that writes at random until it is killed, and says so in a journal.

It puts, replaces and drops live items, indexes a folder of notes, publishes snapshots and repairs.
Everything an item holds follows from its name and its version. Knows nothing about being killed.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from indexer.pipeline import index
from latent.collection import Collection
from latent.items import Item, Modality, Vector
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from scripts.soaking.deeds import LIVE, NOTES, Deed, Journal

DIM = 64
MODELS = {LIVE: f"vectors:{DIM}", NOTES: "colours"}
LIVE_ITEMS, MOST_NOTES, MOST_AT_ONCE = 3_000, 60, 150
KINDS = {"put": 5, "drop": 3, "index": 3, "publish": 3, "repair": 1}
"""What is done, and how often beside the others."""

NOTES_FOLDER = "notes"


def settings_for(folder: Path) -> Settings:
    """A store below `folder` whose collections get a graph and a new snapshot early."""
    return Settings(data=folder / "data", model="colours", threads=1, exact_limit=100)


def open_collections(store: Store) -> dict[str, Collection]:
    return {name: store.ensure(name, model) for name, model in MODELS.items()}


def vector_of(name: str, version: int) -> Vector:
    """The place of a version of an item, `(DIM,)` float32, of length 1."""
    chance = np.random.default_rng([int(name.removeprefix("i")), version])
    row = chance.standard_normal(DIM).astype(np.float32)
    unit: Vector = row / np.linalg.norm(row)
    return unit


def item_of(name: str, version: int) -> Item:
    return Item(
        name,
        Modality.TEXT,
        vector_of(name, version),
        text=f"{name} in version {version}",
        metadata={"version": version},
    )


def write_until_killed(folder: Path, journal_path: Path, seed: int) -> None:
    """Do one deed after another; only a signal ends it."""
    chance = random.Random(seed)
    journal = Journal(journal_path)
    with open_store(settings_for(folder)) as store:
        collections = open_collections(store)
        version = seed * 1_000_000
        while True:
            version += 1
            deed = _chosen(chance, version)
            journal.begin(deed)
            do(deed, folder, store, collections)
            journal.done()


def do(deed: Deed, folder: Path, store: Store, collections: dict[str, Collection]) -> None:
    """Do what was written down."""
    collection = collections[deed.collection]
    if deed.kind == "put":
        collection.put([item_of(name, version) for name, version in deed.put.items()])
    elif deed.kind == "drop":
        collection.drop(deed.drop)
    elif deed.kind == "index":
        lay_out(deed, folder / NOTES_FOLDER)
        index_notes(folder, store, collection)
    elif deed.kind == "publish":
        collection.publish(force=True)
    else:
        collection.repair()


def lay_out(deed: Deed, notes: Path) -> None:
    """Write and delete the files of a deed, each of them whole or not at all."""
    notes.mkdir(exist_ok=True)
    for name, version in deed.put.items():
        fresh = notes / f".{name}"
        fresh.write_text(f"note {name} in version {version}")
        fresh.rename(notes / name)
    for name in deed.drop:
        (notes / name).unlink(missing_ok=True)


def index_notes(folder: Path, store: Store, collection: Collection) -> None:
    index([folder / NOTES_FOLDER], collection, store.embedder(), store.settings, allow_empty=True)


def _chosen(chance: random.Random, version: int) -> Deed:
    (kind,) = chance.choices(list(KINDS), weights=list(KINDS.values()))
    if kind == "put":
        names = chance.sample(range(LIVE_ITEMS), chance.randint(1, MOST_AT_ONCE))
        return Deed(kind, put={f"i{number}": version for number in names})
    if kind == "drop":
        names = chance.sample(range(LIVE_ITEMS), chance.randint(1, MOST_AT_ONCE))
        return Deed(kind, drop=tuple(f"i{number}" for number in names))
    if kind == "index":
        changed = chance.sample(range(MOST_NOTES), chance.randint(2, MOST_NOTES // 2))
        put, drop = changed[1:], changed[:1]
        return Deed(
            kind,
            NOTES,
            {f"n{number}.txt": version for number in put},
            tuple(f"n{number}.txt" for number in drop),
        )
    return Deed(kind, chance.choice((LIVE, NOTES)))
