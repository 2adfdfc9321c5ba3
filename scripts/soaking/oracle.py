"""What a collection should hold and answer, as a dictionary and a matrix product.

The house's own words (`Item`), nothing of its storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from latent.items import Hit, Item, Vector

NEAR = 1e-5
"""As far as two scores of float32 may be apart that should be the same."""

Where = Mapping[str, object]


@dataclass
class Oracle:
    """Items by id, in order of arrival: a replaced one keeps its place, a dropped one loses it."""

    items: dict[str, Item] = field(default_factory=dict)

    def put(self, items: Iterable[Item]) -> None:
        for item in items:
            self.items[item.id] = item

    def drop(self, ids: Iterable[str]) -> int:
        """Gives how many were there."""
        return sum(self.items.pop(item_id, None) is not None for item_id in set(ids))

    def matching(self, colour: str | None) -> list[Item]:
        """In order of arrival; all without a colour."""
        return [
            item
            for item in self.items.values()
            if colour is None or item.metadata.get("colour") == colour
        ]

    def faults(self, hits: Sequence[Hit], query: Vector, k: int, colour: str | None) -> list[str]:
        """What is wrong with an answer; which of two equally near comes first is by arrival."""
        among = {item.id: float(item.vector @ query) for item in self.matching(colour)}
        wanted = sorted(among.values(), reverse=True)[:k]
        ids = [hit.item.id for hit in hits]
        if strangers := [item_id for item_id in ids if item_id not in among]:
            return [f"found {strangers}, which should not be"]
        if len(set(ids)) != len(ids):
            return [f"found one twice: {ids}"]
        if len(hits) != len(wanted):
            return [f"{len(hits)} hits, not {len(wanted)}"]
        faults = [
            f"{hit.item.id} has the score {hit.score}, not {among[hit.item.id]}"
            for hit in hits
            if abs(hit.score - among[hit.item.id]) > NEAR
        ]
        got = [hit.score for hit in hits]
        if not np.allclose(got, wanted, atol=NEAR):
            faults.append(f"the scores are {got}, not {wanted}")
        faults += [f"{hit.item.id} is not what was put" for hit in hits if not self._is(hit.item)]
        return faults

    def _is(self, item: Item) -> bool:
        put = self.items[item.id]
        return (put.text, dict(put.metadata)) == (item.text, dict(item.metadata))
