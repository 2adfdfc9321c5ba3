"""A state machine that does with a store whatever comes to its mind, beside a dictionary.

Puts, replacements, deletes, queries, filters, restarts, kills, snapshots, repairs and a second
reader; after each the store answers as the dictionary does. hypothesis chooses what is done, and
makes what went wrong as short as it can.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from benchmarks.rows import Row, at_least, at_most
from latent.collection import Collection
from latent.items import JSON, Item, Modality, Vector
from latent.settings import Settings
from latent.wiring import open_store
from scripts.soaking.oracle import Oracle
from scripts.soaking.soak import Soak

log = logging.getLogger(__name__)

DIM = 8
IDS = [f"i{number}" for number in range(48)]
COLOURS = ["red", "green", "blue"]
STEPS = 60  # what one life of a store holds
LATEST = 0.012  # seconds until a process that writes is killed, at most

ids = st.sampled_from(IDS)
some_ids = st.lists(ids, min_size=1, max_size=12, unique=True)
seeds = st.integers(0, 200)
colours = st.sampled_from(COLOURS)


def vector_of(seed: int) -> Vector:
    """One of a few places, so that some items are equally near, `(DIM,)` float32."""
    row = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
    unit: Vector = row / np.linalg.norm(row)
    return unit


def item_of(item_id: str, seed: int, colour: str, write: int = 0) -> Item:
    """An item as it is put by the write of that number."""
    return Item(
        item_id,
        Modality.TEXT,
        vector_of(seed),
        text=f"{colour} number {seed}",
        metadata={"colour": colour, "write": write},
    )


def settings_of(folder: Path) -> Settings:
    """A graph from 24 items on, so that both ways of searching are gone."""
    return Settings(data=folder / "data", model=f"vectors:{DIM}", threads=1, exact_limit=24)


class StoreBesideDictionary(RuleBasedStateMachine):
    """One life of a store."""

    operations: ClassVar[int] = 0
    place: ClassVar[Path | None] = None
    """Where stores live; by default where temporary files do."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="model-", dir=self.place))
        self._oracle = Oracle()
        self._open = ExitStack()
        self._reader_open = ExitStack()
        self._collection = self._opened(self._open)
        self._reader: Collection | None = None
        self._writes = 0

    def _opened(self, stack: ExitStack) -> Collection:
        return stack.enter_context(open_store(settings_of(self._folder))).ensure("main")

    def teardown(self) -> None:
        self._reader_open.close()
        self._open.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @invariant()
    def counted(self) -> None:
        type(self).operations += 1

    # --- writing --------------------------------------------------------------------------------

    @rule(chosen=some_ids, seed=seeds, colour=colours)
    def put(self, chosen: list[str], seed: int, colour: str) -> None:
        """Puts what is new and replaces what is there."""
        write = self._next()
        items = [item_of(each, seed + place, colour, write) for place, each in enumerate(chosen)]
        self._collection.put(items)
        self._oracle.put(items)

    @rule(chosen=some_ids)
    def drop(self, chosen: list[str]) -> None:
        assert self._collection.drop(chosen) == self._oracle.drop(chosen)

    @rule(chosen=some_ids, seed=seeds)
    def put_by_the_other(self, chosen: list[str], seed: int) -> None:
        """The second store writes too."""
        if self._reader is not None:
            write = self._next()
            items = [item_of(item_id, seed, "blue", write) for item_id in chosen]
            self._reader.put(items)
            self._oracle.put(items)

    # --- reading --------------------------------------------------------------------------------

    @rule(seed=seeds, k=st.integers(1, 60))
    def query(self, seed: int, k: int) -> None:
        self._ask(self._collection, seed, k, None)

    @rule(seed=seeds, k=st.integers(1, 20), colour=colours)
    def filtered_query(self, seed: int, k: int, colour: str) -> None:
        self._ask(self._collection, seed, k, colour)

    @rule(colour=st.none() | colours)
    def scroll_and_count(self, colour: str | None) -> None:
        where = self._where(colour)
        expected = [item.id for item in self._oracle.matching(colour)]
        assert [item.id for item in self._collection.scroll(100, where=where)] == expected
        assert self._collection.count(where=where) == len(expected)

    @rule(chosen=some_ids)
    def find(self, chosen: list[str]) -> None:
        found = self._collection.find(chosen)
        assert found.keys() == self._oracle.items.keys() & set(chosen)
        for item_id, item in found.items():
            # Brought to length 1 once more on their way in.
            assert np.allclose(item.vector, self._oracle.items[item_id].vector, atol=1e-6)

    @rule(seed=seeds, k=st.integers(1, 30), colour=st.none() | colours)
    def query_by_the_other(self, seed: int, k: int, colour: str | None) -> None:
        """A second store of the same folder sees all that was committed."""
        if self._reader is None:
            self._reader = self._opened(self._reader_open)
        self._ask(self._reader, seed, k, colour)

    # --- lives ----------------------------------------------------------------------------------

    @rule()
    def publish(self) -> None:
        self._collection.publish(force=True)

    @rule()
    def publish_by_the_other(self) -> None:
        if self._reader is not None:
            self._reader.publish()

    @rule()
    def restart(self) -> None:
        self._open.close()
        self._open = ExitStack()
        self._collection = self._opened(self._open)

    @rule()
    def leave(self) -> None:
        """The second store goes away."""
        self._reader_open.close()
        self._reader_open, self._reader = ExitStack(), None

    @rule(first=some_ids, second=some_ids, seed=seeds, moment=st.floats(0, 1))
    def kill(self, first: list[str], second: list[str], seed: int, moment: float) -> None:
        """Another process writes twice and is killed: the first is there, the second whole or not.

        It is killed some time after its first write was acknowledged.
        """
        acknowledged = [item_of(item_id, seed, "red", self._next()) for item_id in first]
        write = self._next()
        under_way = [item_of(item_id, seed + 1, "green", write) for item_id in second]
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__])
        given = (self._folder, acknowledged, under_way, moment * LATEST)
        writer = context.Process(target=write_and_die, args=given)
        writer.start()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        self._oracle.put(acknowledged)
        found = self._collection.find(second)
        new = {item_id for item_id, item in found.items() if item.metadata["write"] == write}
        assert new in (set(), set(second))
        if new:
            self._oracle.put(under_way)

    @rule()
    def verify(self) -> None:
        assert self._collection.verify() == []

    @rule()
    def repair(self) -> None:
        self._collection.repair()
        assert self._collection.verify() == []

    # --- inside ---------------------------------------------------------------------------------

    def _next(self) -> int:
        self._writes += 1
        return self._writes

    def _ask(self, collection: Collection, seed: int, k: int, colour: str | None) -> None:
        query = vector_of(seed + 1_000)
        hits = collection.nearest(query, k, where=self._where(colour))
        assert self._oracle.faults(hits, query, k, colour) == []

    def _where(self, colour: str | None) -> dict[str, JSON] | None:
        if colour is None or not self._oracle.items:
            return None  # a field that nobody has is refused
        return {"colour": colour}


