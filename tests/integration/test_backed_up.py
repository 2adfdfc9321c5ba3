"""Backups beside a writer; the long form is `scripts/soak --only backups`."""

from __future__ import annotations

from pathlib import Path

from scripts.soaking.backed_up import backed_up


def test_backups_beside_a_writer_are_of_one_moment_and_halves_count_for_nothing(
    tmp_path: Path,
) -> None:
    tally = backed_up(tmp_path, rounds=2)
    assert (tally.taken, tally.killed) == (2, 4)
    assert tally.wrong == tally.halves == tally.believed == []
