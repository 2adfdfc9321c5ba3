"""kill -9 at random moments; the long form is `scripts/soak --only killed`."""

from __future__ import annotations

from pathlib import Path

from latent.wiring import open_store
from scripts.soaking.deeds import LIVE, NOTES, Deed, Journal, told
from scripts.soaking.killed import Tally, checked, killed
from scripts.soaking.writer import item_of, open_collections, settings_for


def test_a_writer_that_is_killed_loses_no_acknowledged_write(tmp_path: Path) -> None:
    tally = killed(tmp_path, rounds=4)
    assert (tally.rounds, tally.lost, tally.halves, tally.drift) == (4, [], [], [])
    assert tally.acknowledged > 0


def test_a_journal_tells_what_was_acknowledged_and_what_was_under_way(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    first, second = Deed("put", put={"i1": 7}), Deed("drop", drop=("i1",))
    journal.begin(first)
    journal.done()
    journal.begin(second)
    assert list(told(tmp_path / "journal")) == [(first, True), (second, False)]
    assert list(told(tmp_path / "nothing")) == []


def test_a_lost_write_and_half_a_write_are_noticed(tmp_path: Path) -> None:
    with open_store(settings_for(tmp_path)) as store:
        collections = open_collections(store)
        collections[LIVE].put([item_of("i1", 1), item_of("i2", 1)])

        def check(versions: dict[str, int], under_way: Deed | None) -> Tally:
            tally = Tally()
            checked(tmp_path, store, {LIVE: versions, NOTES: {}}, under_way, tally)
            return tally

        assert check({"i1": 1, "i2": 1}, None) == Tally()
        assert check({"i1": 1, "i2": 1, "i3": 1}, None).lost == ["live: i3 is None, not 1 or 1"]
        assert check({"i1": 2, "i2": 1}, None).lost == ["live: i1 is 1, not 2 or 2"]
        half = Deed("put", put={"i2": 1, "i3": 1})
        assert check({"i1": 1}, half).halves
        assert check({"i1": 1}, half).lost == []
