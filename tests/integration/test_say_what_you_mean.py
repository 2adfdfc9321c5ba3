"""The examples of the how-to on queries, run as they stand."""

from __future__ import annotations

import shlex
from pathlib import Path

import pages
import pytest
from click.testing import CliRunner
from PIL import Image

import nearfield
from latent.models.colours import COLOURS

PAGE = "docs/how-to/say-what-you-mean.md"
FLAGS = {
    "europe/france": "blue white red",
    "europe/italy": "green white red",
    "europe/germany": "black red yellow",
    "europe/poland": "white red",
    "europe/ukraine": "blue yellow",
    "africa/mali": "green yellow red",
    "africa/nigeria": "green white green",
    "asia/indonesia": "red white",
    "asia/yemen": "red white black",
    "america/peru": "red white red",
    "america/colombia": "yellow yellow blue red",
}
STRIPE = 24  # pixels, so that the eight the model looks at meet whole stripes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with flags, where commands are typed."""
    for name, stripes in FLAGS.items():
        words = stripes.split()
        flag = Image.new("RGB", (STRIPE * len(words), 16))
        for n, word in enumerate(words):
            flag.paste(COLOURS[word], (STRIPE * n, 0, STRIPE * (n + 1), 16))
        path = tmp_path / "flags" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        flag.save(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEARFIELD_MODEL", "colours")
    monkeypatch.setenv("NEARFIELD_MIN_RELEVANCE", "0")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NEARFIELD_DATA", raising=False)
    monkeypatch.delenv("NEARFIELD_COLLECTION", raising=False)
    return tmp_path


def test_the_examples_print_what_is_shown(home: Path) -> None:
    examples = pages.typed(pages.read(PAGE))
    assert len(examples) > 8
    for typed in examples:
        program, *words = shlex.split(typed.command)
        assert program == "nearfield"
        ended = CliRunner().invoke(nearfield.main, words)
        assert ended.exit_code == 0, (typed.command, ended.output)
        assert typed.shown.strip(), typed.command
        assert not pages.surprises(typed.shown, ended.stdout), (typed.command, ended.stdout)
