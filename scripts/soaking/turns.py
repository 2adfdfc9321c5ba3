"""Several processes write to one data folder at once: they take turns, and nothing is half.

Each process puts, drops and publishes; whatever it was told was done is there at the end. A reader
that has begun to read, and one that holds an older snapshot, are not disturbed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from benchmarks.rows import Row, at_most
from latent.errors import NearfieldError
from latent.wiring import open_store
from scripts.soaking.deeds import LIVE
from scripts.soaking.killed import versions_in
from scripts.soaking.soak import Soak
from scripts.soaking.writer import item_of, open_collections, settings_for, vector_of

WRITERS = 3
OWN = 400  # items that each writer has for itself
AT_ONCE = 40


@dataclass
class Told:
    """What one writer did: the versions it leaves, its numbers, and how long its writes took."""

    versions: dict[str, int] = field(default_factory=dict)
    sequences: list[int] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass
class Tally:
    """What all of them came to."""

    writes: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    disturbed: list[str] = field(default_factory=list)
    longest: float = 0.0


def rows(soak: Soak) -> Iterator[Row]:
    """2,000 writes of each of three processes; 25 in the short form."""
    tally = took_turns(soak.folder, writes=soak.choose(long=2_000, short=25))
    how = f"{WRITERS} processes at once, {tally.writes:,} writes"
    yield Row("two writers: refused", len(tally.refused), "writes", how, at_most(0))
    yield Row(
        "two writers: writes lost, half done or doubled", len(tally.wrong), "", how, at_most(0)
    )
    yield Row("two writers: readers disturbed", len(tally.disturbed), "", how, at_most(0))
    yield Row("two writers: longest turn", tally.longest, "s", how)


def took_turns(folder: Path, *, writes: int) -> Tally:
    """Let them write, and read meanwhile; then hold what is there against what they were told."""
    tally = Tally()
    with open_store(settings_for(folder)) as store:
        collection = open_collections(store)[LIVE]
        collection.put([item_of(f"i{number}", 0) for number in range(1_000_000, 1_000_300)])
        collection.publish(force=True)
        older = collection.contents()
        begun = [next(older)]
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__])
        with context.Pool(WRITERS) as pool:
            waiting = pool.starmap_async(
                write, [(folder, number, writes) for number in range(WRITERS)]
            )
            while not waiting.ready():
                _read(folder, tally)
                waiting.wait(0.05)
            told = waiting.get()
        # It saw one moment, before all of them wrote.
        if len(begun + list(older)) != 300:
            tally.disturbed.append("a reader saw what was written after it began")
    _hold(folder, told, tally)
    return tally


def write(folder: Path, number: int, writes: int) -> Told:
    """One process: puts and drops among its own items, and publishes now and then."""
    chance, told = random.Random(number), Told()
    names = [f"i{number * OWN + place}" for place in range(OWN)]
    with open_store(settings_for(folder)) as store:
        collection = store.collection(LIVE)
        for version in range(1, writes + 1):
            some = chance.sample(names, chance.randint(1, AT_ONCE))
            began = time.monotonic()
            try:
                if chance.random() < 0.7:
                    told.sequences.append(collection.put([item_of(name, version) for name in some]))
                    told.versions |= dict.fromkeys(some, version)
                else:
                    collection.drop(some)
                    for name in some:
                        told.versions.pop(name, None)
            except NearfieldError as error:
                told.refused.append(str(error))
            told.took.append(time.monotonic() - began)
            if version % 20 == 0:
                collection.publish(force=chance.random() < 0.5)
    return told


def _read(folder: Path, tally: Tally) -> None:
    """A process that comes, reads and goes, whatever the others do."""
    with open_store(settings_for(folder)) as store:
        collection = store.collection(LIVE)
        for number in range(1_000_000, 1_000_300, 60):
            hits = collection.nearest(vector_of(f"i{number}", 0), 3)
            if hits[0].item.id != f"i{number}" or len(hits) != 3:
                tally.disturbed.append(f"i{number} is not found")


def _hold(folder: Path, told: list[Told], tally: Tally) -> None:
    wanted = {f"i{number}": 0 for number in range(1_000_000, 1_000_300)}
    numbers = [number for one in told for number in one.sequences]
    for one in told:
        wanted |= one.versions
        tally.writes += len(one.took)
        tally.refused += one.refused
        tally.longest = max(tally.longest, *one.took)
    if len(set(numbers)) != len(numbers):
        tally.wrong.append("two writes had the same number")
    with open_store(settings_for(folder)) as store:
        collection = store.collection(LIVE)
        found = versions_in(collection)
        tally.wrong += [
            f"{name}: {found.get(name)}, not {wanted.get(name)}"
            for name in found.keys() | wanted.keys()
            if found.get(name) != wanted.get(name)
        ]
        tally.wrong += collection.verify()
