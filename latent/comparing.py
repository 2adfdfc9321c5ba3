"""Two collections of the same things in different spaces, compared by what is near in each.

For whoever is to choose between a model and the next. Knows nothing about models: it reads what
both have stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from latent.collection import Collection
from latent.errors import InputError
from latent.items import JSON, Vector


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two collections share.

    `overlap` is the mean share of the `k` nearest of an item that are the same in both, of `asked`
    items that both have; None where they have too few. `k` is at most half of the others, for all
    of them are always the same. `recall` is that of each index against a
    comparison with every item, as it was measured when it was made.
    """

    names: tuple[str, str]
    common: int
    only: tuple[int, int]
    asked: int
    k: int
    overlap: float | None
    recall: tuple[JSON, JSON]

    def as_json(self) -> dict[str, JSON]:
        """As the command line prints it."""
        return {
            "collections": list(self.names),
            "common": self.common,
            "only": list(self.only),
            "asked": self.asked,
            "k": self.k,
            "overlap": None if self.overlap is None else round(self.overlap, 4),
            "recall": list(self.recall),
        }


def compare(
    first: Collection, second: Collection, *, k: int = 10, most: int = 500, seed: int = 0
) -> Comparison:
    """Compare the neighbours of at most `most` items; the same seed asks about the same ones.

    Only neighbours that both have are counted, so that items which one lacks say nothing about how
    it places the others.

    Raises:
        InputError: it is one and the same collection.
    """
    if first.name == second.name:
        raise InputError(f"{first.name!r} is compared with another collection, not with itself")
    ids = [{content.id for content in one.contents()} for one in (first, second)]
    common = sorted(ids[0] & ids[1])
    chosen = np.random.default_rng(seed).permutation(len(common))[:most]
    asked = [common[place] for place in chosen] if len(common) > 1 else []
    k = max(1, min(k, (len(common) - 1) // 2))
    near = [_neighbours(one, asked, set(common), k) for one in (first, second)]
    shares = [
        len(here & there) / len(here) for here, there in zip(*near, strict=True) if here and there
    ]
    return Comparison(
        names=(first.name, second.name),
        common=len(common),
        only=(len(ids[0]) - len(common), len(ids[1]) - len(common)),
        asked=len(shares),
        k=k,
        overlap=fmean(shares) if shares else None,
        recall=(first.summary().index["recall"], second.summary().index["recall"]),
    )


def _neighbours(
    collection: Collection, asked: Sequence[str], common: set[str], k: int
) -> list[set[str]]:
    vectors = collection.vectors_of(asked)
    return [
        _nearest(collection, item_id, vector, common, k)
        for item_id, vector in zip(asked, vectors, strict=True)
    ]


def _nearest(
    collection: Collection, item_id: str, vector: Vector, common: set[str], k: int
) -> set[str]:
    """The ids of the k nearest others that both have; fewer only if there are fewer."""
    wanted = k + 1
    while True:
        hits = collection.nearest(vector, wanted)
        found = [h.item.id for h in hits if h.item.id != item_id and h.item.id in common]
        if len(found) >= k or len(hits) < wanted:
            return set(found[:k])
        wanted *= 2
