"""`nearfield plan`: what a collection would take, before anyone buys anything.

Knows nothing about collections that are there.
"""

from __future__ import annotations

import os
import re

import click
from rich.table import Table

from latent.index.bases import Kind, Quantisation
from latent.index.sizes import Sizes, most_items, sizes
from latent.items import JSON
from latent.settings import Settings
from latent.terminal import command_options, out, print_json

GIB = 2**30
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)", re.IGNORECASE)
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


class Count(click.ParamType[int]):
    """A number of things: 50M, 200k, 1,000,000."""

    name = "count"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        found = _COUNT.fullmatch(str(value).replace(",", "").replace("_", ""))
        count = float(found[1]) * _TIMES[found[2].lower()] if found else 0.0
        if not 1 <= count <= 1e12 or count != int(count):
            self.fail(f"{value!r} is no number of things; write 50M, 200k or 1000000", param, ctx)
        return int(count)


@click.command()
@click.option("--items", type=Count(), required=True, help="How many items, such as 50M.")
@click.option(
    "--dim",
    type=click.IntRange(1, 65_536),
    default=384,
    show_default=True,
    help="Numbers of a vector.",
)
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    metavar="GIB",
    help="GiB of memory of one machine; by default those of this one.",
)
@click.option(
    "--cores",
    type=click.IntRange(min=1),
    help="Cores of one machine; by default those of this one.",
)
@command_options
def plan(
    settings: Settings,
    as_json: bool,
    *,
    items: int,
    dim: int,
    memory: float | None,
    cores: int | None,
) -> None:
    """Say what a collection would take: index, memory, disk, time to build, recall.

    And how many items one machine can hold. Texts and metadata come on top.
    """
    room = (
        round(memory * GIB) if memory else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    )
    hands = cores or settings.threads
    planned = [
        (one, most_items(room, dim, quantisation=one.quantisation, cores=hands))
        for one in _planned(items, dim, settings.exact_limit, hands)
    ]
    if as_json:
        ways: list[JSON] = [_json(one, most, items, settings.recall) for one, most in planned]
        print_json({"items": items, "dim": dim, "memory": room, "cores": hands, "ways": ways})
        return
    table = Table(
        title=f"{items:,} items of {dim} numbers, on {room / GIB:.0f} GiB and {hands} cores"
    )
    for name in ("index", "memory", "better", "disk", "build", "recall@10", "one machine holds"):
        table.add_column(name, justify="left" if name == "index" else "right")
    for one, most in planned:
        table.add_row(*_cells(one, most, items, settings.recall))
    out.print(table)
    out.print(_advice(planned, items), soft_wrap=True)


def _planned(items: int, dim: int, exact: int, cores: int) -> list[Sizes]:
    found = [
        sizes(items, dim, quantisation=each, exact=exact, cores=cores) for each in Quantisation
    ]
    return found[:1] if found[0].kind is Kind.EXACT else found


def _fits(one: Sizes, most: int, items: int) -> bool:
    return one.kind is Kind.EXACT or items <= most


def _json(one: Sizes, most: int, items: int, recall: float) -> dict[str, JSON]:
    return {
        "kind": one.kind.value,
        "quantisation": one.quantisation.value,
        "memory": one.memory,
        "memory_with_vectors": one.roomy,
        "disk": one.disk,
        "catalog": one.catalog,
        "snapshot": one.snapshot,
        "build_seconds": round(one.build_seconds, 1),
        "recall": 1.0 if one.kind is Kind.EXACT else recall,
        "most_items": most,
        "fits": _fits(one, most, items),
    }


def _cells(one: Sizes, most: int, items: int, recall: float) -> list[str]:
    is_exact = one.kind is Kind.EXACT
    return [
        "exact" if is_exact else f"hnsw, {one.quantisation.value}",
        f"{one.memory / 1e9:,.1f} GB",
        f"{one.roomy / 1e9:,.1f} GB",
        f"{one.disk / 1e9:,.1f} GB",
        "–" if is_exact else _time(one.build_seconds),
        "1" if is_exact else f"≥ {recall:g}",
        f"{most:,}" + ("" if _fits(one, most, items) else ": too few"),
    ]


def _time(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {name}"
    return f"{seconds:,.0f} s"


def _advice(planned: list[tuple[Sizes, int]], items: int) -> str:
    """In words: which of them one machine is enough for."""
    if planned[0][0].kind is Kind.EXACT:
        return "Few enough to compare every question with all of them; nothing is built."
    fitting = [one.quantisation.value for one, most in planned if _fits(one, most, items)]
    if fitting:
        return (
            f"One such machine is enough with {', '.join(fitting)}; recall is measured once built."
        )
    best, most = max(planned, key=lambda one: one[1])
    return (
        f"One such machine is not enough: with {best.quantisation.value} it holds {most:,} items, "
        f"so cut them into {-(-items // most):,} collections on as many machines."
        if most
        else "One such machine is not enough for any of them; it needs more memory."
    )
