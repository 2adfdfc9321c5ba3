"""Disks that are full or refuse; the long forms are `scripts/soak --only full --only refused`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rows import UnmeasuredError
from scripts.soaking.full import MEGABYTES, WORKS
from scripts.soaking.refused import refused
from scripts.soaking.small_disk import small_disk


@pytest.mark.parametrize("work", WORKS)
def test_a_full_disk_is_named_loses_nothing_and_is_worked_on_when_there_is_room(
    work: str, tmp_path: Path
) -> None:
    try:
        with small_disk(tmp_path / "disk", megabytes=MEGABYTES) as disk:
            outcome = WORKS[work](disk)
    except UnmeasuredError as error:
        pytest.skip(str(error))
    assert outcome.named == 1
    assert (outcome.lost, outcome.unread, outcome.stuck) == ([], [], [])


def test_nothing_is_acknowledged_that_a_failing_disk_did_not_keep(tmp_path: Path) -> None:
    try:
        tally = refused(tmp_path, trials=40)
    except UnmeasuredError as error:
        pytest.skip(str(error))
    assert tally.refused > 5
    assert 0 < tally.acknowledged < 40
    assert (tally.unflushed, tally.wrong) == (0, [])
