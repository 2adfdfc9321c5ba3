"""`models compile` as a user types it, and what is then served without torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from latent.settings import Settings
from nearfield import main

pytest.importorskip("onnxscript", reason="compiling needs the extra 'models'")
pytest.importorskip("open_clip", reason="compiling needs the extra 'models'")

import tiny_models


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_open_clip(tmp_path_factory.mktemp("source") / "tiny")


class Prompt:
    """Types commands with a data folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def type(self, *words: str | Path) -> Result:
        environment = {"NEARFIELD_DATA": str(self.data), "NEARFIELD_THREADS": "1", "COLUMNS": "120"}
        return CliRunner().invoke(main, [str(word) for word in words], env=environment)

    def json(self, *words: str | Path) -> dict[str, Any]:
        result = self.type(*words, "--json")
        assert result.exit_code == 0, result.stderr
        read: dict[str, Any] = json.loads(result.stdout)
        return read


@pytest.fixture
def prompt(settings: Settings) -> Prompt:
    return Prompt(settings.data)


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prompt, dict[str, Any]]:
    prompt = Prompt(tmp_path_factory.mktemp("made") / "data")
    return prompt, prompt.json("models", "compile", f"openclip:{source}")


@pytest.fixture
def compiled(made: tuple[Prompt, dict[str, Any]], prompt: Prompt) -> Prompt:
    """A data folder of its own, with the compiled model in it."""
    shutil.copytree(made[0].data, prompt.data)
    return prompt


def test_what_was_measured_and_kept_is_told(made: tuple[Prompt, dict[str, Any]]) -> None:
    prompt, told = made
    assert told["kept"] in ("float32", "int8")
    assert told["name"] == "compiled:tiny"
    assert Path(told["folder"]) == prompt.data / "models" / "tiny"
    assert told["failed"] == []
    assert not told["are_photos"]
    assert told["pictures"] > 10
    assert told["texts"] > 50
    for one in told["precisions"]:
        assert one["held"]
        assert one["images"]["least"] >= 0.99
        assert one["texts"]["mean"] >= 0.995
        assert set(one["speed"]) == {"images", "texts", "one_text"}
        assert min(one["speed"].values()) > 0
    assert [path.name for path in (prompt.data / "models").iterdir()] == ["tiny"]


def test_the_compiled_model_indexes_and_answers(compiled: Prompt, photos: Path) -> None:
    report = compiled.json("index", photos, "--collection", "new", "--model", "compiled:tiny")
    assert report["indexed"] == 8
    found = compiled.json(
        *("search", "--image", photos / "green.png"),
        *("--collection", "new", "-k", "1", "--min-relevance", "0"),
    )
    assert found["hits"][0]["uri"].endswith("green.png")


def test_a_collection_of_the_source_takes_what_the_compiled_model_places(
    compiled: Prompt, source: Path, photos: Path
) -> None:
    one, two = photos / "red.png", photos / "green.png"
    compiled.json("index", one, "--collection", "both", "--model", f"openclip:{source}")
    report = compiled.json("index", two, "--collection", "both", "--model", "compiled:tiny")
    assert report["items"] == 2


def test_a_collection_of_the_source_needs_the_source_no_more(
    compiled: Prompt, source: Path, photos: Path, tmp_path: Path
) -> None:
    gone = shutil.copytree(source, tmp_path / "gone")
    away = compiled.data / "models" / "tiny"
    hidden = away.rename(tmp_path / "hidden")  # so that the source itself indexes
    compiled.json("index", photos, "--collection", "old", "--model", f"openclip:{gone}")
    hidden.rename(away)
    shutil.rmtree(gone)
    found = compiled.json(
        *("search", "--image", photos / "green.png"),
        *("--collection", "old", "-k", "1", "--min-relevance", "0"),
    )
    assert found["hits"][0]["uri"].endswith("green.png")


def test_the_compiled_model_is_listed_and_shown(compiled: Prompt) -> None:
    names = [one["name"] for one in compiled.json("models", "list")["models"]]
    assert any(name.startswith("compiled:") and name.endswith("tiny") for name in names)
    shown = compiled.json("models", "show", "compiled:tiny")
    assert shown["dim"] == 32
    assert shown["measured"]["text_cosine_to_source_least"] >= 0.99


def test_people_get_a_table_and_are_told_what_to_type(
    prompt: Prompt, source: Path, photos: Path, tmp_path: Path
) -> None:
    prompt.json("index", photos, "--model", "colours")
    place = tmp_path / "elsewhere" / "mine"
    result = prompt.type(
        "models", "compile", f"openclip:{source}", "--out", place, "--precision", "float32"
    )
    assert result.exit_code == 0, result.stderr
    assert "pictures: least cosine" in result.stdout
    assert "int8" not in result.stdout
    assert f"--model compiled:{place}" in result.stdout
    assert "made pictures" not in result.stdout  # its own collection held photos
    assert "exporting the image tower" in result.stderr


def test_photos_may_be_named(prompt: Prompt, source: Path, tmp_path: Path) -> None:
    below = tmp_path / "photos" / "2024"
    below.mkdir(parents=True)
    for number in range(3):
        Image.effect_noise((60, 40), 90 + number).convert("RGB").save(below / f"{number}.jpg")
    (below / "notes.txt").write_text("no photo")
    told = prompt.json(
        "models", "compile", f"openclip:{source}", "--precision", "float32",
        "--photos", tmp_path / "photos",
    )  # fmt: skip
    assert told["are_photos"]
    assert told["pictures"] == 3


def test_a_model_that_does_not_hold_is_not_kept_and_the_exit_code_says_so(
    prompt: Prompt, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latent.models.compiling import report

    monkeypatch.setattr(report, "LEAST", {"float32": 1.1, "int8": 1.1})
    result = prompt.type("models", "compile", f"openclip:{source}", "--precision", "float32")
    assert result.exit_code == 1
    assert "Nothing is kept" in result.stdout
    assert "least cosine of pictures" in result.stdout
    assert not list((prompt.data / "models").iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mini"], "only openclip:… and sentence:… models"),
        (["openclip:ViT-Z-99"], "no architecture"),
        (["sentence:/nowhere"], "no folder"),
        (["openclip:SOURCE", "--photos", "/nowhere"], "no folder /nowhere"),
        (["openclip:SOURCE", "--out", "SOURCE", "--replace"], "no compiled model"),
    ],
)
def test_what_cannot_be_compiled_is_one_line_and_exit_code_1(
    prompt: Prompt, source: Path, words: list[str], said: str
) -> None:
    typed = [word.replace("SOURCE", str(source)) for word in words]
    result = prompt.type("models", "compile", *typed)
    assert result.exit_code == 1
    assert said in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.output
