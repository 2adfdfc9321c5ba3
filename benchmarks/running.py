"""A run: named parts are measured one after another, and what they gave is shown.

What goes wrong with one part keeps no other from being measured. Knows nothing about what is
measured.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from rich.console import Console

from benchmarks.hardware import hardware
from benchmarks.rows import Results, Row, measured, unmeasured
from benchmarks.table import show, shown

log = logging.getLogger(__name__)

WIDE = 160  # columns, where nobody's terminal says how many

talk = Console(stderr=True, highlight=False, markup=False)
"""What is said while the rows are made: standard error."""


def run(parts: Mapping[str, Callable[[], Iterable[Row]]]) -> tuple[Results, bool]:
    """Measure the parts; gives their rows, and whether none of them broke down."""
    results = Results(hardware(), datetime.now(UTC).date().isoformat())
    is_whole = True
    for name, part in parts.items():
        talk.print(f"measuring {name} …")
        is_whole &= add(results, name, part)
    return results, is_whole


def add(results: Results, part: str, section: Callable[[], Iterable[Row]]) -> bool:
    """Add the rows of a part; gives whether it did not break down."""
    try:
        for row in measured(part, section):
            results.rows.append(row)
            talk.print(f"  {row.name}: {shown(row)}")
    except Exception:  # the other parts took long to measure, and are worth having
        log.exception("measuring %s failed", part)
        results.rows.append(unmeasured(part, "the bench failed; its log says how"))
        return False
    return True


def tell(results: Results, *, as_json: bool) -> None:
    """Print the rows as a table, or as one JSON object."""
    if as_json:
        print(json.dumps(results.as_json(), indent=2, ensure_ascii=False))
        return
    out = Console()
    show(results, out if out.is_terminal else Console(width=WIDE))