def write_and_die(folder: Path, first: list[Item], second: list[Item], moment: float) -> None:
    """Store the first, then be killed while storing the second, or soon after."""
    with open_store(settings_of(folder)) as store:
        collection = store.collection("main")
        collection.put(first)
        threading.Timer(moment, os.kill, (os.getpid(), signal.SIGKILL)).start()
        collection.put(second)
        signal.pause()


def held(folder: Path, *, lives: int) -> str | None:
    """Live so many lives; gives what went wrong, if anything did."""
    StoreBesideDictionary.operations = 0
    StoreBesideDictionary.place = folder
    how = settings(
        max_examples=lives,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    try:
        run_state_machine_as_test(StoreBesideDictionary, settings=how)
    except (AssertionError, Flaky) as error:  # also where it cannot be made to happen again
        notes = getattr(error, "__notes__", [])
        return "\n".join([str(error), *notes])
    return None


def held_by_many(folder: Path, *, wanted: int, lives: int) -> tuple[int, str | None]:
    """Processes that live beside each other, so many lives at a time, until enough was done.

    Gives the operations, and what went wrong first.
    """
    done = 0
    processes = max(1, len(os.sched_getaffinity(0)) // 2)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        under_way = {pool.submit(_share, folder, lives) for _ in range(processes)}
        while under_way:
            ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for share in ended:
                operations, wrong = share.result()
                done += operations
                if wrong is not None:
                    return done, wrong
                log.info("%d operations of %d", done, wanted)
                if done < wanted:
                    under_way.add(pool.submit(_share, folder, lives))
    return done, None


def _share(folder: Path, lives: int) -> tuple[int, str | None]:
    wrong = held(folder, lives=lives)
    return StoreBesideDictionary.operations, wrong


def rows(soak: Soak) -> Iterator[Row]:
    """200,000 operations; some 300 in the short form."""
    wanted = soak.choose(long=200_000, short=300)
    if soak.is_quick:
        done, wrong = _share(soak.folder, lives=8)
    else:
        done, wrong = held_by_many(soak.folder, wanted=wanted, lives=50)
    how = f"lives of {STEPS} operations, chosen by hypothesis" if wrong is None else wrong
    yield Row("model: operations", done, "", how, at_least(wanted))
    yield Row("model: contradictions", int(wrong is not None), "", how, at_most(0))
