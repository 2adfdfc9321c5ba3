"""What strangers and accidents type at the command line ends in one clear line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nearfield import main

Type = Callable[..., Result]
HALF = "\udcff"
"""What the command line makes of a byte that is no UTF-8."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder whose name would be markup to a library that draws tables."""
    return tmp_path / "data[/b]"


@pytest.fixture
def typed(data: Path, photos: Path) -> Type:
    """Types a command, with the photos indexed."""

    def run(*words: str | Path, **environment: str) -> Result:
        known = {"NEARFIELD_MODEL": "colours", "NEARFIELD_DATA": str(data)}
        return CliRunner().invoke(main, [str(word) for word in words], env={**known, **environment})

    assert run("index", photos).exit_code == 0
    return run


def refused(result: Result) -> str:
    """The one line of a command that was refused."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    "words",
    [
        ("search", "--like", HALF),
        ("search", "green", "--filter", f'{{"name": "{HALF}"}}'),
        ("search", "green", "--filter", '{"size": 1e999}'),
        ("search", "green", "--filter", '{"a\\\\b": 1}'),
        ("search", "green", "--collection", HALF),
        ("models", "show", "vectors:" + "9" * 5_000),
        ("models", "show", "compiled:~nobody-of-this-name/model"),
        ("models", "show", "sentence:/" + "x" * 5_000),
    ],
)
def test_what_cannot_be_meant_is_one_line(typed: Type, words: tuple[str, ...]) -> None:
    assert refused(typed(*words)).startswith("error: ")


@pytest.mark.parametrize("command", ["stats", "collections", "verify", "repair"])
def test_brackets_in_names_are_no_markup(typed: Type, command: str) -> None:
    assert typed(command).exit_code == 0


def test_an_export_says_the_name_of_its_file_as_it_is(typed: Type, tmp_path: Path) -> None:
    result = typed("export", "--out", tmp_path / "a[b].jsonl")
    assert "a[b].jsonl" in result.stdout


def test_a_variable_that_is_empty_is_one_that_is_not_set(typed: Type) -> None:
    result = typed("collections", "--json", NEARFIELD_PORT="", NEARFIELD_COLLECTION="")
    assert json.loads(result.stdout)["collections"][0]["name"] == "main"


def test_a_catalog_in_memory_is_one_line(typed: Type, photos: Path) -> None:
    assert "must be a file" in refused(typed("index", photos, NEARFIELD_CATALOG_URL="sqlite://"))


def test_a_manifest_that_names_pipes_and_devices_does_not_wait_for_them(
    typed: Type, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    manifest = tmp_path / "a.csv"
    manifest.write_text("image\npipe.jpg\n/dev/zero\nphotos\n")
    result = typed("index", manifest, "--json", NEARFIELD_ROOTS="/dev")
    reasons = [one["reason"] for one in json.loads(result.stdout)["failed"]]
    assert len(reasons) == 3
    assert sum("no regular file" in reason for reason in reasons) >= 2
