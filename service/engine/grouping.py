"""Groups of hits: the best of each, and how many more there are.

Knows nothing about which hits there are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from latent.items import Group, Hit
from service.engine.values import value_of


def key_of(hit: Hit, field: str) -> str:
    """What a hit shares with all others of its group; one with nothing in the field is alone."""
    value = value_of(hit.item, field)
    if value is None:
        return json.dumps({"alone": hit.item.id})
    return json.dumps([value], sort_keys=True)


def grouped(hits: Sequence[Hit], field: str) -> list[Hit]:
    """The first hit of each group, in the order given, each with its group."""
    first: dict[str, Hit] = {}
    others: dict[str, int] = {}
    for hit in hits:
        key = key_of(hit, field)
        if key in first:
            others[key] += 1
        else:
            first[key], others[key] = hit, 0
    return [
        replace(hit, group=Group(value_of(hit.item, field), others[key]))
        for key, hit in first.items()
    ]
