"""kill -9 at random moments: every acknowledged write is there, and nothing is in two halves.

A writer is killed, the store is opened again, and what is there is held against its journal: a
write that was acknowledged is there; the one that was under way is there whole or not at all, but
for a folder, which is indexed file by file and goes on where it ended.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from benchmarks.rows import Row, at_most
from latent.collection import Collection
from latent.errors import NearfieldError
from latent.store import Store
from latent.wiring import open_store
from scripts.soaking.deeds import LIVE, NOTES, Deed, told
from scripts.soaking.soak import Soak
from scripts.soaking.writer import (
    index_notes,
    open_collections,
    settings_for,
    vector_of,
    write_until_killed,
)

LONGEST = 0.8  # seconds until the kill, at most
PATIENCE = 60.0  # seconds for a writer to begin

Versions = dict[str, int]


@dataclass
class Tally:
    """What all rounds came to. `during` counts what the writer was at when it was killed."""

    rounds: int = 0
    acknowledged: int = 0
    during: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    halves: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)


def rows(soak: Soak) -> Iterator[Row]:
    """200 rounds; in the short form 3."""
    tally = killed(soak.folder, rounds=soak.choose(long=200, short=3))
    during = ", ".join(f"{kind} {count}" for kind, count in tally.during.most_common())
    how = f"{tally.rounds} kills, {tally.acknowledged:,} acknowledged writes; killed at: {during}"
    yield Row("kill -9: acknowledged writes lost", len(tally.lost), "writes", how, at_most(0))
    yield Row("kill -9: writes half done", len(tally.halves), "writes", how, at_most(0))
    yield Row("kill -9: differences that verify names", len(tally.drift), "", how, at_most(0))


def killed(folder: Path, *, rounds: int, seed: int = 0) -> Tally:
    """Kill a writer that many times, on one data folder."""
    chance = random.Random(seed)
    tally, versions = Tally(), {LIVE: Versions(), NOTES: Versions()}
    with open_store(settings_for(folder)) as store:
        open_collections(store)
    for number in range(rounds):
        journal = folder / f"journal-{number}"
        _kill_a_writer(folder, journal, seed=seed * rounds + number, chance=chance)
        under_way = None
        for deed, is_done in told(journal):
            if is_done:
                tally.acknowledged += 1
                versions[deed.collection] = deed.after(versions[deed.collection])
            else:
                under_way = deed
        tally.rounds += 1
        tally.during[under_way.kind if under_way else "between"] += 1
        try:
            with open_store(settings_for(folder)) as store:
                versions = checked(folder, store, versions, under_way, tally)
        except NearfieldError as error:
            tally.lost.append(f"round {number}: the store cannot be opened or read: {error}")
            break
    return tally


def _kill_a_writer(folder: Path, journal: Path, *, seed: int, chance: random.Random) -> None:
    """Start a writer, and kill it some time after its first deed began."""
    with writing(folder, journal, seed):
        time.sleep(chance.uniform(0, LONGEST))


@contextmanager
def writing(folder: Path, journal: Path, seed: int) -> Iterator[None]:
    """A writer at work from its first deed on; it is killed at the end of the block."""
    # A server that has loaded everything forks the writers: they begin at once.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    writer = context.Process(target=write_until_killed, args=(folder, journal, seed))
    writer.start()
    began = time.monotonic()
    while not (journal.exists() and journal.stat().st_size):
        if not writer.is_alive() or time.monotonic() - began > PATIENCE:
            raise RuntimeError("the writer did not begin")
        time.sleep(0.002)
    try:
        yield
    finally:
        is_dead = not writer.is_alive()
        writer.kill()
        writer.join()
        writer.close()
    if is_dead:
        raise RuntimeError("the writer ended by itself; its error stands above")


def checked(
    folder: Path,
    store: Store,
    versions: Mapping[str, Versions],
    under_way: Deed | None,
    tally: Tally,
) -> dict[str, Versions]:
    """Hold a store against what was acknowledged; gives what is there."""
    collections = {name: store.collection(name) for name in versions}
    found: dict[str, Versions] = {}
    for name, collection in collections.items():
        tally.drift += [f"{name}: {flaw}" for flaw in collection.verify()]
        found[name] = versions_in(collection)
        before = after = versions[name]
        if under_way is not None and under_way.collection == name:
            after = under_way.after(before)
        either = (found[name].get, before.get, after.get)
        for each in found[name].keys() | before.keys() | after.keys():
            is_there, was, would_be = (get(each) for get in either)
            if is_there not in (was, would_be):
                tally.lost.append(f"{name}: {each} is {is_there}, not {was} or {would_be}")
        is_whole = found[name] in (before, after)
        if not is_whole and (under_way is None or under_way.kind != "index"):
            tally.halves.append(f"{name}: {under_way}")
    tally.lost += _misplaced(collections[LIVE], found[LIVE])
    found[NOTES] = _resumed(folder, store, collections[NOTES], versions[NOTES], under_way, tally)
    return found


def versions_in(collection: Collection) -> Versions:
    """The version of every item; those of notes are in their texts."""
    found: Versions = {}
    after = None
    while page := collection.scroll(1_000, after=after):
        for item in page:
            found[str(item.metadata.get("name", item.id))] = int((item.text or "").split()[-1])
        after = page[-1].id
    return found


def _misplaced(collection: Collection, versions: Versions) -> list[str]:
    """Items that do not have the vector of their version, or are not found by it."""
    wrong = []
    for item in collection.get(sorted(versions)):
        place = vector_of(item.id, versions[item.id])
        if abs(item.vector - place).max() > 1e-6:
            wrong.append(f"{LIVE}: {item.id} has another vector")
    for name in sorted(versions)[:3]:
        if collection.nearest(vector_of(name, versions[name]), 1)[0].item.id != name:
            wrong.append(f"{LIVE}: {name} is not found")
    return wrong


def _resumed(
    folder: Path,
    store: Store,
    collection: Collection,
    versions: Versions,
    under_way: Deed | None,
    tally: Tally,
) -> Versions:
    """Index the folder again: it goes on where it ended, and then all of it is there."""
    if under_way is None or under_way.kind != "index":
        return versions_in(collection)
    index_notes(folder, store, collection)
    found = versions_in(collection)
    wanted = {
        path.name: int(path.read_text().split()[-1]) for path in (folder / "notes").glob("n*.txt")
    }
    if found != wanted:
        tally.lost.append("notes: indexing again did not bring the folder in step")
    tally.drift += [f"notes: {flaw}" for flaw in collection.verify()]
    return found
