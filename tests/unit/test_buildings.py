"""Which map is being built: told by whichever process is asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from service.explore.buildings import ENDED, FILE, Building, Buildings

BEGUN = """
import sys
from pathlib import Path
from service.explore.buildings import Building, Buildings
here = Buildings(Path(sys.argv[1]))
assert here.begin("one")
here.tell("one", Building("points", 0.5))
print("begun", flush=True)
sys.stdin.read()
"""


def test_another_process_tells_how_far_it_is(tmp_path: Path) -> None:
    one, other = Buildings(tmp_path), Buildings(tmp_path)
    assert one.of("a") is None
    assert one.begin("a")
    assert (one.of("a"), other.of("a"), other.of("b")) == (Building(), Building(), None)
    one.tell("a", Building("points", 0.5))
    assert other.of("a") == Building("points", 0.5)
    one.end()
    assert (one.of("a"), other.of("a")) == (None, None)


def test_one_is_built_at_a_time_among_all(tmp_path: Path) -> None:
    one, other = Buildings(tmp_path), Buildings(tmp_path)
    assert one.begin("a")
    assert not one.begin("a")
    assert not other.begin("b")
    one.end()
    assert other.begin("b")
    assert not one.begin("a")
    other.end()


def test_what_failed_is_told_until_the_next_one_begins(tmp_path: Path) -> None:
    one, other = Buildings(tmp_path), Buildings(tmp_path)
    assert one.begin("a")
    one.tell("a", Building("groups", 0.7))
    one.end("no room")
    for each in (one, other):
        assert each.of("a") == Building("groups", 0.7, "no room")
    assert other.begin("a")
    for each in (one, other):
        assert each.of("a") == Building()
    other.end()


def test_where_nobody_can_be_told_the_turn_is_given_back_all_the_same(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    one, other = Buildings(tmp_path), Buildings(tmp_path)
    for each in (one, other, one):
        assert each.begin("a")
        each.end()


def test_a_process_that_is_killed_holds_nobody_up(tmp_path: Path) -> None:
    here = Buildings(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", BEGUN, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert here.of("one") == Building("points", 0.5)
        assert not here.begin("two")
        process.kill()
    assert here.of("one") == Building("points", 0.5, ENDED)
    assert here.begin("two")
    here.end()


def test_a_damaged_note_is_passed_over(tmp_path: Path) -> None:
    here = Buildings(tmp_path)
    (tmp_path / "building.json").write_text("[", encoding="utf-8")
    assert here.of("a") is None
    assert here.begin("a")
    here.end()
