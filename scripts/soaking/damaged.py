"""Every file of the data folder harmed: it is noticed and named, and never mended by guessing.

A file is truncated, has a bit turned, is deleted, or is replaced by an older one; the store is
opened, everything is read and verified, and what was harmed is told by a StoreError or by a line
of `verify`, or it was of no consequence: everything is there as it was. What is derived is made
anew by `repair`. What the catalog has lost is never made up.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from benchmarks.rows import Row, at_least, at_most
from indexer.differences import differences
from indexer.reading import NO_VECTOR
from latent.errors import NearfieldError
from latent.items import Item
from latent.store import Store
from latent.wiring import open_store
from scripts.soaking.deeds import LIVE, NOTES, Deed
from scripts.soaking.soak import Soak
from scripts.soaking.writer import do, open_collections, settings_for

Contents = dict[str, dict[str, str]]
DERIVED = "index"


@dataclass
class Tally:
    """What all trials came to."""

    trials: Counter[str] = field(default_factory=Counter)
    named: int = 0
    unnoticed: list[str] = field(default_factory=list)
    unhealed: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)


def rows(soak: Soak) -> Iterator[Row]:
    """Every file, in 40 places where chance has a part in it; in the short form one of a name."""
    tally = damaged(soak.folder, places=soak.choose(long=40, short=1), every=not soak.is_quick)
    trials = sum(tally.trials.values())
    how = f"{trials} trials: " + ", ".join(f"{k} {n}" for k, n in sorted(tally.trials.items()))
    yield Row("damage: trials", trials, "", how, at_least(1))
    yield Row("damage: unnoticed", len(tally.unnoticed), "", how, at_most(0))
    yield Row("damage: derived files not made anew", len(tally.unhealed), "", how, at_most(0))
    yield Row("damage: catalogs made up by repair", len(tally.invented), "", how, at_most(0))


# --- harm -----------------------------------------------------------------------------------


def truncated(path: Path, older: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(chance.randrange(path.stat().st_size))


def flipped(path: Path, older: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def deleted(path: Path, older: Path, chance: random.Random) -> None:
    path.unlink()


def replaced(path: Path, older: Path, chance: random.Random) -> None:
    shutil.copyfile(older, path)


HARMS: Mapping[str, Callable[[Path, Path, random.Random], None]] = {
    "truncated": truncated,
    "flipped": flipped,
    "deleted": deleted,
    "replaced by an older one": replaced,
}
ONCE = frozenset({"deleted", "replaced by an older one"})

# --- trials ---------------------------------------------------------------------------------


def damaged(folder: Path, *, places: int, every: bool = True, seed: int = 0) -> Tally:
    """Harm each file of a store in each way, so many times where chance has a part in it.

    Not `every` file, but one of each name, is enough to see that all is in order.
    """
    chance, tally = random.Random(seed), Tally()
    made = _made(folder)
    with open_store(settings_for(folder / "right")) as store:
        right = contents_of(store)
    seen: set[str] = set()
    for template in (made.killed, made.closed):
        for file in sorted(path for path in template.rglob("*") if _is_harmed(path)):
            name = str(file.relative_to(template))
            if not every and file.name in seen:
                continue
            seen.add(file.name)
            for harm in HARMS:
                for place in range(1 if harm in ONCE else places):
                    trial = folder / "trial"
                    shutil.copytree(template, trial / "data")
                    _harm(trial / "data" / name, made.older, harm, chance)
                    about = f"{name} {harm}, {template.name}, {place}"
                    tally.trials[harm] += 1
                    _held(trial, right, about, tally, is_derived=name.startswith(DERIVED))
                    shutil.rmtree(trial)
    return tally


def _is_harmed(path: Path) -> bool:
    """Whether it is a file with something in it; the lock has nothing."""
    return path.is_file() and path.stat().st_size > 0


def _harm(path: Path, older: Path, harm: str, chance: random.Random) -> None:
    """Harm a file; the older one is that of the same name, of a snapshot whichever there is."""
    same = next(one for one in older.rglob(path.name) if one.is_file())
    HARMS[harm](path, same, chance)


def _held(trial: Path, right: Contents, about: str, tally: Tally, *, is_derived: bool) -> None:
    """Open, read and verify; then repair, which mends what is derived and nothing else."""
    found, flaws = _seen(trial)
    tally.named += bool(flaws)
    if not flaws and found != right:
        tally.unnoticed.append(about)
    if is_derived and found != right:
        tally.unhealed.append(f"{about}: the catalog is not read as it is")
    after, left = _seen(trial, repair=True)
    if is_derived and (left or after != right):
        tally.unhealed.append(f"{about}: {left}")
    if not left and after != right and found != after:
        tally.invented.append(about)


def _seen(trial: Path, *, repair: bool = False) -> tuple[Contents | None, list[str]]:
    """What a store gives, if it does, and what it says is wrong with it."""
    try:
        with open_store(settings_for(trial)) as store:
            for name in store.spaces() if repair else ():
                store.collection(name).repair()
            flaws: list[str] = []
            for name in store.spaces():
                collection = store.collection(name)
                flaws += [*collection.verify(), *differences(collection)]
            return contents_of(store), flaws
    except NearfieldError as error:
        return None, [str(error)]


def contents_of(store: Store) -> Contents:
    """A digest of every item and every source of every collection, by collection and name."""
    found: Contents = {}
    for name in store.spaces():
        collection = store.collection(name)
        found[name] = {path: repr(source) for path, source in collection.sources().items()}
        after = None
        while page := collection.scroll(500, after=after):
            found[name] |= {item.id: _digest(item) for item in page}
            after = page[-1].id
    return found


def _digest(item: Item) -> str:
    vector = sha256(item.vector.tobytes()).hexdigest()
    return f"{replace(item, vector=NO_VECTOR)!r} {vector}"


# --- what is harmed -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Made:
    """Data folders of one history. The last writes of `killed` are in the log of the database."""

    older: Path
    killed: Path
    closed: Path


def _made(folder: Path) -> Made:
    made = Made(folder / "older", folder / "killed", folder / "closed")
    right = folder / "right"
    chance = random.Random(1)
    deeds = [
        *(Deed("put", put={f"i{n}": v for n in range(v, 300, v)}) for v in (1, 2, 3)),
        Deed("index", NOTES, put={f"n{n}.txt": 1 for n in range(20)}),
    ]
    late = [
        Deed("drop", drop=tuple(f"i{n}" for n in chance.sample(range(1, 300), 30))),
        Deed("index", NOTES, put={f"n{n}.txt": 5 for n in range(10)}, drop=("n15.txt",)),
        Deed("put", put={f"i{n}": 6 for n in chance.sample(range(1, 300), 30)}),
    ]
    publish = [Deed("publish", LIVE), Deed("publish", NOTES)]
    with open_store(settings_for(right)) as store:
        collections = open_collections(store)
        for deed in (*deeds, *publish):
            do(deed, right, store, collections)
        shutil.copytree(right / "data", made.older)
        for deed in (*late, *publish, Deed("put", put={"i5": 7}), Deed("drop", drop=("i10",))):
            do(deed, right, store, collections)
        shutil.copytree(right / "data", made.killed)
    shutil.copytree(right / "data", made.closed)
    return made
