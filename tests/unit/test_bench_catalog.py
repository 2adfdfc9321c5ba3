"""The bench of the catalog measures what it says, in its quick form."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.catalog import FILTERS, filling


def test_every_row_is_measured(tmp_path: Path) -> None:
    rows = list(filling(Bench(tmp_path, is_quick=True), 1_000_000))
    assert len(rows) == 2 + len(FILTERS) + 2  # hits of pages in memory, and of pages on the disk
    assert all(row.value is not None and row.value > 0 for row in rows)
    assert {str(row.target) for row in rows} == {"None", "≥ 20000", "≤ 50", "≤ 3"}
