"""Command line of the soak: `python -m scripts.soaking [--only PROMISE…] [--quick] [--json]`."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import click

from benchmarks.running import run, tell
from scripts.soaking.promises import PROMISES
from scripts.soaking.soak import Soak

FAILED = 1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and no table.")
@click.option("--quick", is_flag=True, help="The short form: seconds instead of hours.")
@click.option("--only", multiple=True, metavar="PROMISE", help="Only this one; can be repeated.")
def main(as_json: bool, quick: bool, only: tuple[str, ...]) -> None:
    """Hold the promises against the house; exits 1 if one of them is not kept."""
    if unknown := sorted(set(only) - set(PROMISES)):
        known = ", ".join(PROMISES)
        raise click.UsageError(f"no promise {', '.join(unknown)}; there are {known}")
    with tempfile.TemporaryDirectory(prefix="nearfield-soak-") as folder:
        parts = {}
        for name in only or PROMISES:
            own = Path(folder) / name
            own.mkdir()
            parts[name] = partial(PROMISES[name], Soak(own, is_quick=quick))
        results, is_whole = run(parts)
    tell(results, as_json=as_json)
    if not is_whole or any(row.met is False for row in results.rows):
        raise SystemExit(FAILED)


if __name__ == "__main__":
    main()
