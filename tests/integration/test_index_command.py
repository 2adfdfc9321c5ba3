"""`nearfield index` and its neighbours, as they are typed."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from indexer.cli import commands
from latent.collection import Collection, Summary
from latent.settings import Settings
from latent.wiring import open_store

ROOT = Path(__file__).parents[2]
Run = Callable[..., Result]
PATIENCE = 20  # seconds until a test gives up; its waits end as soon as there is an answer


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Types a command; the data folder and the model are those of the test."""
    monkeypatch.setenv("NEARFIELD_MODEL", "colours")
    monkeypatch.setenv("NEARFIELD_DATA", str(tmp_path / "data"))
    group = click.Group(commands={str(command.name): command for command in commands})

    def typed(*words: str | Path) -> Result:
        result = CliRunner().invoke(group, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return typed


def answer(result: Result) -> dict[str, Any]:
    """The one JSON object on standard output."""
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def only_error(result: Result) -> str:
    """The one line on standard error of a command that failed clearly."""
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_index_prints_one_json_object(photos: Path, run: Run) -> None:
    (photos / "bad.jpg").write_text("a letter")
    result = run("index", photos, "--json")
    assert result.exit_code == 0
    found = answer(result)
    seconds = found.pop("seconds")
    assert isinstance(seconds, float)
    assert found == {
        "collection": "main",
        "indexed": 8,
        "reused": 0,
        "unchanged": 0,
        "removed": 0,
        "failed": [
            {
                "uri": "photos/bad.jpg",
                "reason": "not a readable picture: it holds text, not a picture",
            }
        ],
        "items": 8,
    }
    assert "photos/bad.jpg: not a readable picture" in result.stderr


def test_index_prints_a_table(photos: Path, run: Run) -> None:
    result = run("index", photos, "--collection", "holiday")
    assert result.exit_code == 0
    assert "holiday" in result.stdout
    assert "indexed" in result.stdout
    assert result.stderr == ""


def test_many_failures_are_summed_up(tmp_path: Path, run: Run) -> None:
    (tmp_path / "bad").mkdir()
    for number in range(13):
        (tmp_path / "bad" / f"{number:02}.jpg").write_text("a letter")
    result = run("index", tmp_path / "bad")
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 3 more: nearfield collections --failed"
    listed = run("collections", "--failed").stdout.splitlines()
    assert len(listed) == 13
    assert str(tmp_path / "bad" / "00.jpg") in listed[0]


def test_a_missing_folder_is_one_line_and_deletes_nothing(photos: Path, run: Run) -> None:
    run("index", photos)
    photos.rename(photos.with_name("unplugged"))
    assert "no such file or folder" in only_error(run("index", photos))
    assert answer(run("index", photos.with_name("unplugged"), "--json"))["items"] == 16


def test_a_missing_folder_makes_no_collection(tmp_path: Path, run: Run) -> None:
    only_error(run("index", tmp_path / "nowhere"))
    assert not (tmp_path / "data").exists()


def test_an_empty_folder_is_one_line(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no pictures or texts" in only_error(run("index", tmp_path / "empty"))


def test_a_folder_that_was_emptied_keeps_its_items_unless_that_is_allowed(
    photos: Path, run: Run
) -> None:
    run("index", photos)
    for path in photos.iterdir():
        path.unlink()
    line = only_error(run("index", photos))
    assert "the items of 8 files stay" in line
    assert "nearfield index … --allow-empty" in line
    found = answer(run("index", photos, "--allow-empty", "--json"))
    assert (found["removed"], found["items"]) == (8, 0)


def test_a_watched_disk_that_is_unplugged_keeps_its_items_and_is_watched_on(
    tmp_path: Path, photos: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    photos.rename(disk / "photos")
    words = [str(disk), "--watch", "--json", "--data", str(tmp_path / "data")]
    process = subprocess.Popen(
        [sys.executable, "-c", "from indexer.cli import index; index()", *words],
        cwd=ROOT,
        env={**os.environ, "NEARFIELD_MODEL": "colours"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    alarm = threading.Timer(PATIENCE, process.kill)
    alarm.start()
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["items"] == 8
        (disk / "photos").rename(tmp_path / "away")  # all at once, as a disk goes
        assert any("holds nothing any more" in line for line in process.stderr)
        (tmp_path / "away").rename(disk / "photos")
        Image.new("RGB", (9, 9), (0, 0, 250)).save(disk / "sea.png")
        found = json.loads(process.stdout.readline())
        assert (found["indexed"], found["items"]) == (1, 9)
    finally:
        alarm.cancel()
        process.kill()
        process.communicate()


def test_the_names_of_the_collections_are_had_without_opening_any(
    photos: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "bad.jpg").write_text("a letter")
    run("index", photos)

    def opened(_: Collection) -> Summary:
        raise AssertionError("nobody asked what it holds")

    monkeypatch.setattr(Collection, "summary", opened)
    (found,) = answer(run("collections", "--failed", "--json"))["failed"]
    assert found["collection"] == "main"


def test_a_manifest_with_a_missing_column_is_one_line(tmp_path: Path, run: Run) -> None:
    (tmp_path / "rows.csv").write_text("picture\na.jpg\n")
    line = only_error(run("index", tmp_path / "rows.csv"))
    assert "'image', 'text' or 'vector'" in line
    assert "'picture'" in line


def test_another_model_on_a_collection_is_one_line(photos: Path, run: Run) -> None:
    run("index", photos)
    line = only_error(run("index", photos, "--model", "vectors:4"))
    assert "vectors:4" in line
    assert "colours" in line


@pytest.mark.parametrize(
    "words",
    [
        ("collections",),
        ("stats",),
        ("verify",),
        ("repair",),
        ("export",),
        ("collections", "--failed"),
    ],
)
def test_without_anything_indexed_commands_say_how_to_begin(
    run: Run, words: tuple[str, ...]
) -> None:
    assert "nearfield index" in only_error(run(*words))


@pytest.mark.parametrize(
    "words",
    [
        ("verify", "--collection", "nosuch"),
        ("export", "--collection", "nosuch"),
        ("collections", "nosuch"),
        ("stats", "--collection", "nosuch"),
    ],
)
def test_an_unknown_collection_is_one_line(photos: Path, run: Run, words: tuple[str, ...]) -> None:
    run("index", photos)
    assert "there is no collection 'nosuch'" in only_error(run(*words))


@pytest.mark.parametrize("words", [("index",), ("index", "a", "--wrong"), ("stats", "x", "y")])
def test_wrong_use_exits_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_a_setting_that_cannot_be_is_one_line(
    photos: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEARFIELD_BATCH_SIZE", "many")
    assert "NEARFIELD_BATCH_SIZE" in only_error(run("index", photos))


def test_a_data_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, photos: Path, run: Run
) -> None:
    (tmp_path / "a file").write_text("x")
    only_error(run("index", photos, "--data", tmp_path / "a file" / "data"))


def test_collections_and_stats_say_what_there_is(photos: Path, run: Run) -> None:
    run("index", photos)
    (found,) = answer(run("collections", "--json"))["collections"]
    assert (found["name"], found["model"], found["items"], found["images"]) == (
        "main",
        "colours",
        8,
        8,
    )
    stats = answer(run("stats", "--json"))
    assert stats["collections"] == [found]
    assert stats["bytes"] > 1000
    assert "colours" in run("collections").stdout
    assert "sequence" in run("stats").stdout
    assert run("collections", "--failed").stdout == ""


def test_verify_names_files_that_are_gone_or_changed(photos: Path, run: Run) -> None:
    run("index", photos)
    assert (run("verify").exit_code, run("verify").stdout) == (0, "all is well\n")
    (photos / "red.png").unlink()
    os.utime(photos / "green.png", (1, 1))
    result = run("verify", "--json")
    assert result.exit_code == 1
    found = answer(result)
    assert not found["ok"]
    assert [one["difference"].split(";")[0] for one in found["differences"]] == [
        f"the file {photos / 'green.png'} changed since it was read",
        f"the file {photos / 'red.png'} is gone",
    ]
    run("index", photos)
    assert run("verify").exit_code == 0


def test_repair_mends_a_damaged_index(tmp_path: Path, photos: Path, run: Run) -> None:
    run("index", photos)
    (index,) = (tmp_path / "data" / "index").rglob("index.faiss")
    index.write_bytes(index.read_bytes()[:-9])
    assert run("verify").exit_code == 1
    assert answer(run("repair", "--json")) == {"repaired": ["main"], "differences": []}
    assert run("verify").exit_code == 0


@pytest.mark.parametrize("name", ["all.jsonl", "all.parquet"])
def test_an_export_can_be_indexed_again(tmp_path: Path, photos: Path, run: Run, name: str) -> None:
    (photos / "long.md").write_text("# Title\n\n" + "a green thing. " * 60)
    run("index", photos)
    result = run("export", "--vectors", "--out", tmp_path / name, "--json")
    count = answer(run("collections", "--json"))["collections"][0]["items"]
    assert answer(result) == {"collection": "main", "file": str(tmp_path / name), "items": count}
    found = answer(run("index", tmp_path / name, "--collection", "copy", "--json"))
    assert (found["indexed"], found["failed"]) == (count, [])
    with open_store(Settings(data=tmp_path / "data", model="colours")) as store:
        before = {item.id: item for item in store.collection("main").scroll(100)}
        after = {item.id: item for item in store.collection("copy").scroll(100)}
    assert before.keys() == after.keys()
    for item_id, item in before.items():
        again = after[item_id]
        assert (again.uri, again.modality, again.text) == (item.uri, item.modality, item.text)
        assert (again.passage, again.metadata) == (item.passage, item.metadata)
        np.testing.assert_allclose(again.vector, item.vector, atol=1e-6)


def test_an_export_to_standard_output_is_a_line_an_item(photos: Path, run: Run) -> None:
    run("index", photos)
    lines = [json.loads(line) for line in run("export").stdout.splitlines()]
    assert [line["uri"] for line in lines] == [
        f"photos/{path.name}" for path in sorted(photos.iterdir())
    ]
    assert "vector" not in lines[0]
    assert "source" not in lines[0]


def test_an_export_of_an_unknown_kind_leaves_no_file(
    tmp_path: Path, photos: Path, run: Run
) -> None:
    run("index", photos)
    assert ".jsonl or .parquet" in only_error(run("export", "--out", tmp_path / "all.xlsx"))
    only_error(run("export", "--out", tmp_path / "nowhere" / "all.jsonl"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "photos"]


KILLED = """
import os, signal, sys
from pathlib import Path
from indexer.pipeline import index
from latent.models.colours import ColourEmbedder
from latent.collection import Collection, Summary
from latent.settings import Settings
from latent.wiring import open_store

class Killer(ColourEmbedder):
    batches = 0
    def embed_images(self, pictures):
        self.batches += 1
        if self.batches == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed_images(pictures)

settings = Settings(data=Path(sys.argv[1]), model="colours", batch_size=4, threads=2)
with open_store(settings) as store:
    index([Path(sys.argv[2])], store.ensure("main"), Killer(), settings)
"""


def test_what_was_stored_before_a_kill_is_there_and_the_next_run_does_the_rest(
    tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(20):
        Image.new("RGB", (8, 8), (number, number, number)).save(folder / f"{number:02}.png")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "data"), str(folder)]
    killed = subprocess.run(command, cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    found = answer(run("index", folder, "--json"))
    # The batch before the one that was killed may have been in the model still, or stored.
    assert found["unchanged"] in (4, 8)
    assert (found["unchanged"] + found["indexed"], found["items"]) == (20, 20)
    assert run("verify").exit_code == 0


def test_an_interrupt_ends_with_130_and_one_line(tmp_path: Path, photos: Path) -> None:
    script = """
import os, signal, time
import indexer.cli as cli

def interrupted(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(9)

cli.run_index = interrupted
cli.index()
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(photos), "--data", str(tmp_path / "data")],
        cwd=ROOT,
        env={**os.environ, "NEARFIELD_MODEL": "colours"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")


def test_a_person_at_a_terminal_sees_progress(tmp_path: Path, photos: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from indexer.cli import index; index()"]
    ended = subprocess.run(
        [*command, str(photos), "--data", str(tmp_path / "data"), "--json"],
        cwd=ROOT,
        env={**os.environ, "NEARFIELD_MODEL": "colours", "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    assert "indexing" in seen
    assert "8/8" in seen
    assert json.loads(ended.stdout)["indexed"] == 8


def test_what_is_refused_leaves_no_empty_collection(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.ones((2, 5), np.float32))
    (tmp_path / "empty").mkdir()
    assert "5" in only_error(run("index", tmp_path / "wide.npy"))
    assert "no pictures or texts" in only_error(run("index", tmp_path / "empty"))
    assert answer(run("collections", "--json")) == {"collections": []}


def test_what_is_refused_takes_nothing_from_a_collection_that_was_there(
    run: Run, tmp_path: Path, photos: Path
) -> None:
    run("index", photos)
    np.save(tmp_path / "wide.npy", np.ones((2, 5), np.float32))
    only_error(run("index", tmp_path / "wide.npy"))
    (one,) = answer(run("collections", "--json"))["collections"]
    assert one["items"] == 8


def test_json_on_standard_output_twice_is_wrong_use(run: Run, photos: Path) -> None:
    run("index", photos)
    assert run("export", "--json").exit_code == 2


def test_a_collection_is_deleted_by_its_name_alone(run: Run, photos: Path) -> None:
    run("index", photos)
    run("index", photos, "--collection", "other")
    assert run("collections", "--delete").exit_code == 2
    assert "nowhere" in only_error(run("collections", "nowhere", "--delete"))
    left = run("collections", "other", "--delete", "--json")
    assert [one["name"] for one in answer(left)["collections"]] == ["main"]
    assert left.stderr == "deleted other, 8 items\n"
    assert (photos / "red.png").exists()
