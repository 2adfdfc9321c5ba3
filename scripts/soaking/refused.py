"""Writes and flushes that fail: nothing is acknowledged that is not durable.

A process puts, drops and publishes on a disk that refuses the first, the second, … call. A write
that was acknowledged is there when the store is opened again; one that was refused raised a
StoreError, and is there whole or not at all; then work goes on. Besides, whenever a write is
acknowledged, no file of the store has bytes that were not flushed.
"""

from __future__ import annotations

import errno
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.rows import Row, UnmeasuredError, at_least, at_most
from latent.collection import Collection
from latent.errors import StorageFullError, StoreError
from latent.wiring import open_store
from scripts.soaking.deeds import LIVE, Deed
from scripts.soaking.killed import versions_in
from scripts.soaking.refusing import Call, Disk, environment
from scripts.soaking.soak import Soak
from scripts.soaking.writer import do, item_of, open_collections, settings_for

ROOT = Path(__file__).parents[2]
LATEST = 40  # calls until one is refused
AGAIN = 5  # trials until the store is opened anew


@dataclass
class Tally:
    """What all trials came to."""

    trials: int = 0
    refused: int = 0
    raised: int = 0
    acknowledged: int = 0
    unflushed: int = 0
    wrong: list[str] = field(default_factory=list)


def rows(soak: Soak) -> Iterator[Row]:
    """2,000 trials; 60 in the short form."""
    tally = refused(soak.folder, trials=soak.choose(long=2_000, short=60))
    how = (
        f"{tally.trials:,} trials, {tally.refused:,} calls refused, {tally.raised:,} errors, "
        f"{tally.acknowledged:,} writes acknowledged"
    )
    yield Row("failing disk: calls that were refused", tally.refused, "calls", how, at_least(1))
    yield Row("failing disk: promises broken", len(tally.wrong), "", how, at_most(0))
    yield Row("failing disk: acknowledged unflushed", tally.unflushed, "writes", how, at_most(0))


def refused(folder: Path, *, trials: int, seed: int = 0) -> Tally:
    """Have a process of its own do the trials.

    Raises:
        UnmeasuredError: nothing can be preloaded here.
    """
    data = folder / "store"
    data.mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.soaking.refused", str(data), str(trials), str(seed)],
        cwd=ROOT,
        env=environment(data, folder),
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise UnmeasuredError(f"the trials ended early: {ended.stderr.strip()[-500:]}")
    return Tally(**json.loads(ended.stdout))


def tried(folder: Path, trials: int, seed: int) -> Tally:
    """Do the trials in this process, whose disk can refuse."""
    disk, tally, chance = Disk(), Tally(), random.Random(seed)
    settings = settings_for(folder)
    versions: dict[str, int] = {}
    while tally.trials < trials:
        with open_store(settings) as store:
            collections = open_collections(store)
            collection = collections[LIVE]
            for _ in range(min(AGAIN, trials - tally.trials)):
                tally.trials += 1
                deed = _chosen(chance, tally.trials)
                call, code, stays = _way(chance)
                disk.refuse(call, after=chance.randint(1, LATEST), code=code, stays=stays)
                try:
                    do(deed, folder, store, collections)
                    is_done = True
                except StoreError as error:
                    is_done = False
                    tally.raised += 1
                    if (code == errno.ENOSPC) is not isinstance(error, StorageFullError):
                        tally.wrong.append(f"{deed.kind}, {errno.errorcode[code]}: {error!r}")
                finally:
                    # Where nothing was written, what is unflushed is of a write refused before.
                    tally.unflushed += is_done and deed.kind != "publish" and disk.dirty > 0
                    tally.refused += disk.relent()
                tally.acknowledged += is_done
                versions = _checked(collection, versions, deed, is_done, tally)
            collection.put([item_of("i0", tally.trials)])
            versions["i0"] = tally.trials
        with open_store(settings) as store:
            _checked(store.collection(LIVE), versions, None, True, tally)
    return tally


def _checked(
    collection: Collection,
    versions: dict[str, int],
    deed: Deed | None,
    is_done: bool,
    tally: Tally,
) -> dict[str, int]:
    """Hold what is there against what was acknowledged; gives what is there."""
    found = versions_in(collection)
    after = versions if deed is None else deed.after(versions)
    if found != after and (is_done or found != versions):
        tally.wrong.append(f"{deed}: done {is_done}, and something else is there")
    tally.wrong += [f"{deed}: {flaw}" for flaw in collection.verify()]
    return found


def _chosen(chance: random.Random, version: int) -> Deed:
    kind = chance.choice(("put", "put", "drop", "publish"))
    names = [f"i{number}" for number in chance.sample(range(300), chance.randint(1, 40))]
    if kind == "put":
        return Deed(kind, put=dict.fromkeys(names, version))
    return Deed(kind, drop=tuple(names)) if kind == "drop" else Deed(kind)


def _way(chance: random.Random) -> tuple[Call, int, bool]:
    """What is refused, with which error, and whether from then on."""
    call = chance.choice((Call.WRITE, Call.FLUSH, Call.WRITE | Call.FLUSH))
    code = chance.choice((errno.EIO, errno.ENOSPC)) if call is Call.WRITE else errno.EIO
    return call, code, chance.random() < 0.5


if __name__ == "__main__":
    print(json.dumps(asdict(tried(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))))
