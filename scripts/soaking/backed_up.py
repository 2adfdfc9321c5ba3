"""Backups taken while a writer writes, each restored elsewhere: they are of one moment, and whole.

Which moments are possible is told by the journal of the writer: not before what was acknowledged
when the backup began, not after what had begun when it ended. Then a backup and a restore are
killed half-way and done again, and a file of the backup is harmed, which must be refused.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from benchmarks.rows import Row, at_least, at_most
from latent import backups
from latent.errors import InputError, NearfieldError, StoreError
from latent.settings import Settings
from latent.wiring import open_store
from scripts.soaking.damaged import HARMS
from scripts.soaking.deeds import LIVE, NOTES, Deed, told
from scripts.soaking.killed import Versions, versions_in, writing
from scripts.soaking.soak import Soak
from scripts.soaking.writer import (
    NOTES_FOLDER,
    index_notes,
    open_collections,
    settings_for,
    vector_of,
)

LONGEST = 0.25  # seconds until a backup or a restore is killed, at most
HARMFUL = ("truncated", "flipped", "deleted")
KEYS, UPLOAD = "keys.json", "views/uid/uploads/a.webp"

States = dict[str, list[Versions]]


@dataclass
class Tally:
    """What all rounds came to."""

    taken: int = 0
    writes: int = 0
    killed: int = 0
    wrong: list[str] = field(default_factory=list)
    halves: list[str] = field(default_factory=list)
    believed: list[str] = field(default_factory=list)


def rows(soak: Soak) -> Iterator[Row]:
    """100 rounds of each; in the short form 2."""
    rounds = soak.choose(long=100, short=2)
    tally = backed_up(soak.folder, rounds=rounds)
    how = f"{tally.taken} backups beside {tally.writes:,} writes, each restored and verified"
    yield Row("backups: taken and restored", tally.taken, "", how, at_least(rounds))
    what = "; ".join([how, *tally.wrong[:3]])
    yield Row(
        "backups: not of one moment, or with differences", len(tally.wrong), "", what, at_most(0)
    )
    what = "; ".join([f"{tally.killed} backups and restores killed half-way", *tally.halves[:3]])
    yield Row(
        "backups: halves that stood in the way or were taken for whole",
        len(tally.halves),
        "",
        what,
        at_most(0),
    )
    what = "; ".join(["a file truncated, flipped or deleted", *tally.believed[:3]])
    yield Row("backups: damaged ones that were restored", len(tally.believed), "", what, at_most(0))


def backed_up(folder: Path, *, rounds: int, seed: int = 0) -> Tally:
    """Back up one data folder that many times while it is written to."""
    chance, tally = random.Random(seed), Tally()
    settings = settings_for(folder)
    with open_store(settings) as store:
        open_collections(store)
    (folder / NOTES_FOLDER).mkdir()
    (settings.data / KEYS).write_text("{}")
    (settings.data / UPLOAD).parent.mkdir(parents=True)
    (settings.data / UPLOAD).write_bytes(b"picture")
    for number in range(rounds):
        saved = folder / f"saved-{number}{chance.choice(('', backups.TAR))}"
        states = _saved_beside_a_writer(folder, saved, seed=seed * rounds + number, tally=tally)
        into = settings_for(folder / "restored")
        try:
            backups.restore(into, saved)
            _hold(into, states, tally, f"round {number}")
        except NearfieldError as error:
            tally.wrong.append(f"round {number}: {error}")
        shutil.rmtree(folder / "restored", ignore_errors=True)
        _kill_half_way(folder, saved, chance, tally)
        _harm(folder, saved, chance, tally)
        _removed(saved)
    return tally


def _saved_beside_a_writer(folder: Path, saved: Path, *, seed: int, tally: Tally) -> States:
    """A backup; gives the states of each collection that it may be of."""
    settings, journal = settings_for(folder), folder / f"journal-{seed}"
    with open_store(settings) as store:
        # What the writer before was killed at would be taken in by the next that indexes.
        if any((folder / NOTES_FOLDER).glob("n*.txt")):
            index_notes(folder, store, store.collection(NOTES))
        begun = {name: versions_in(store.collection(name)) for name in (LIVE, NOTES)}
    with writing(folder, journal, seed):
        time.sleep(LONGEST)
        before = sum(is_done for _, is_done in told(journal))
        backups.write(settings, saved, lambda done, total: time.sleep(0.02))
        deeds = [deed for deed, _ in told(journal)]
    tally.taken += 1
    tally.writes += len(deeds)
    return {name: _after(begun[name], deeds, name)[before:] for name in begun}


def _after(begun: Versions, deeds: list[Deed], name: str) -> list[Versions]:
    """What the collection holds at first and after each deed."""
    states = [begun]
    for deed in deeds:
        states.append(deed.after(states[-1]) if deed.collection == name else states[-1])
    return states


def _hold(settings: Settings, states: States, tally: Tally, about: str) -> None:
    """Hold a restored store against the states that it may be of."""
    with open_store(settings) as store:
        collections = {name: store.collection(name) for name in states}
        for name, collection in collections.items():
            tally.wrong += [f"{about}: {name}: {flaw}" for flaw in collection.verify()]
        live, notes = (versions_in(collections[name]) for name in (LIVE, NOTES))
        if live not in states[LIVE]:
            tally.wrong.append(f"{about}: {LIVE} is of no moment of {len(states[LIVE])}")
        for name in notes.keys() | {each for state in states[NOTES] for each in state}:
            # A folder is indexed file by file: each for itself is as it was at some moment.
            if notes.get(name) not in {state.get(name) for state in states[NOTES]}:
                tally.wrong.append(f"{about}: {name} was never in version {notes.get(name)}")
        for name in sorted(live)[:3]:
            if collections[LIVE].nearest(vector_of(name, live[name]), 1)[0].item.id != name:
                tally.wrong.append(f"{about}: {name} is not found")
    for name in (KEYS, UPLOAD):
        if not (settings.data / name).is_file():
            tally.wrong.append(f"{about}: {name} is gone")


# --- killed -------------------------------------------------------------------------------------


def _kill_half_way(folder: Path, saved: Path, chance: random.Random, tally: Tally) -> None:
    """A backup and a restore, killed: what has its name is whole, and each can be done again."""
    again = folder / f"again{saved.suffix}"
    source, into = settings_for(folder), settings_for(folder / "restored")
    _killed(write_slowly, source, again, chance)
    _killed(restore_slowly, into, saved, chance)
    tally.killed += 2
    try:
        if not again.exists():
            backups.write(source, again, lambda done, total: None)
        if not (into.data / "catalog.sqlite3").exists():
            backups.restore(into, saved)
        with open_store(into) as store:
            flaws = [flaw for name in (LIVE, NOTES) for flaw in store.collection(name).verify()]
            tally.halves += [f"{saved.name}: {flaw}" for flaw in flaws]
        shutil.rmtree(folder / "restored")
        backups.restore(into, again)
    except NearfieldError as error:
        tally.halves.append(f"{saved.name}: {error}")
    shutil.rmtree(folder / "restored", ignore_errors=True)
    _removed(again)


def _killed(
    work: Callable[[Settings, Path], None], settings: Settings, path: Path, chance: random.Random
) -> None:
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=work, args=(settings, path))
    process.start()
    process.join(chance.uniform(0, LONGEST))
    process.kill()
    process.join()
    process.close()


def write_slowly(settings: Settings, path: Path) -> None:
    backups.write(settings, path, lambda done, total: time.sleep(0.002))


def restore_slowly(settings: Settings, path: Path) -> None:
    backups.restore(settings, path)


# --- harmed -------------------------------------------------------------------------------------


def _harm(folder: Path, saved: Path, chance: random.Random, tally: Tally) -> None:
    """A copy with one file harmed is refused, and nothing of it is there."""
    copy, into = folder / f"harmed{saved.suffix}", settings_for(folder / "restored")
    if saved.is_dir():
        shutil.copytree(saved, copy)
    else:
        shutil.copyfile(saved, copy)
    file = chance.choice(sorted(one for one in copy.rglob("*") if one.is_file()) or [copy])
    harm = chance.choice(HARMFUL)
    HARMS[harm](file, file, chance)
    try:
        backups.restore(into, copy)
        if file != copy or not _is_the_same(into, folder, saved):
            tally.believed.append(f"{saved.name}: {file.name} {harm}")
    except (StoreError, InputError) as error:
        if into.data.exists() and any(into.data.iterdir()):
            tally.believed.append(f"{saved.name}: refused ({error}), and yet something is there")
    shutil.rmtree(folder / "restored", ignore_errors=True)
    _removed(copy)


def _is_the_same(into: Settings, folder: Path, saved: Path) -> bool:
    """Whether a restored TAR is as what it was harmed from: a bit of its padding means nothing."""
    right = settings_for(folder / "right")
    backups.restore(right, saved)
    found = [
        {
            file.relative_to(one.data): file.read_bytes()
            for file in one.data.rglob("*")
            if file.is_file()
        }
        for one in (into, right)
    ]
    shutil.rmtree(folder / "right")
    return found[0] == found[1]


def _removed(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
