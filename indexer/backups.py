"""The commands `backup` and `restore`.

Knows nothing about what a backup is made of; `latent.backups` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from latent import backups
from latent.backups import Backup
from latent.catalog.copying import Progress as Told
from latent.settings import Settings
from latent.terminal import command_options, console, out, print_json

path_argument = click.argument("path", type=click.Path(path_type=Path), metavar="PATH")


@click.command()
@path_argument
@command_options
def backup(settings: Settings, as_json: bool, path: Path) -> None:
    """Back up the data folder into a new folder PATH, or one file where PATH ends in .tar.

    Others may go on writing. The index is left out; it is made anew.
    """
    with _progress() as told:
        made = backups.write(settings, path, told)
    _tell("backed up", made, path, as_json)


@click.command()
@path_argument
@command_options
def restore(settings: Settings, as_json: bool, path: Path) -> None:
    """Make a data folder of the backup PATH. The folder must be empty, or not be there."""
    made = backups.restore(settings, path)
    _tell("restored", made, settings.data, as_json)


def _tell(done: str, made: Backup, where: Path, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "path": str(where),
                "made": made.made,
                "schema": made.schema,
                "collections": dict(made.collections),
                "bytes": made.bytes,
            }
        )
        return
    items = sum(made.collections.values())
    out.print(
        f"{done} {items:,} items of {len(made.collections)} collections"
        f" ({made.bytes / 1e6:,.1f} MB, as of {made.made}): {where}",
        soft_wrap=True,
    )


@contextmanager
def _progress() -> Iterator[Told]:
    """A bar on standard error where a person is looking; silence elsewhere."""
    if not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (
        TextColumn("copying"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("pages", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
