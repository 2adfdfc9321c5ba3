"""`similar`, `duplicates` and `classify` at a prompt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import nearfield


@pytest.fixture
def album(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two files of the same bytes, where commands are typed."""
    monkeypatch.chdir(photos.parent)
    monkeypatch.setenv("NEARFIELD_MODEL", "colours")
    monkeypatch.delenv("NEARFIELD_DATA", raising=False)
    monkeypatch.delenv("NEARFIELD_COLLECTION", raising=False)
    shutil.copy(photos / "green.png", photos / "green again.png")
    return photos


def typed(*words: str) -> Result:
    return CliRunner().invoke(nearfield.main, words)


def answered(*words: str) -> Any:
    ended = typed(*words, "--json")
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def test_similar_tells_the_tier_of_each_pair(album: Path) -> None:
    body = answered("similar", "photos/green.png", "photos/green again.png", "photos/red.png")
    assert body["tiers"][0] == ["identical", "identical", "unrelated"]
    assert body["tiers"][2][0] == "unrelated"
    assert body["calibrated"] is False
    shown = typed("similar", "photos/green.png", "photos/green again.png").stdout
    assert "1, 2" in shown
    assert "identical" in shown


def test_duplicates_shows_groups_and_deletes_nothing(album: Path) -> None:
    answered("index", "photos")
    body = answered("duplicates")
    (group,) = body["groups"]
    assert group["tier"] == "identical"
    assert {group["keep"]["uri"], group["extra"][0]["uri"]} == {
        "photos/green.png",
        "photos/green again.png",
    }
    assert Path(group["keep"]["path"]).is_file()
    assert (body["count"], body["extra"], body["items"]) == (1, 1, 9)
    ended = typed("duplicates", "--tier", "identical")
    assert "keep" in ended.stdout
    assert "green again.png" in ended.stdout
    assert "1 groups, 1 items more than needed, of 9" in ended.stderr
    assert (album / "green again.png").is_file()
    assert answered("stats")["collections"][0]["items"] == 9


def test_duplicates_without_any_says_so(album: Path) -> None:
    (album / "green again.png").unlink()
    answered("index", "photos")
    assert answered("duplicates")["groups"] == []
    assert "0 groups" in typed("duplicates").stderr


def test_classify_names_files_and_texts(album: Path) -> None:
    body = answered("classify", "--labels", "red,green", "photos/green.png", "blue")
    first, second = body["results"]
    assert (first["thing"], first["label"]) == ("photos/green.png", "green")
    assert set(first["probabilities"]) == {"red", "green"}
    assert second["label"] is None
    shown = typed("classify", "--labels", "red,green", "photos/red.png").stdout
    assert "red" in shown


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--labels", "red", "x"], "two labels at least"),
        (["--labels", "red,,blue", "x"], "a label is empty"),
        (["--labels", "red,red", "x"], "there twice"),
        (["--labels", "red,blue", "--template", "a photo", "x"], "must have {} once"),
    ],
)
def test_classify_refuses_what_cannot_be_chosen_from(words: list[str], complaint: str) -> None:
    ended = typed("classify", *words)
    assert ended.exit_code == 1
    assert complaint in ended.stderr


def test_duplicates_of_pictures_without_hashes_says_so(album: Path) -> None:
    Image.new("RGB", (9, 9), "white").save(album / "white too.png")
    vectors = Path("vectors.jsonl")
    row = [1.0] + [0.0] * 15
    vectors.write_text(json.dumps({"id": "a", "vector": row, "modality": "image"}) + "\n")
    answered("index", str(vectors))
    assert answered("duplicates")["unknown"] == 1
    assert "1 pictures have no hash" in typed("duplicates").stderr
