"""Files of the data folder that are harmed; the long form is `scripts/soak --only damaged`."""

from __future__ import annotations

from pathlib import Path

from scripts.soaking.damaged import HARMS, damaged


def test_damage_is_noticed_and_named_and_only_what_is_derived_is_made_anew(tmp_path: Path) -> None:
    tally = damaged(tmp_path, places=1, every=False)
    assert set(tally.trials) == set(HARMS)
    assert tally.named > 20
    assert (tally.unnoticed, tally.unhealed, tally.invented) == ([], [], [])
