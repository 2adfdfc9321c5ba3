"""Tiers, groups of copies and labels at a prompt: as tables for people, as JSON for programs.

Knows nothing about how they were found.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from latent.items import JSON, Item
from service.checks.classify import Verdict
from service.checks.duplicates import Group
from service.checks.tiers import Tier
from service.commands.files import file_of

FEW = 3
"""Labels that are shown for each thing."""


def tiers_table(tiers: Sequence[Sequence[Tier]]) -> Table:
    """How alike each pair is, most alike first."""
    table = _table("pair", "tier")
    count = len(tiers)
    pairs = [(tiers[i][j], i, j) for i in range(count) for j in range(i + 1, count)]
    for tier, one, other in sorted(pairs, key=lambda pair: -pair[0].rank):
        table.add_row(f"{one + 1}, {other + 1}", tier.value)
    return table


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


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
