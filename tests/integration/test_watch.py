"""`--watch` keeps a real folder in step as files come, change and go."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from indexer.watch import follow

ROOT = Path(__file__).parents[2]
PATIENCE = 20  # seconds until a test gives up; the waits end as soon as there is an answer


class Follower:
    """Follows paths on a thread and hands over what it was told."""

    def __init__(self, *paths: Path, ignored: Path | None = None) -> None:
        self.calls: queue.Queue[Sequence[Path]] = queue.Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=follow,
            args=(paths, self.calls.put),
            kwargs={"stop": self._stop, "ignored": ignored},
        )

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def hears_of(self, *paths: Path) -> bool:
        """Waits for a call for just these; one change may be told in two parts."""
        while self.calls.get(timeout=PATIENCE) != list(paths):
            pass
        return True


def test_the_first_call_is_for_all_and_the_next_for_what_changed(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    with Follower(one, two) as follower:
        assert follower.hears_of(one, two)
        (two / "a.txt").write_text("red")
        assert follower.hears_of(two)
        (one / "deep").mkdir()
        assert follower.hears_of(one)
        (two / "a.txt").unlink()
        assert follower.hears_of(two)


def test_a_folder_that_goes_away_is_followed_again_when_it_is_back(tmp_path: Path) -> None:
    one, two, back = tmp_path / "one", tmp_path / "two", tmp_path / "back"
    for folder in (one, two, back):
        folder.mkdir()
    with Follower(one, two) as follower:
        assert follower.hears_of(one, two)
        two.rename(tmp_path / "away")
        assert follower.hears_of(two)
        assert follower.hears_of(one)  # for nobody looked for a moment
        back.rename(two)
        assert follower.hears_of(one, two)
        (two / "b.txt").write_text("green")
        assert follower.hears_of(two)


def test_a_single_folder_is_waited_for(tmp_path: Path) -> None:
    only, back = tmp_path / "only", tmp_path / "back"
    only.mkdir()
    back.mkdir()
    with Follower(only) as follower:
        assert follower.hears_of(only)
        only.rename(tmp_path / "away")
        assert follower.hears_of(only)
        back.rename(only)
        assert follower.hears_of(only)
        (only / "a.txt").write_text("red")
        assert follower.hears_of(only)


def test_hidden_files_and_the_data_folder_are_no_changes(tmp_path: Path) -> None:
    data = tmp_path / "nearfield-data"
    data.mkdir()
    with Follower(tmp_path, ignored=data) as follower:
        assert follower.hears_of(tmp_path)
        (data / "catalog.sqlite3-wal").write_text("x")
        (tmp_path / ".hidden").write_text("x")
        (tmp_path / "seen.txt").write_text("x")
        assert follower.hears_of(tmp_path)
        assert follower.calls.empty()


def test_a_single_file_is_followed_when_another_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\nred\n")
    with Follower(path) as follower:
        assert follower.hears_of(path)
        (tmp_path / "new").write_text("text\ngreen\n")
        (tmp_path / "new").replace(path)
        assert follower.hears_of(path)


@pytest.fixture
def watching(tmp_path: Path, photos: Path) -> Iterator[subprocess.Popen[str]]:
    """`nearfield index photos --watch --json`, as it runs on its own."""
    script = "from indexer.cli import index; index()"
    words = [str(photos), "--watch", "--json", "--data", str(tmp_path / "data")]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *words],
        cwd=ROOT,
        env={**os.environ, "NEARFIELD_MODEL": "colours"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def until(process: subprocess.Popen[str], holds: Callable[[dict[str, object]], bool]) -> None:
    """Read what it prints until a report is the awaited one."""
    assert process.stdout is not None
    alarm = threading.Timer(PATIENCE, process.kill)
    alarm.start()
    try:
        for line in process.stdout:
            if holds(json.loads(line)):
                return
        pytest.fail("it ended, or was too slow, before the awaited report")
    finally:
        alarm.cancel()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_watched_folder_stays_in_step_until_it_is_ended(
    watching: subprocess.Popen[str], photos: Path, ending: signal.Signals
) -> None:
    until(watching, lambda report: report["items"] == 8)
    Image.new("RGB", (9, 9), (0, 0, 250)).save(photos / "sea.png")
    until(watching, lambda report: report["items"] == 9)
    (photos / "bad.jpg").write_text("no picture")
    (photos / "red.png").unlink()
    (photos / "green.png").unlink()
    until(watching, lambda report: report["items"] == 7)
    (photos / "sea.png").rename(photos / "ocean.png")
    until(watching, lambda report: report["reused"] == 1 or report["removed"] == 1)
    watching.send_signal(ending)
    _, talk = watching.communicate(timeout=PATIENCE)
    assert watching.returncode == 0
    assert "Traceback" not in talk
