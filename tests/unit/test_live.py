"""Live items: what a put costs when nothing changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar, cast

import numpy as np

from latent.collection import Collection
from latent.items import Item
from service.desk import SearchDesk
from service.live import Given, draft, put
from service.seen.timing import Timings

P = ParamSpec("P")
R = TypeVar("R")


class Known:
    """A collection that finds its items and knows its sequence, and can do nothing else."""

    sequence = 7

    def __init__(self, *items: Item) -> None:
        self._items = {item.id: item for item in items}

    def find(self, ids: Sequence[str]) -> dict[str, Item]:
        return {item_id: self._items[item_id] for item_id in ids if item_id in self._items}


class OneDesk(SearchDesk):
    """A desk with one collection and no threads."""

    def __init__(self, collection: Known) -> None:
        self.timings = Timings()
        self._collection = collection

    def require_few(self, things: Sequence[object], what: str) -> None:
        assert things

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return work(*args, **kwargs)

    async def collection(self, name: str) -> Collection:
        return cast(Collection, self._collection)


def test_putting_what_is_there_already_neither_counts_nor_writes() -> None:
    given = Given("a", text="red", metadata={"n": 1})
    stored = draft(given).placed(np.ones(1, np.float32))
    outcomes, sequence = asyncio.run(put(OneDesk(Known(stored)), "main", [given]))
    assert [outcome.status for outcome in outcomes] == ["unchanged"]
    assert sequence == 7
