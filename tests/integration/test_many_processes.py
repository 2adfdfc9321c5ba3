"""Several processes on one data folder, and a service that is killed: the short forms.

The long ones are `scripts/soak --only turns --only restarted --only readers`.
"""

from __future__ import annotations

from pathlib import Path

from scripts.soaking import readers, restarted, turns
from scripts.soaking.soak import Soak


def test_processes_that_write_at_once_take_turns_and_disturb_no_reader(tmp_path: Path) -> None:
    tally = turns.took_turns(tmp_path, writes=12)
    assert tally.writes == 12 * turns.WRITERS
    assert (tally.refused, tally.wrong, tally.disturbed) == ([], [], [])


def test_a_service_that_is_killed_has_all_it_acknowledged_when_it_is_ready_again(
    tmp_path: Path,
) -> None:
    restarted.fill(tmp_path / "data", 200)
    ready, _, acknowledged, lost = restarted.restarted(tmp_path / "data", 1)
    assert len(ready) == 1
    assert acknowledged > 0
    assert lost == 0


def test_readers_hear_of_no_error_while_items_come_and_go_and_snapshots_are_swapped(
    tmp_path: Path,
) -> None:
    found = {row.name: row.value for row in readers.rows(Soak(tmp_path, is_quick=True))}
    assert found["readers: errors"] == 0
    assert (found["readers: writes meanwhile"] or 0) > 0
