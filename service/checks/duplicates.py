"""All groups of copies in a collection: near pairs, joined wherever they touch.

Nothing is deleted; a group says which of its items is best kept. What makes a pair is told in
`links`. Knows nothing about the web.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from latent.collection import Collection
from latent.errors import InputError
from latent.items import JSON, Item, Modality
from latent.models import registry
from latent.settings import Settings
from service.checks.links import Chains, Progress, Shelf, links
from service.checks.tiers import Tier, of_rank

FINDABLE = (
    Tier.IDENTICAL,
    Tier.SAME_PICTURE,
    Tier.SAME_TEXT,
    Tier.NEAR_COPY,
    Tier.ALIKE,
    Tier.PARAPHRASE,
)
"""What groups may be made of. A tier of pictures stands for that of texts of the same rank too."""

AT_ONCE = 500
"""Groups whose items are read at once."""


@dataclass(frozen=True, slots=True)
class Group:
    """Items that are copies of each other; `tier` is that of the weakest link that holds it."""

    tier: Tier
    keep: Item
    extra: list[Item]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The groups, strongest and largest first, of how many items, down to which tier.

    `unknown` pictures have no hash: they were stored by an older version, or came as vectors.
    `is_calibrated` says whether the cuts of cosines were fitted to the model.
    """

    groups: list[Group]
    items: int
    tier: Tier
    unknown: int
    is_calibrated: bool

    @property
    def extra(self) -> int:
        """How many items could go."""
        return sum(len(group.extra) for group in self.groups)


def duplicates(
    collection: Collection,
    settings: Settings,
    tier: Tier = Tier.NEAR_COPY,
    *,
    progress: Progress = lambda step: None,
) -> Duplicates:
    """All groups of items that are at least so alike.

    Raises:
        InputError: groups cannot be made of so weak a tier.
    """
    require_findable(tier)
    progress("reading")
    shelf = Shelf.of(collection, settings.threads)
    chains = Chains(len(shelf.ids))
    cuts = registry.cuts(collection.space, settings)
    for rank, ones, twos in links(shelf, cuts, tier, progress):
        chains.join(rank, ones, twos)
    groups = list(_groups(collection, shelf, chains))
    groups.sort(key=lambda group: (-group.tier.rank, -len(group.extra), group.keep.id))
    return Duplicates(groups, len(shelf.ids), tier, shelf.unknown, cuts.is_fitted)


def require_findable(tier: Tier) -> None:
    """Refuse tiers that are too weak.

    Raises:
        InputError: naming those there are.
    """
    if tier not in FINDABLE:
        named = ", ".join(FINDABLE)
        raise InputError(f"groups cannot be made of what is {tier}; there are: {named}")


def _groups(collection: Collection, shelf: Shelf, chains: Chains) -> Iterator[Group]:
    """The groups with their items, less those that were dropped since."""
    waiting = iter(chains.groups())
    while some := list(islice(waiting, AT_ONCE)):
        items = collection.find([shelf.ids[place] for places, _ in some for place in places])
        for places, rank in some:
            there = [items[one] for place in places if (one := shelf.ids[place]) in items]
            if len(there) > 1:
                keep, *extra = sorted(there, key=_worth)
                yield Group(of_rank(rank, keep.modality), keep, extra)


def _worth(item: Item) -> tuple[float, float, str]:
    """Largest first (pixels, or characters), then most bytes, then oldest."""
    facts = item.metadata
    pixels = _number(facts.get("width")) * _number(facts.get("height"))
    size = pixels if item.modality is Modality.IMAGE else float(len(item.text or ""))
    return -size, -_number(facts.get("size")), str(facts.get("taken_at") or facts.get("modified"))


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
