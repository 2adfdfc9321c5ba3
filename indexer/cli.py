"""The command `index`; and the list of all commands for things in, with those of `upkeep`.

Results go to standard output, talk and progress to standard error. Knows nothing about how
things are read or searched.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from indexer.backups import backup, restore
from indexer.pipeline import index as run_index
from indexer.plan import plan
from indexer.report import Report
from indexer.sources import require
from indexer.upkeep import (
    collection_option,
    collections,
    export,
    repair,
    stats,
    titled,
    verify,
)
from indexer.watch import follow
from latent.errors import InputError, NearfieldError
from latent.settings import Settings
from latent.store import Store
from latent.terminal import command_options, console, out, print_json, warn
from latent.wiring import open_store

SHOWN_FAILURES = 10


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@collection_option
@click.option("--model", metavar="NAME", help="Model of a collection that is made by this.")
@click.option("--watch", is_flag=True, help="Stay, and keep in step as files come and go.")
@click.option("--allow-empty", is_flag=True, help="Let a folder that was emptied lose its items.")
@command_options
def index(
    settings: Settings,
    as_json: bool,
    paths: tuple[Path, ...],
    name: str | None,
    model: str | None,
    watch: bool,
    allow_empty: bool,
) -> None:
    """Bring a collection in step with files, folders and manifests.

    Only what is new or changed is read. What is gone below a folder that is named here is removed,
    but nothing where the folder holds nothing any more: its disk may be away. Manifests are CSV,
    JSON Lines, Parquet, or NPY for vectors alone.
    """
    for path in paths:
        require(path)
    chosen = name or settings.collection
    with open_store(settings) as store, _leaving_nothing_empty(store, chosen):
        collection = store.ensure(chosen, model)
        embedder = store.embedder_for(collection)

        def once(chosen: Sequence[Path]) -> Report:
            with _progress() as progress:
                return run_index(
                    chosen,
                    collection,
                    embedder,
                    settings,
                    allow_empty=allow_empty,
                    progress=progress,
                )

        report = once(paths)
        _tell(report, as_json)
        if watch:
            _stay(paths, once, as_json, ignored=settings.data)


@contextmanager
def _leaving_nothing_empty(store: Store, name: str) -> Iterator[None]:
    """Take back a collection that was made for something that was then refused."""
    was_there = name in store.spaces()
    try:
        yield
    except NearfieldError:
        if not was_there and name in store.spaces():
            made = store.collection(name)
            if made.count() == 0 and not made.sources():
                store.delete(name)
        raise


def _stay(
    paths: Sequence[Path],
    once: Callable[[Sequence[Path]], Report],
    as_json: bool,
    *,
    ignored: Path,
) -> None:
    """Run again on every change, until interrupted, which is the way to end it."""

    def react(touched: Sequence[Path]) -> None:
        try:
            report = once(touched)
        except InputError as error:  # a manifest that is being written, a folder emptied or away
            warn(f"error: {error}")
            return
        if report.indexed or report.removed:
            _tell(report, as_json)

    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: stop.set())  # how containers are stopped
    warn("watching; Ctrl-C ends it")
    try:
        follow(paths, react, stop=stop, ignored=ignored)
    except KeyboardInterrupt:
        warn("stopped")


class _Rate(ProgressColumn):
    """Files a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error where a person is looking; silence elsewhere."""
    if not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("files", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell(report: Report, as_json: bool) -> None:
    if as_json:
        print_json(report.as_json())
    else:
        table = titled(
            "collection", "indexed", "unchanged", "removed", "failed", "items", "seconds"
        )
        indexed = f"{report.indexed:,}" + (f" ({report.reused:,} reused)" if report.reused else "")
        table.add_row(
            report.collection,
            indexed,
            f"{report.unchanged:,}",
            f"{report.removed:,}",
            f"{len(report.failed):,}",
            f"{report.items:,}",
            f"{report.seconds:.1f}",
        )
        out.print(table)
    for failure in report.failed[:SHOWN_FAILURES]:
        warn(f"{failure.uri}: {failure.reason}")
    if len(report.failed) > SHOWN_FAILURES:
        more = len(report.failed) - SHOWN_FAILURES
        warn(f"and {more:,} more: nearfield collections --failed")


commands: list[click.Command] = [
    *(index, collections, stats, plan, verify, repair, export, backup, restore),
]
