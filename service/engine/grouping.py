"""Groups of hits: the best of each, and how many more there are.

By what a field holds, or by what are copies of each other. Knows nothing about how hits were found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from latent.items import JSON, Group, Hit
from latent.models.cuts import Cuts
from service.checks.among import copies_among
from service.engine.values import value_of

COPIES = "$copies"
"""What hits are grouped by to have one of all copies of a thing."""


@dataclass(frozen=True, slots=True)
class Grouped:
    """The best hit of each group, in the order given, each with its group.

    `names` are what the group is known by beside another answer, by the id of its best hit.
    """

    hits: list[Hit]
    names: Mapping[str, Sequence[str]]


def grouped(hits: Sequence[Hit], field: str, cuts: Cuts) -> Grouped:
    """The first hit of each group; one that shares nothing with others is alone."""
    groups = _copies(hits, cuts) if field == COPIES else _by_field(hits, field)
    best = [
        replace(members[0], group=Group(value, len(members) - 1)) for value, members, _ in groups
    ]
    return Grouped(best, {members[0].item.id: names for _, members, names in groups})


_Groups = list[tuple[JSON, list[Hit], Sequence[str]]]
"""What a group shares, its hits, best first, and its names."""


def _by_field(hits: Sequence[Hit], field: str) -> _Groups:
    members: dict[str, list[Hit]] = {}
    for hit in hits:
        members.setdefault(_name(hit, field), []).append(hit)
    return [(value_of(some[0].item, field), some, [name]) for name, some in members.items()]


def _copies(hits: Sequence[Hit], cuts: Cuts) -> _Groups:
    """What is shared is the tier; copies may come and go, so a group has the names of them all."""
    found = copies_among([hit.item for hit in hits], cuts)
    together = {place: (tier, places) for tier, places in found for place in places}
    groups: _Groups = []
    for place in range(len(hits)):
        tier, places = together.get(place, (None, [place]))
        if place == min(places):
            members = [hits[one] for one in sorted(places)]
            names = [one.item.id for one in members]
            groups.append((None if tier is None else tier.value, members, names))
    return groups


def _name(hit: Hit, field: str) -> str:
    """What a hit shares with all others of its group."""
    value = value_of(hit.item, field)
    if value is None:
        return json.dumps({"alone": hit.item.id})
    return json.dumps([value], sort_keys=True)
