"""Which of some items at hand are copies of each other, as hits of one question are.

Knows nothing about the rest of their collection.
"""

from __future__ import annotations

from collections.abc import Sequence

from latent.items import Item
from latent.models.cuts import Cuts
from service.checks.links import Chains, Shelf, links
from service.checks.tiers import Tier, of_rank

MOST_TEXTS = 10
"""Texts whose words each text is held against: the nearest, for words take long to compare."""


def copies_among(items: Sequence[Item], cuts: Cuts) -> list[tuple[Tier, list[int]]]:
    """Groups of two or more that are near copies at least, by their numbers, in order.

    With each comes the tier of the weakest link that holds it together.
    """
    if len(items) < 2:
        return []
    shelf = Shelf.of_items(items, MOST_TEXTS)
    chains = Chains(len(items))
    for rank, ones, twos in links(shelf, cuts, Tier.NEAR_COPY):
        chains.join(rank, ones, twos)
    return [(of_rank(rank, items[places[0]].modality), places) for places, rank in chains.groups()]
