"""Command line of the benches: `python -m benchmarks NAME [--json] [--quick] [--only NAME…]`."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from benchmarks import answers, embed
from benchmarks.bench import Bench
from benchmarks.hardware import hardware
from benchmarks.rows import Results, Row, measured, unmeasured
from benchmarks.table import show

log = logging.getLogger(__name__)

WIDE = 160  # columns, where nobody's terminal says how many
BENCHES = {"answers": answers.SECTIONS, "embed": embed.SECTIONS}


@click.command()
@click.argument("name", type=click.Choice(sorted(BENCHES)))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and no table.")
@click.option("--quick", is_flag=True, help="See that it works: small, one round, no real figures.")
@click.option("--only", multiple=True, metavar="PART", help="Only this part; can be repeated.")
@click.option(
    "--clip-retrieval",
    "other_python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PYTHON",
    help="An interpreter that has clip-retrieval, which does not get on with our libraries.",
)
def main(
    name: str, as_json: bool, quick: bool, only: tuple[str, ...], other_python: Path | None
) -> None:
    """Measure, and print every ratio, its target, and whether it is met."""
    sections = BENCHES[name]
    if unknown := sorted(set(only) - set(sections)):
        raise click.UsageError(f"no part {', '.join(unknown)}; there are {', '.join(sections)}")
    talk = Console(stderr=True)
    is_whole = True
    results = Results(hardware(), datetime.now(UTC).date().isoformat())
    with tempfile.TemporaryDirectory(prefix="nearfield-bench-") as folder:
        bench = Bench(Path(folder), is_quick=quick, other_python=other_python)
        for part in only or sections:
            talk.print(f"measuring {part} …", highlight=False)
            is_whole &= add(results, part, partial(sections[part], bench))
    if quick:
        talk.print("quick: these figures show that everything works, and nothing else")
    if as_json:
        print(json.dumps(results.as_json(), indent=2, ensure_ascii=False))
    else:
        out = Console()
        show(results, out if out.is_terminal else Console(width=WIDE))
    if not is_whole:
        raise SystemExit(1)


def add(results: Results, part: str, section: Callable[[], Iterable[Row]]) -> bool:
    """Add the rows of a part; gives whether the bench did not fail at it."""
    try:
        for row in measured(part, section):
            results.rows.append(row)
    except Exception:  # the other parts took long to measure, and are worth having
        log.exception("measuring %s failed", part)
        results.rows.append(unmeasured(part, "the bench failed; its log says how"))
        return False
    return True


if __name__ == "__main__":
    main()
