"""The examples of the reference, run as they stand: HTTP, command line and Python."""

from __future__ import annotations

import doctest
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pages
import pytest
from click.testing import CliRunner
from httpx2 import Response
from starlette.testclient import TestClient

import nearfield
from latent.settings import Settings
from service.app import search_app

HTTP, CLI, PYTHON = (f"docs/reference/{name}.md" for name in ("http", "cli", "python"))


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    as_by_default = settings.model_copy(
        update={"min_relevance": Settings.model_fields["min_relevance"].default}
    )
    with TestClient(search_app(as_by_default)) as opened:
        for _ in range(10_000):  # loading `colours` takes no time, but it is done on a thread
            if opened.get("/readyz").status_code == 200:
                break
        yield opened


def http_examples() -> list[tuple[str, str]]:
    """Requests with the answers that are shown below them, "" where none is."""
    found: list[tuple[str, str]] = []
    for block in pages.blocks(pages.read(HTTP)):
        if block.language == "http":
            found.append((block.text, ""))
        elif block.language == "json":
            found[-1] = (found[-1][0], block.text)
        elif block.language == "console":
            found += [(typed.command, typed.shown) for typed in pages.typed_in(block)]
    return found


def sent(client: TestClient, request: str, photos: Path) -> Response:
    """The answer to a request as it is written in the page, or to one by curl."""
    if request.startswith("curl "):
        return uploaded(client, shlex.split(request), photos)
    line, _, body = request.partition("\n")
    method, path = line.split(" ", 1)
    return client.request(method, path, json=json.loads(body) if body.strip() else None)


def uploaded(client: TestClient, words: list[str], photos: Path) -> Response:
    """What `curl URL -F name=@file -F name=value …` would be answered."""
    _, url, *options = words
    assert options[::2] == ["-F"] * len(options[::2])
    fields = [option.split("=", 1) for option in options[1::2]]
    files = {n: (v[1:], (photos / v[1:]).read_bytes()) for n, v in fields if v.startswith("@")}
    values = {name: value for name, value in fields if not value.startswith("@")}
    return client.post(url.removeprefix("http://127.0.0.1:8000"), files=files, data=values)


def test_the_http_examples_are_answered_as_shown(client: TestClient, photos: Path) -> None:
    examples = http_examples()
    assert len(examples) > 20
    for request, shown in examples:
        answer = sent(client, request, photos)
        if request.startswith("POST /v1/keys") and '"admin"' in request:
            client.headers["X-API-Key"] = answer.json()["key"]
        expected: Any = json.loads(shown) if shown else {}
        status = expected["status"] if "code" in expected else 200
        assert answer.status_code == status, (request, answer.text)
        if shown:
            assert not list(pages.differences(expected, answer.json())), (request, answer.text)


def test_every_endpoint_has_an_example() -> None:
    for heading, text in pages.sections(pages.read(HTTP)).items():
        if heading.startswith("`"):
            method = heading.strip("`").split()[0]
            shown = [block.text for block in pages.blocks(text)]
            starts = ("curl" if method == "POST" else method, method)
            assert any(one.removeprefix("$ ").startswith(starts) for one in shown), heading


@pytest.fixture
def at_home(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `photos` in it, where commands are typed, with the model `colours`."""
    monkeypatch.chdir(photos.parent)
    monkeypatch.setenv("NEARFIELD_MODEL", "colours")
    monkeypatch.delenv("NEARFIELD_DATA", raising=False)
    monkeypatch.delenv("NEARFIELD_COLLECTION", raising=False)
    return photos.parent


def test_the_command_line_examples_print_what_is_shown(at_home: Path) -> None:
    examples = pages.typed(pages.read(CLI))
    assert len(examples) > 10
    for typed in examples:
        program, *words = shlex.split(typed.command)
        assert program == "nearfield"
        ended = CliRunner().invoke(nearfield.main, words)
        assert ended.exit_code == 0, (typed.command, ended.output)
        assert not pages.surprises(typed.shown, ended.stdout), (typed.command, ended.stdout)


def test_the_python_examples_print_what_is_shown(at_home: Path) -> None:
    """One session from the first block to the last."""
    session: dict[str, Any] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    shown = [one.text for one in pages.blocks(pages.read(PYTHON)) if one.language == "pycon"]
    assert len(shown) > 3
    for number, text in enumerate(shown):
        name = f"python.md, block {number + 1}"
        example = doctest.DocTestParser().get_doctest(text, session, name, PYTHON, 0)
        said: list[str] = []
        failed, tried = runner.run(example, out=said.append, clear_globs=False)
        assert tried
        assert not failed, "".join(said)
        session |= example.globs
