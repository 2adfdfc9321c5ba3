"""`search`, `similar`, `serve` and `models` as a user types them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from latent.items import Item, Modality, Passage, Source
from latent.models.colours import ColourEmbedder
from latent.settings import Settings
from latent.wiring import open_store
from nearfield import main

PATIENCE = 30  # seconds until a process that never answers fails its test


class Prompt:
    """Types commands into the folder of a test."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.environment = {
            "NEARFIELD_MODEL": "colours",
            "NEARFIELD_DATA": str(settings.data),
            "NEARFIELD_THREADS": "2",
            "NEARFIELD_MIN_RELEVANCE": "0",
            "COLUMNS": "120",
        }

    def type(self, *words: str | Path, **environment: str) -> Result:
        return CliRunner().invoke(
            main, [str(word) for word in words], env={**self.environment, **environment}
        )

    def json(self, *words: str | Path) -> dict[str, Any]:
        result = self.type(*words, "--json")
        assert result.exit_code == 0, result.stderr
        read: dict[str, Any] = json.loads(result.stdout)
        return read


@pytest.fixture
def prompt(settings: Settings) -> Prompt:
    return Prompt(settings)


@pytest.fixture
def filled(prompt: Prompt, photos: Path) -> Prompt:
    """Photos as if they were indexed, and two passages of one document."""
    model = ColourEmbedder()
    with open_store(prompt.settings) as store:
        collection = store.ensure("main")
        for path in sorted(photos.iterdir()):
            with Image.open(path) as picture:
                (row,) = model.embed_images([model.prepare(picture)])
            item = Item(
                id=path.stem,
                modality=Modality.IMAGE,
                vector=row,
                uri=f"photos/{path.name}",
                metadata={"name": path.name},
                source=str(path),
            )
            collection.put_sources([(Source(str(path), 1, 1), [item])])
        texts = ["a red and [bold]green[/bold] thing", "something blue " * 20]
        collection.put(
            [
                Item(
                    id=f"doc-{number}",
                    modality=Modality.TEXT,
                    vector=row,
                    uri="notes/a.md",
                    text=texts[number],
                    passage=Passage("notes/a.md", number, 2, 0, len(texts[number])),
                )
                for number, row in enumerate(model.embed_texts(texts))
            ]
        )
    return prompt


