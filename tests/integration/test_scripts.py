"""The README's commands and the tutorial's lines, run as written."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pages
import pytest

ROOT = pages.ROOT
TUTORIAL = "docs/tutorial/first-search.md"


def run(command: list[str], data: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NEARFIELD_DATA": str(data), "COLUMNS": "120", **more}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )


def sections(output: str) -> dict[str, list[str]]:
    """The lines of a demo's answers, by what was asked for what."""
    parts = re.split(r"^— (\w+ → \w+)$", output, flags=re.MULTILINE)[1:]
    return {name: text.splitlines() for name, text in zip(parts[::2], parts[1::2], strict=True)}


def first_row(lines: list[str]) -> str:
    return next(line for line in lines if re.match(r"^\W*1\W", line))


@pytest.mark.skipif(not (ROOT / ".venv").is_dir(), reason="the demo would install a whole .venv")
def test_the_demo_finds_photos_and_texts_and_its_second_run_has_nothing_to_do(
    tmp_path: Path,
) -> None:
    first = run(["scripts/demo", "--no-serve"], tmp_path / "data")
    assert first.returncode == 0, first.stderr
    answers = sections(first.stdout)
    assert set(answers) == {"text → image", "image → image", "image → text", "text → text"}
    assert "motorcycle_right.png" in first_row(answers["text → image"])
    assert "chelsea.png" in first_row(answers["image → image"])
    assert ".md" in first_row(answers["text → text"])
    again = run(["scripts/demo", "--no-serve"], tmp_path / "data")
    assert again.returncode == 0, again.stderr
    assert re.search(r"demo\W+0\W+", again.stdout), "everything should be unchanged"


def test_the_demo_says_when_the_folder_is_missing(tmp_path: Path) -> None:
    ended = run(["scripts/demo", "--no-serve", str(tmp_path / "nowhere")], tmp_path / "data")
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith(f"there is no folder {tmp_path / 'nowhere'}")


def test_the_front_door_and_a_first_text_query_need_no_torch() -> None:
    code = (
        "import sys\n"
        "import nearfield\n"
        "from latent.models import registry\n"
        "rows = registry.load('mini', nearfield.Settings()).embed_texts(['two dogs'])\n"
        "assert rows.shape == (1, 384)\n"
        "heavy = {'torch', 'transformers', 'open_clip', 'sentence_transformers', 'fastapi'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def typed_in_a_row(
    commands: Sequence[str], data: Path, **more: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Type the commands in one shell, which ends at the first that fails; what each printed."""
    mark = "--- the next command ---"
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p) || true' EXIT", "exec 2>&1"]
    lines += [f"{command}\nprintf '\\n{mark}\\n'" for command in commands]
    ended = run(["bash", "-c", "\n".join(lines)], data, **more)
    return ended, ended.stdout.split(f"\n{mark}\n")


@pytest.fixture
def free_port() -> int:
    """Port 8000, if nobody has it."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8000)) == 0:
            pytest.skip("something listens on port 8000, which the tutorial uses")
    return 8000


@pytest.mark.skipif(not (ROOT / ".venv").is_dir(), reason="the tutorial begins with the demo")
@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial uses curl")
@pytest.mark.usefixtures("free_port")
def test_the_lines_of_the_tutorial_run_as_written_and_print_what_is_shown(tmp_path: Path) -> None:
    typed = pages.typed(pages.read(TUTORIAL))
    assert len(typed) >= 20
    commands = [one.command for one in typed]
    ended, printed = typed_in_a_row(commands, tmp_path / "data", TMPDIR=str(tmp_path))
    assert ended.returncode == 0, ended.stdout[-3000:]
    found = {
        one.command: surprises
        for one, real in zip(typed, printed, strict=False)
        if (surprises := pages.surprises(one.shown, real))
    }
    assert not found, "\n".join(f"$ {command}\n{why}" for command, why in found.items())


def test_a_quick_bench_measures_every_stage_and_the_whole_way(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "embed", "--quick", "--json"]
    ended = run([*command, "--only", "files-mini"], tmp_path / "data", TMPDIR=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)
    rows = {row["name"]: row for row in results["rows"]}
    for kind in ("12 MP", "500 px"):
        stages = ("walk", "read", "hash", "decode", "prepare", "embed", "put", "publish")
        assert all(rows[f"mini, {kind}: {stage}"]["value"] >= 0 for stage in stages)
        share = rows[f"mini, {kind}: share of what all cores could do"]
        assert share["value"] > 0
        assert share["met"] is (share["value"] >= 0.9)
    assert rows["mini, 12 MP: a photo decoded"]["target"] == "≤ 20"
    assert "quick" in ended.stderr
    assert list(tmp_path.glob("nearfield-bench-*")) == []
