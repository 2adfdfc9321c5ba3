"""What every command of both rooms shares: its common options, its voice, its way to fail.

Results go to standard output (`out`, `print_json`), talk and progress to standard error (`console`,
`warn`). Knows nothing about what the commands do.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click
from pydantic import ValidationError
from rich.console import Console

from latent.errors import InputError, NearfieldError
from latent.items import JSON
from latent.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# Names of files and models may hold square brackets, so nothing here is read as markup.
out = Console(highlight=False, markup=False)
"""Results: standard output."""

console = Console(stderr=True, highlight=False, markup=False)
"""Talk and progress: standard error."""


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Turn what was refused or failed into one line on standard error and an exit code.

    Works as a context manager and as a decorator. A mistake of ours still shows its traceback.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        warn("interrupted")
        raise click.exceptions.Exit(INTERRUPTED) from error
    except NearfieldError as error:
        warn(f"error: {error}")
        raise click.exceptions.Exit(FAILED) from error
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader went away (`| head`): click ends quietly
            raise
        named = f"{error.filename}: " if error.filename else ""
        warn(f"error: {named}{error.strerror or error}")
        raise click.exceptions.Exit(FAILED) from error


def command_options(
    function: Callable[Concatenate[Settings, bool, P], R],
) -> Callable[..., R]:
    """Add `--data` and `--json`, and call `function(settings, as_json, …)`, failing clearly.

    The options and arguments of the command itself arrive by keyword. Put it closest to the
    function, below `@click.command` and the command's own options.
    """

    @click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of the catalog and the index (NEARFIELD_DATA).",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @wraps(function)
    def command(*args: P.args, data: Path | None, as_json: bool, **kwargs: P.kwargs) -> R:  # type: ignore[valid-type]
        with failing_clearly():
            return function(read_settings(data), as_json, *args, **kwargs)

    return command


def read_settings(data: Path | None = None) -> Settings:
    """The settings of the environment, with the folder that was named.

    Raises:
        InputError: a variable holds what its setting cannot be.
    """
    try:
        return Settings() if data is None else Settings(data=data)
    except ValidationError as error:
        first = error.errors()[0]
        name = "NEARFIELD_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InputError(f"the setting {name} is not usable: {first['msg']}") from error


def warn(message: str) -> None:
    """One line on standard error, never wrapped."""
    click.echo(" ".join(message.split()), err=True)


def print_json(answer: JSON) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(answer, ensure_ascii=False))