def failed(result: Result, *, code: int = 1) -> str:
    """The one line on standard error of a command that failed, and nothing on standard output."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    if code == 1:
        assert len(lines) == 1
        assert lines[0].startswith("error: ")
    return lines[-1]


def test_search_prints_a_table_best_first(filled: Prompt) -> None:
    result = filled.type("search", "green", "--modality", "image", "-k", "2")
    assert result.exit_code == 0, result.stderr
    head, first, *_ = result.stdout.splitlines()
    assert head.split() == ["#", "score", "kind", "relevance", "where", "text"]
    number, score, kind, relevance, where = first.split()
    assert (number, kind, where) == ("1", "image", "photos/green.png")
    assert 0 < float(relevance) <= 1
    assert float(score) > 0.9


def test_the_table_shows_passages_shortened_and_markup_as_it_is(filled: Prompt) -> None:
    shown = filled.type("search", "blue", "--modality", "text").stdout
    shown = " ".join(shown.split())
    assert "(2 of 2) something blue something" in shown
    assert "…" in shown
    assert "[bold]green[/bold]" in shown


def test_search_prints_one_json_object(filled: Prompt, photos: Path) -> None:
    answer = filled.json("search", "green", "-k", "1", "--modality", "image")
    assert (answer["collection"], answer["model"]) == ("main", "colours")
    assert set(answer["took_ms"]) >= {"embed", "search", "catalog"}
    (hit,) = answer["hits"]
    assert hit["score"] == pytest.approx(1.0, abs=0.01)
    assert 0 < hit["relevance"] <= 1
    del hit["score"], hit["relevance"]
    assert hit == {
        "id": "green",
        "uri": "photos/green.png",
        "modality": "image",
        "metadata": {"name": "green.png"},
        "text": None,
        "passage": None,
        "path": str(photos / "green.png"),
    }


def test_a_passage_is_named_in_json(filled: Prompt) -> None:
    (hit,) = filled.json("search", "blue", "-k", "1", "--modality", "text")["hits"]
    place = {"number": 1, "of": 2, "start": 0, "end": 300}
    assert hit["passage"] == {"document": "notes/a.md", **place}


def ids(answer: Mapping[str, Any]) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def test_search_takes_pictures_items_and_mixes(filled: Prompt, photos: Path) -> None:
    picture = photos / "blue.png"
    assert ids(filled.json("search", "--image", picture, "-k", "1")) == ["blue"]
    assert ids(filled.json("search", "--like", "blue", "-k", "1")) == ["doc-1"]
    mixed = filled.json("search", "green", "--image", photos / "red.png", "-k", "1")
    assert ids(mixed) == ["doc-0"]


def test_search_filters_on_metadata(filled: Prompt) -> None:
    answer = filled.json("search", "green", "--filter", '{"name": "red.png"}')
    assert ids(answer) == ["red"]


def test_nothing_found_is_said_on_standard_error(filled: Prompt) -> None:
    result = filled.type("search", "green", "--filter", '{"name": "nothing"}')
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing matches" in result.stderr
    assert filled.json("search", "green", "--filter", '{"name": "nothing"}')["hits"] == []


def test_the_hits_can_be_written_as_a_picture(filled: Prompt, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert filled.type("search", "green", "-k", "3", "--sheet", sheet).exit_code == 0
    with Image.open(sheet) as picture:
        assert (0, 160, 0) in {colour for _, colour in picture.getcolors(1 << 24) or []}


def test_a_sheet_takes_the_place_of_a_sheet_and_of_nothing_else(
    filled: Prompt, tmp_path: Path, photos: Path
) -> None:
    photo = photos / "red.png"
    before = photo.read_bytes()
    assert "is no sheet" in failed(filled.type("search", "green", "--sheet", photo))
    assert photo.read_bytes() == before
    for name in ("sheet.png", "sheet.webp", "sheet.jpg"):
        for words in ("green", "red"):
            assert filled.type("search", words, "--sheet", tmp_path / name).exit_code == 0


def test_the_path_of_a_manifests_row_is_not_its_manifest(prompt: Prompt, photos: Path) -> None:
    (photos / "list.csv").write_text("image,id\nred.png,r\n")
    assert prompt.type("index", photos / "list.csv").exit_code == 0
    (hit,) = prompt.json("search", "red")["hits"]
    assert (hit["id"], hit["path"]) == ("r", None)
    sheet = photos / "sheet.png"
    assert prompt.type("search", "red", "--sheet", sheet).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", ""], "empty"),
        (["search", "word " * 10_000], "10000"),
        (["search", "red", "-k", "0"], "k must be between 1 and 1000"),
        (["search", "red", "-k", "1000000000"], "k must be between 1 and 1000"),
        (["search", "red", "--collection", "nowhere"], "nowhere"),
        (["search", "--like", "nothing"], "nothing"),
        (["search", "--image", "nowhere.png"], "nowhere.png"),
        (["search", "--image", "."], "no picture"),
        (["search", "red", "--filter", "{"], "JSON"),
        (["search", "red", "--filter", "[]"], "object"),
        (["search", "red", "--filter", '{"$or": 1}'], "$or"),
        (["search", "red", "--sheet", "sheet.nothing"], "sheet.nothing"),
        (["similar", "red", ""], "empty"),
        (["similar", "red", "blue", "--model", "nonsense"], "nonsense"),
        (["models", "show", "nonsense"], "nonsense"),
        (["models", "show", "compiled:/nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_fails_in_one_line(filled: Prompt, words: list[str], said: str) -> None:
    assert said in failed(filled.type(*words))


@pytest.mark.parametrize(
    "words",
    [
        ["search"],
        ["search", "red", "--modality", "smell"],
        ["search", "red", "-k", "many"],
        ["search", "red", "--colour", "red"],
        ["similar", "red"],
        ["similar"],
        ["serve", "--port", "65536"],
        ["serve", "--app", "nothing"],
    ],
)
def test_wrong_use_exits_with_two(prompt: Prompt, words: list[str]) -> None:
    failed(prompt.type(*words), code=2)


def test_search_makes_no_data_folder(prompt: Prompt) -> None:
    assert "nearfield index" in failed(prompt.type("search", "red"))
    assert not prompt.settings.data.exists()


def test_a_text_named_jpg_is_no_picture(filled: Prompt, tmp_path: Path) -> None:
    path = tmp_path / "text.jpg"
    path.write_text("just words")
    assert "text.jpg" in failed(filled.type("search", "--image", path))


def test_a_picture_file_that_is_too_large_is_not_read(filled: Prompt, photos: Path) -> None:
    result = filled.type("search", "--image", photos / "red.png", NEARFIELD_MAX_IMAGE_BYTES="10")
    assert "more than 10 bytes" in failed(result)


def test_similar_compares_files_and_texts(prompt: Prompt, photos: Path, tmp_path: Path) -> None:
    text = tmp_path / "note.txt"
    text.write_text("red", encoding="utf-8-sig")
    things = [str(photos / "red.png"), "red", "blue", str(text)]
    answer = prompt.json("similar", *things)
    assert (answer["model"], answer["things"]) == ("colours", things)
    scores = answer["scores"]
    assert [row[number] for number, row in enumerate(scores)] == pytest.approx([1.0] * 4)
    assert scores[0][1] == scores[1][0] > 0.99
    assert scores[1][3] == pytest.approx(1.0)
    assert scores[1][2] == pytest.approx(0.0)
    table = prompt.type("similar", *things).stdout
    assert "red.png" in table
    assert "1.000" in table


def test_words_too_long_for_a_file_name_are_words(prompt: Prompt) -> None:
    long = "red " * 60
    assert prompt.json("similar", long, "red")["scores"][0][1] == pytest.approx(1.0)


def test_text_files_are_compared_by_what_they_say(prompt: Prompt, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_bytes("red caf\xe9".encode("cp1252"))
    (tmp_path / "page.html").write_text("<style>blue {}</style><p>red café</p>")
    answer = prompt.json("similar", tmp_path / "old.txt", tmp_path / "page.html")
    assert answer["scores"][0][1] == pytest.approx(1)


def test_a_text_file_that_is_binary_is_refused(prompt: Prompt, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes(b"\0\1\2" * 99)
    assert "binary" in failed(prompt.type("similar", tmp_path / "note.txt", "red"))


def test_similar_makes_no_data_folder(prompt: Prompt) -> None:
    prompt.json("similar", "red", "blue")
    assert not prompt.settings.data.exists()


def test_models_are_listed_and_shown(prompt: Prompt) -> None:
    listed = prompt.json("models", "list")
    assert listed["bundled"] == ["mini", "colours"]
    assert "vectors:DIM" in {form["form"] for form in listed["forms"]}
    assert "vectors:DIM" in prompt.type("models", "list").stdout
    card = prompt.json("models", "show", "colours")
    assert (card["name"], card["dim"], card["modalities"]) == ("colours", 16, ["image", "text"])
    shown = prompt.type("models", "show", "colours").stdout
    assert card["fingerprint"] in shown


def test_models_are_listed_by_what_they_are_for(prompt: Prompt) -> None:
    everything = prompt.json("models", "list")["models"]
    some = prompt.json("models", "list", "--job", "multilingual")["models"]
    assert everything[0]["name"] == "mini"
    assert some == [card for card in everything if "multilingual" in card["jobs"]]
    assert 0 < len(some) < len(everything)
    shown = prompt.type("models", "list", "--job", "multilingual").stdout.splitlines()
    assert all(f"  {card['name']}" in shown for card in some)
    assert "  mini" not in shown
    assert prompt.type("models", "list", "--job", "cooking").exit_code == 2


def test_a_model_of_the_catalogue_is_shown_with_where_its_figures_are_from(prompt: Prompt) -> None:
    name = "openclip:ViT-SO400M-16-SigLIP2-384/webli"
    card = prompt.json("models", "show", name)
    assert card["name"] == name
    lines = prompt.type("models", "show", name).stdout.splitlines()
    for figure in card["figures"]:
        assert any(line.endswith(f"] {figure['source']}") for line in lines)
    assert f"weights: {card['link']}" in lines


def test_a_broken_compiled_model_is_told_beside_the_list(prompt: Prompt) -> None:
    broken = prompt.settings.data / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "model.json").write_text("{}")
    done = prompt.type("models", "list", "--json")
    assert done.exit_code == 0
    assert str(broken) in done.stderr
    assert json.loads(done.stdout)["models"][0]["name"] == "mini"


def test_the_commands_are_there_before_the_web_framework() -> None:
    script = "import service.cli, sys; print('fastapi' in sys.modules, 'uvicorn' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.split() == ["False", "False"]


def test_a_port_in_use_is_said_in_one_line(prompt: Prompt) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = failed(prompt.type("serve", "--port", port))
    assert port in line
    assert "--port" in line


def test_an_address_that_is_none_is_said_in_one_line(prompt: Prompt) -> None:
    assert "300.1.2.3" in failed(prompt.type("serve", "--host", "300.1.2.3", "--port", "0"))


@pytest.fixture(params=["search", "similarity"])
def server(request: pytest.FixtureRequest, prompt: Prompt) -> Iterator[tuple[Any, dict[str, str]]]:
    """A running service, and what it printed."""
    command = [sys.executable, "-m", "nearfield", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, "--app", request.param],
        env={"PATH": "", **prompt.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_serve_prints_its_address_answers_and_ends_well(
    server: tuple[subprocess.Popen[str], dict[str, str]],
) -> None:
    process, printed = server
    with urllib.request.urlopen(f"{printed['url']}/healthz", timeout=PATIENCE) as answer:
        assert json.load(answer) == {"status": "ok"}
    with urllib.request.urlopen(printed["docs"], timeout=PATIENCE) as answer:
        assert "/v1/embeddings" in answer.read().decode()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "")
    assert '"path": "/healthz"' in err
    assert "Traceback" not in err


def test_a_data_folder_that_cannot_be_made_keeps_serve_from_starting(
    prompt: Prompt, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    result = prompt.type("serve", "--port", "0", "--data", blocked / "data")
    assert str(blocked) in failed(result)


def test_a_cursor_leads_to_the_hits_behind_an_answer(filled: Prompt) -> None:
    everything = filled.json("search", "green", "-k", "1000")
    assert everything["cursor"] is None
    first = filled.json("search", "green", "-k", "3")
    second = filled.json("search", "green", "-k", "3", "--cursor", first["cursor"])
    found = [hit["id"] for page in (first, second) for hit in page["hits"]]
    assert found == [hit["id"] for hit in everything["hits"][:6]]


def test_a_cursor_of_another_question_is_refused(filled: Prompt) -> None:
    cursor = filled.json("search", "green", "-k", "3")["cursor"]
    ended = filled.type("search", "red", "-k", "3", "--cursor", cursor)
    assert ended.exit_code == 1
    assert "the cursor belongs to another question" in ended.stderr


def test_a_filter_that_nothing_matches_is_told_from_a_question_without_an_answer(
    filled: Prompt,
) -> None:
    nothing = filled.type("search", "green", "--filter", '{"name": "nobody.png"}')
    assert "nothing matches the filter" in nothing.stderr
    vague = filled.type("search", "thing", "--min-relevance", "1")
    assert "nothing here is surely what you meant" in vague.stderr
