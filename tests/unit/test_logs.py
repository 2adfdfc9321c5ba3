"""The log: lines for people or for programs, each with the request that it was written for."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from latent.errors import InputError
from latent.settings import Settings
from service.embedding.workers import Workers
from service.seen.logs import FIELDS, REQUEST_ID, JsonLines, Lines, log_to_stderr

log = logging.getLogger("nearfield.test")


@pytest.fixture
def untouched() -> Iterator[None]:
    """Leaves the log of the tests as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    uvicorn = logging.getLogger("uvicorn.error")
    theirs = uvicorn.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    uvicorn.setLevel(theirs)


def written(formatter: logging.Formatter, message: str, **more: object) -> str:
    record = log.makeRecord(log.name, logging.INFO, __file__, 1, message, (), None, extra=more)
    return formatter.format(record)


def test_each_line_is_an_object() -> None:
    line = json.loads(written(JsonLines(), 'a "quoted"\nmessage'))
    assert (line["level"], line["logger"]) == ("INFO", "nearfield.test")
    assert line["message"] == 'a "quoted"\nmessage'
    assert "\n" not in written(JsonLines(), "two\nlines")


def test_the_fields_of_a_record_take_the_place_of_its_message() -> None:
    line = json.loads(written(JsonLines(), "for people", **{FIELDS: {"status": 200, "path": "/"}}))
    assert (line["status"], line["path"]) == (200, "/")
    assert "message" not in line


def test_an_exception_is_told_in_its_line() -> None:
    try:
        raise ValueError("mine")
    except ValueError as error:
        given = (type(error), error, error.__traceback__)
    record = log.makeRecord(log.name, logging.ERROR, __file__, 1, "failed", (), given)
    assert "ValueError: mine" in json.loads(JsonLines().format(record))["exception"]


@pytest.mark.parametrize("formatter", [JsonLines(), Lines()])
def test_a_line_of_a_thread_names_the_request_it_works_for(formatter: logging.Formatter) -> None:
    workers = Workers(1)

    async def asked() -> str:
        REQUEST_ID.set("seven")
        return await workers.run(written, formatter, "from a thread")

    assert "seven" in asyncio.run(asked())
    assert "seven" not in written(formatter, "from nowhere")
    workers.close()


def test_the_setting_decides_the_form(
    settings: Settings, untouched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    log_to_stderr(settings.model_copy(update={"log_format": "json"}))
    log.warning("one")
    log_to_stderr(settings.model_copy(update={"log_level": "error"}))
    log.warning("two")
    log.error("three")
    first, last = shown.getvalue().splitlines()
    assert json.loads(first)["message"] == "one"
    assert last.endswith("ERROR nearfield.test three")


def test_a_level_that_is_none_is_refused(settings: Settings, untouched: None) -> None:
    with pytest.raises(InputError, match="NEARFIELD_LOG_LEVEL is 'loud'"):
        log_to_stderr(settings.model_copy(update={"log_level": "loud"}))
