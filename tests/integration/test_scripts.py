"""The README's commands and the tutorial's lines, run as written."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorial/first-search.md"


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
    assert "rocket.jpg" in first_row(answers["text → image"])
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


def commands_of(page: Path) -> list[str]:
    """The lines behind a `$` in the console blocks of a page, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line[:2] == "$ "]


@pytest.mark.skipif(not (ROOT / ".venv").is_dir(), reason="the tutorial begins with the demo")
def test_the_lines_of_the_tutorial_run_as_written(tmp_path: Path) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8000)) == 0:
            pytest.skip("something listens on port 8000, which the tutorial uses")
    lines = commands_of(TUTORIAL)
    assert len(lines) >= 8
    script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
    ended = run(["bash", "-c", script + "\n".join(lines)], tmp_path / "data", TMPDIR=str(tmp_path))
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    assert "rocket.jpg" in ended.stdout
