"""Collections do not leak, the short form: `scripts/soak --only leaks` asks many more questions."""

from __future__ import annotations

from pathlib import Path

from scripts.soaking.leaks import ask


def test_no_key_sees_an_item_that_is_not_its_own(tmp_path: Path) -> None:
    tally = ask(tmp_path, 400)
    assert tally.foreign == []
    assert tally.let_in == []
    assert tally.hits > 1_000
    assert tally.kinds == {"small": "exact", "large": "hnsw", "largest": "hnsw"}
    assert 50 < tally.refused < 400
