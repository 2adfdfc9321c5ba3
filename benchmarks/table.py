"""Rows as a table for people."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.rows import Results, Row

MET = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


def table(results: Results) -> Table:
    """Every row, with its target and whether it is met."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("what")
    made.add_column("value", justify="right", no_wrap=True)
    made.add_column("target", justify="right", no_wrap=True)
    made.add_column("met", no_wrap=True)
    made.add_column("against, or how")
    for row in results.rows:
        target = "" if row.target is None else str(row.target)
        made.add_row(row.name, shown(row), target, MET[row.met], row.against)
    return made


def shown(row: Row) -> str:
    """The value with its unit: four digits, and all that tell a cosine from 1."""
    if row.value is None:
        return "—"
    if row.unit == "cosine":
        number = f"{row.value:.5f}"
    elif abs(row.value) >= 1000:
        number = f"{row.value:,.0f}"
    else:
        number = f"{row.value:.3g}" if abs(row.value) < 100 else f"{row.value:.0f}"
    return f"{number} {row.unit}".strip()


def show(results: Results, console: Console) -> None:
    """Print where and when, and the table."""
    console.print(f"{results.hardware}\n{results.date}", highlight=False)
    console.print(table(results))
