"""Questions of random keys to random collections: nobody sees an item that is not theirs to see.

Three collections, one searched exactly, two with a graph, whose items lie mixed up in one space.
Ids and metadata say whose each is, and a filter is worked out in Python beside the answer. Some
questions name items, cursors and owners of other collections.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from benchmarks.rows import Row, at_least, at_most
from latent.settings import Settings
from latent.wiring import open_store
from scripts.soaking.soak import Soak
from service.app import search_app
from service.guard.keyring import Keyring
from service.guard.keys import new_key
from service.guard.scopes import Scope

SEED = 20261123
DIM = 8
SIZES = {"small": 60, "large": 600, "largest": 1_200}
EXACT = 100  # items; collections with more get a graph


@dataclass
class Tally:
    """What the answers came to."""

    asked: int = 0
    hits: int = 0
    refused: int = 0
    kinds: dict[str, str] = field(default_factory=dict)  # how each collection is searched
    foreign: list[str] = field(default_factory=list)  # items of others, or that do not match
    let_in: list[str] = field(default_factory=list)  # answers to keys that are not for them


def rows(soak: Soak) -> Iterator[Row]:
    """Foreign ids, and keys that were let in where they should not."""
    tally = ask(soak.folder, soak.choose(long=10_000, short=200))
    against = f"{tally.asked} questions, {tally.hits} hits, {tally.refused} refused"
    yield Row("foreign ids in answers", len(tally.foreign), "ids", against, at_most(0))
    yield Row("keys that opened what is not theirs", len(tally.let_in), "answers", "", at_most(0))
    yield Row("hits that were looked at", tally.hits, "hits", "", at_least(tally.asked))


def ask(folder: Path, many: int) -> Tally:
    """Make the collections and the keys, ask so many questions, and look at every hit."""
    settings = Settings(
        data=folder / "data",
        model=f"vectors:{DIM}",
        exact_limit=EXACT,
        threads=2,
        published="0.0.0.0",
        min_relevance=0,
    )
    chance = random.Random(SEED)
    keys = _keys(settings)
    tally = Tally()
    with TestClient(search_app(settings)) as client:
        _fill(client, keys["admin"][0])
        with open_store(settings) as store:
            for name in SIZES:
                store.collection(name).publish()
                tally.kinds[name] = str(store.collection(name).summary().index["kind"])
        cursors: dict[str, str] = {}
        for _ in range(many):
            _ask_one(client, chance, chance.choice(list(keys.values())), cursors, tally)
    return tally


def _keys(settings: Settings) -> dict[str, tuple[str, Sequence[str]]]:
    """Keys with the collections they are for."""
    sets = [[one] for one in SIZES] + [["small", "largest"], ["large", "nowhere"]]
    made: dict[str, tuple[str, Sequence[str]]] = {}
    for name, scope, collections in (
        ("admin", Scope.ADMIN, ()),
        *((f"key-{n}", Scope.READ, some) for n, some in enumerate(sets)),
    ):
        key, secret = new_key(name, scope, collections=collections)
        Keyring.of(settings).add(key)
        made[name] = (secret, collections or list(SIZES))
    return made


def _fill(client: TestClient, admin: str) -> None:
    headers = {"X-API-Key": admin}
    points = np.random.default_rng(SEED)
    for name, size in SIZES.items():
        client.put(f"/v1/collections/{name}", json={}, headers=headers).raise_for_status()
        items = [
            {
                "id": f"{name}/{n}",
                "vector": points.normal(size=DIM).tolist(),
                "modality": "image",
                "metadata": {"owner": name, "n": n, "even": n % 2 == 0},
            }
            for n in range(size)
        ]
        for start in range(0, size, 300):
            body = {"items": items[start : start + 300]}
            path = f"/v1/collections/{name}/items"
            client.put(path, json=body, headers=headers).raise_for_status()


def _ask_one(
    client: TestClient,
    chance: random.Random,
    key: tuple[str, Sequence[str]],
    cursors: dict[str, str],
    tally: Tally,
) -> None:
    secret, allowed = key
    name, other = chance.sample(list(SIZES), 2)
    where = _filter(chance, other)
    body: dict[str, Any] = {"filter": where, "k": chance.choice((1, 10, 100))}
    kind = chance.choice(("query", "query", "query", "like", "cursor", "scroll", "item"))
    method, path = "POST", f"/v1/collections/{name}/query"
    body["query"] = {"vector": [chance.gauss(0, 1) for _ in range(DIM)]}
    if kind == "like":
        body["query"] = {"id": f"{chance.choice((name, other))}/{chance.randrange(60)}"}
    elif kind == "cursor" and other in cursors:
        body["cursor"] = cursors[other]
    elif kind == "scroll":
        path, body = f"/v1/collections/{name}/items/scroll", {"filter": where, "limit": 50}
    elif kind == "item":
        owner = chance.choice((name, other))
        method, path = "GET", f"/v1/collections/{name}/items/{owner}/{chance.randrange(60)}"
    sent = body if method == "POST" else None
    answer = client.request(method, path, json=sent, headers={"X-API-Key": secret})
    tally.asked += 1
    if name not in allowed or answer.status_code != 200:
        tally.refused += 1
        if name not in allowed and answer.status_code != 403:
            tally.let_in.append(f"{method} {path}: {answer.status_code}")
        return
    told = answer.json()
    if told.get("cursor") and path.endswith("query"):
        cursors[name] = told["cursor"]
    for found in told.get("hits", told.get("items", [told])):
        tally.hits += 1
        if not _is_theirs(found, name, where if method == "POST" else {}):
            tally.foreign.append(f"{path}: {found['id']}")


def _filter(chance: random.Random, other: str) -> dict[str, Any]:
    return chance.choice(
        (
            {},
            {"n": {"$lt": chance.choice((1, 10, 100, 1_000))}},
            {"even": chance.choice((True, False))},
            {"owner": other},
            {"owner": {"$ne": other}, "n": {"$gte": chance.randrange(600)}},
            {"$or": [{"owner": other}, {"n": chance.randrange(60)}]},
        )
    )


def _is_theirs(found: Mapping[str, Any], name: str, where: Mapping[str, Any]) -> bool:
    said = found["metadata"]
    is_of = found["id"].startswith(f"{name}/") and said["owner"] == name
    return is_of and _matches(said, where)


def _matches(said: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """The few filters of these questions, worked out apart from ours."""
    for name, wanted in where.items():
        if name == "$or":
            if not any(_matches(said, one) for one in wanted):
                return False
        elif isinstance(wanted, dict):
            ((sign, value),) = wanted.items()
            held = {"$lt": lambda a, b: a < b, "$gte": lambda a, b: a >= b}
            if not held.get(sign, lambda a, b: a != b)(said[name], value):
                return False
        elif said[name] != wanted:
            return False
    return True
