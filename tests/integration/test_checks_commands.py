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


def test_check_finds_what_is_there_already(album: Path) -> None:
    answered("index", "photos")
    body = answered("check", "photos/green.png")
    assert body["is_match"] is True
    assert body["closest"] == "identical"
    assert {one["uri"] for one in body["matches"]} == {
        "photos/green.png",
        "photos/green again.png",
    }
    shown = typed("check", "photos/green.png").stdout
    assert "identical" in shown
    assert "photos/green again.png" in shown


def test_check_asks_of_a_match_what_is_said(album: Path) -> None:
    answered("index", "photos")
    nothing = typed(
        "check", "photos/green.png", "--threshold", "1", "--filter", '{"name": "red.png"}'
    )
    assert nothing.exit_code == 0
    assert "nothing like it is there" in nothing.stderr
    assert answered("check", "red", "--least", "alike")["matches"] == []
    assert len(answered("check", "red", "--min-relevance", "0", "-k", "3")["matches"]) == 3


def test_similar_says_which_pairs_match_if_asked(album: Path) -> None:
    words = ["similar", "photos/green.png", "photos/green again.png", "photos/red.png"]
    assert "matches" not in answered(*words)
    assert answered(*words, "--least", "near_copy")["matches"] == [
        [True, True, False],
        [True, True, False],
        [False, False, True],
    ]
    assert "match" in typed(*words, "--least", "near_copy").stdout


def test_similar_refuses_relevance_where_none_was_learnt(album: Path) -> None:
    ended = typed("similar", "red", "green", "--min-relevance", "0.5")
    assert ended.exit_code == 1
    assert "has no calibration" in ended.stderr


def test_mini_says_how_surely_two_texts_belong_together(album: Path) -> None:
    words = [
        "similar",
        "two dogs in the snow",
        "a pair of dogs in snow",
        "tax law",
        "--model",
        "mini",
    ]
    body = answered(*words, "--min-relevance", "0.5")
    assert body["relevances"][0][1] > 0.9 > 0.1 > body["relevances"][0][2]
    assert body["matches"][0] == [True, True, False]
