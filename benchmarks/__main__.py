"""Command line of the benches: `python -m benchmarks NAME [--json] [--quick] [--only NAME…]`."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import click

from benchmarks import answers, embed, index
from benchmarks.bench import Bench
from benchmarks.running import run, tell
from latent.terminal import warn

BENCHES = {"answers": answers.SECTIONS, "embed": embed.SECTIONS, "index": index.SECTIONS}


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
    with tempfile.TemporaryDirectory(prefix="nearfield-bench-") as folder:
        bench = Bench(Path(folder), is_quick=quick, other_python=other_python)
        results, is_whole = run({part: partial(sections[part], bench) for part in only or sections})
    if quick:
        warn("quick: these figures show that everything works, and nothing else")
    tell(results, as_json=as_json)
    if not is_whole:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
