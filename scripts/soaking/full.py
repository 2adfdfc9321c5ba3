"""Disk full while putting, publishing, indexing, and over HTTP, on a disk of a few megabytes.

Each time: a StorageFullError (507), reads go on, nothing acknowledged is lost, `verify` finds
nothing, and work goes on when there is room again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi.testclient import TestClient

from benchmarks.rows import Row, at_least, at_most
from indexer.pipeline import index
from latent.collection import Collection
from latent.errors import StorageFullError
from latent.settings import Settings
from latent.store import Store
from latent.wiring import open_store
from scripts.soaking.killed import versions_in
from scripts.soaking.small_disk import SmallDisk, small_disk
from scripts.soaking.soak import Soak
from scripts.soaking.writer import DIM, item_of, vector_of
from service.app import search_app

MEGABYTES = 24
AT_ONCE = 200
NOTES = 400
STORAGE_FULL = 507


@dataclass
class Outcome:
    """What came of filling the disk during one kind of work."""

    named: int = 0
    lost: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)


def rows(soak: Soak) -> Iterator[Row]:
    """Every kind of work, ten times; once in the short form."""
    rounds = soak.choose(long=10, short=1)
    total = Outcome()
    for number in range(rounds):
        with small_disk(soak.folder / f"disk-{number}", megabytes=MEGABYTES) as disk:
            for work in WORKS.values():
                add(total, work(disk))
    tries = rounds * len(WORKS)
    how = f"{tries} times no room on {MEGABYTES} MB: {', '.join(WORKS)}"
    yield Row("disk full: said so (507)", total.named / tries, "of all", how, at_least(1))
    yield Row("disk full: writes lost", len(total.lost), "", how, at_most(0))
    yield Row("disk full: reads that failed", len(total.unread), "", how, at_most(0))
    yield Row("disk full: work that did not go on", len(total.stuck), "", how, at_most(0))


def add(total: Outcome, one: Outcome) -> None:
    total.named += one.named
    total.lost += one.lost
    total.unread += one.unread
    total.stuck += one.stuck


def while_putting(disk: SmallDisk) -> Outcome:
    """Items until there is no room; then room, and one more."""
    outcome = Outcome()
    acknowledged: dict[str, int] = {}
    with _opened(disk, "put") as (_, collection):
        disk.fill(leaving=1_000_000)
        for start in range(0, 100_000, AT_ONCE):
            names = {f"i{number}": 1 for number in range(start, start + AT_ONCE)}
            try:
                collection.put([item_of(name, 1) for name in names])
            except StorageFullError:
                outcome.named += 1
                break
            acknowledged |= names
        _check(collection, acknowledged, outcome)
        disk.relieve()
        _go_on(collection, acknowledged, outcome)
    return outcome


def while_publishing(disk: SmallDisk) -> Outcome:
    """Room for the catalog, and none for a snapshot of it."""
    outcome = Outcome()
    acknowledged = {f"i{number}": 1 for number in range(4_000)}
    with _opened(disk, "publish") as (_, collection):
        collection.put([item_of(name, 1) for name in acknowledged])
        disk.fill(leaving=200_000)
        try:
            collection.publish(force=True)
        except StorageFullError:
            outcome.named += 1
        if left := list((disk.folder / "publish").glob("index/*/.new-*")):
            outcome.stuck.append(f"left behind: {left}")
        _check(collection, acknowledged, outcome)
        disk.relieve()
        if not collection.publish(force=True):
            outcome.stuck.append("no snapshot was made")
        _go_on(collection, acknowledged, outcome)
    return outcome


def while_indexing(disk: SmallDisk) -> Outcome:
    """A folder that does not fit; indexed again, it does."""
    outcome = Outcome()
    notes = disk.folder.parent / f"notes-of-{disk.folder.name}"
    notes.mkdir(exist_ok=True)
    for number in range(NOTES):
        (notes / f"n{number}.txt").write_text(f"{'words ' * 60} {number}")
    with _opened(disk, "index", model="colours") as (store, collection):
        disk.fill(leaving=600_000)
        try:
            index([notes], collection, store.embedder(), store.settings)
        except StorageFullError:
            outcome.named += 1
        if flaws := collection.verify():
            outcome.lost += flaws
        stored = collection.count()
        if stored and len(collection.scroll(10)) != min(10, stored):
            outcome.unread.append("the items that were stored")
        disk.relieve()
        report = index([notes], collection, store.embedder(), store.settings)
        if report.unchanged < stored or report.items < NOTES or report.failed:
            outcome.stuck.append(f"indexed again: {report.as_json()}")
    return outcome


def over_http(disk: SmallDisk) -> Outcome:
    """507 to the writer, 200 to the reader, and 200 to both when there is room again."""
    outcome = Outcome()
    settings = _settings(disk, "http", "colours")
    item = "/v1/collections/main/items"
    with TestClient(search_app(settings)) as client:
        client.put("/v1/collections/main", json={}).raise_for_status()
        body = {"items": [{"id": "a", "text": "red", "metadata": {"long": "x" * 20_000}}]}
        client.put(item, json=body).raise_for_status()
        disk.fill()
        for number in range(100):
            answer = client.put(item, json={"items": [body["items"][0] | {"id": f"b{number}"}]})
            if answer.status_code != 200:
                break
        if (answer.status_code, answer.json().get("code")) == (STORAGE_FULL, "storage_full"):
            outcome.named += 1
        found = client.post("/v1/collections/main/query", json={"query": "red", "min_relevance": 0})
        if found.status_code != 200 or not found.json()["hits"]:
            outcome.unread.append(f"a query: {found.status_code}")
        if client.get(f"{item}/a").status_code != 200:
            outcome.lost.append("the item a")
        disk.relieve()
        answer = client.put(item, json={"items": [{"id": "later", "text": "green"}]})
        if answer.status_code != 200:
            outcome.stuck.append(f"an item: {answer.text}")
    return outcome


WORKS: dict[str, Callable[[SmallDisk], Outcome]] = {
    "put": while_putting,
    "publish": while_publishing,
    "index": while_indexing,
    "http": over_http,
}


def _settings(disk: SmallDisk, name: str, model: str) -> Settings:
    return Settings(data=disk.folder / name, model=model, threads=1, exact_limit=500)


@contextmanager
def _opened(
    disk: SmallDisk, name: str, model: str = f"vectors:{DIM}"
) -> Iterator[tuple[Store, Collection]]:
    """A store on the disk, and its one collection."""
    with open_store(_settings(disk, name, model)) as store:
        yield store, store.ensure("main")


def _check(collection: Collection, acknowledged: dict[str, int], outcome: Outcome) -> None:
    """What was acknowledged is there and nothing else, and it is found, without any room."""
    if versions_in(collection) != acknowledged:
        outcome.lost.append(f"{collection.count()} items, not {len(acknowledged)}")
    outcome.lost += collection.verify()
    name = next(iter(acknowledged))
    if collection.nearest(vector_of(name, 1), 1)[0].item.id != name:
        outcome.unread.append(name)


def _go_on(collection: Collection, acknowledged: dict[str, int], outcome: Outcome) -> None:
    """With room again, an item is stored and found, and all is well."""
    collection.put([item_of("i999999", 1)])
    if collection.nearest(vector_of("i999999", 1), 1)[0].item.id != "i999999":
        outcome.stuck.append("a new item is not found")
    if versions_in(collection) != acknowledged | {"i999999": 1}:
        outcome.lost.append("items, after there was room again")
    outcome.stuck += collection.verify()
