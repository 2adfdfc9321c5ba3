"""Commands fail in one line, and find their settings."""

from __future__ import annotations

import errno
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from latent.errors import InputError
from latent.settings import Settings
from latent.terminal import command_options, failing_clearly, print_json, read_settings


def typed(*words: str, error: BaseException | None = None) -> Result:
    """Runs a command that prints its settings, or raises."""

    @click.command()
    @click.option("--name", default="nobody")
    @command_options
    def command(settings: Settings, as_json: bool, name: str) -> None:
        if error is not None:
            raise error
        print_json({"data": str(settings.data), "as_json": as_json, "name": name})

    return CliRunner().invoke(command, list(words))


def test_a_command_gets_settings_and_its_own_options() -> None:
    result = typed("--data", "there", "--json", "--name", "Ünal")
    assert result.stdout == '{"data": "there", "as_json": true, "name": "Ünal"}\n'


def test_the_environment_is_read_when_the_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARFIELD_DATA", "elsewhere")
    assert '"data": "elsewhere"' in typed().stdout
    assert '"data": "there"' in typed("--data", "there").stdout


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("no\nsuch   thing"), 1, "error: no such thing"),
        (OSError(errno.ENOSPC, "No space left", "file"), 1, "error: file: No space left"),
        (OSError("odd"), 1, "error: odd"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_failure_is_one_line_and_a_code(error: BaseException, code: int, line: str) -> None:
    result = typed(error=error)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", line + "\n")


def test_a_mistake_of_ours_is_not_hidden() -> None:
    assert isinstance(typed(error=ZeroDivisionError("oops")).exception, ZeroDivisionError)


def test_a_reader_that_went_away_is_left_to_click() -> None:
    with pytest.raises(BrokenPipeError), failing_clearly():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARFIELD_PORT", "-1")
    with pytest.raises(InputError, match="NEARFIELD_PORT"):
        read_settings(Path("there"))
