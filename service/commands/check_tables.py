"""Tiers, groups of copies and labels at a prompt: as tables for people, as JSON for programs.

Knows nothing about how they were found.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from latent.items import JSON, Item
from latent.media.origins import file_of
from latent.models import registry
from latent.settings import Settings
from latent.space import Space
from service.checks.checks import Seen
from service.checks.classify import Verdict
from service.checks.duplicates import Group
from service.checks.pairs import Pairs
from service.checks.tiers import closest
from service.commands.tables import hit_json

FEW = 3
"""Labels that are shown for each thing."""


def pairs_table(pairs: Pairs) -> Table:
    """How alike each pair is, most alike first; relevance and match where there is that."""
    table = _table("pair", "tier", "relevance", *(["match"] if pairs.matches else []))
    count = len(pairs.tiers)
    both = [(i, j) for i in range(count) for j in range(i + 1, count)]
    for i, j in sorted(both, key=lambda one: -pairs.tiers[one[0]][one[1]].rank):
        row = [f"{i + 1}, {j + 1}", pairs.tiers[i][j].value, _sure(pairs.relevances[i][j])]
        if pairs.matches:
            row.append("yes" if pairs.matches[i][j] else "no")
        table.add_row(*row)
    return table


def matches_table(matches: Sequence[Seen]) -> Table:
    """What in a collection is like a thing, most alike first."""
    table = _table("#", "tier", "score", "relevance", "where")
    for rank, one in enumerate(matches, 1):
        item, tier = one.hit.item, one.tier.value if one.tier else "–"
        row = [str(rank), tier, f"{one.hit.score:.3f}", _sure(one.hit.relevance)]
        table.add_row(*map(Text, [*row, item.uri or item.id]))
    return table


def matches_json(
    name: str, space: Space, found: Sequence[Seen], matches: Sequence[Seen], settings: Settings
) -> dict[str, JSON]:
    """What a check found, in the form of that over HTTP."""
    tiers = [one.tier for one in found if one.tier]
    told: list[JSON] = [
        {**hit_json(one.hit), **({"tier": one.tier.value} if one.tier else {})} for one in matches
    ]
    return {
        "collection": name,
        "model": space.model,
        "is_match": bool(matches),
        "closest": closest(tiers).value if tiers or not found else None,
        "calibrated": registry.cuts(space, settings).is_fitted,
        "matches": told,
    }


def groups_table(groups: Sequence[Group]) -> Table:
    """A line for each item of each group, the one to keep first."""
    table = _table("group", "tier", "", "where", "size")
    for number, group in enumerate(groups, 1):
        for item in (group.keep, *group.extra):
            is_kept = item is group.keep
            row = [str(number), group.tier.value] if is_kept else ["", ""]
            row += ["keep" if is_kept else "extra", item.uri or item.id, _size(item)]
            # As Text, for markup in square brackets is no markup of ours.
            table.add_row(*map(Text, row))
    return table


def item_json(item: Item) -> dict[str, JSON]:
    """An item of a group. `path` is told to this machine's own command line alone."""
    return {
        "id": item.id,
        "uri": item.uri,
        "modality": item.modality.value,
        "metadata": dict(item.metadata),
        "path": str(path) if (path := file_of(item)) else None,
    }


def verdicts_table(
    things: Sequence[str], labels: Sequence[str], verdicts: Sequence[Verdict]
) -> Table:
    """What each thing is, and what else it may be."""
    table = _table("what", "label", "none", "surest")
    for thing, one in zip(things, verdicts, strict=True):
        each = sorted(zip(one.probabilities, labels, strict=True), reverse=True)[:FEW]
        surest = ", ".join(f"{label} {probability:.2f}" for probability, label in each)
        table.add_row(*map(Text, (thing, one.label or "–", f"{one.none:.2f}", surest)))
    return table


def _size(item: Item) -> str:
    width, height = item.metadata.get("width"), item.metadata.get("height")
    if width and height:
        return f"{width} × {height}"
    return f"{len(item.text)} characters" if item.text else ""


def _sure(relevance: float | None) -> str:
    return "–" if relevance is None else f"{relevance:.2f}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
