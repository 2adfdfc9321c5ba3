"""The commands that look after collections: collections, stats, verify, repair, export.

Results go to standard output, talk to standard error. Knows nothing about how things are read,
embedded or searched.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table

from indexer import export as exports
from indexer.differences import differences
from latent import comparing
from latent.collection import Collection, Summary
from latent.comparing import Comparison
from latent.index.bases import Quantisation
from latent.items import JSON
from latent.settings import Settings
from latent.store import Store
from latent.terminal import FAILED, command_options, out, print_json, warn
from latent.wiring import open_store

collection_option = click.option(
    "--collection", "name", metavar="NAME", help="Collection (NEARFIELD_COLLECTION)."
)


@click.command()
@click.argument("name", required=False)
@click.option("--failed", is_flag=True, help="List what could not be read, and why.")
@click.option("--delete", is_flag=True, help="Delete the collection NAME; its files stay.")
@click.option(
    "--compare",
    metavar="OTHER",
    help="Compare the neighbours of NAME with those of another collection.",
)
@click.option(
    "--switch",
    metavar="OTHER",
    help="Let NAME and another collection go by each other's name, in one step.",
)
@click.option(
    "--quantisation",
    type=click.Choice([one.value for one in Quantisation]),
    help="Search the collection NAME by these codes, once it is large.",
)
@command_options
def collections(
    settings: Settings,
    as_json: bool,
    name: str | None,
    *,
    failed: bool,
    delete: bool,
    compare: str | None,
    switch: str | None,
    quantisation: str | None,
) -> None:
    """List the collections, or what could not be read into them."""
    alone = {
        "--delete": delete,
        "--compare": compare,
        "--switch": switch,
        "--quantisation": quantisation,
    }
    asked = [option for option, value in alone.items() if value]
    if asked and (name is None or failed or len(asked) > 1):
        raise click.UsageError(f"{asked[0]} goes with the NAME of a collection, and alone")
    with open_store(settings, must_exist=True) as store:
        if delete and name is not None:
            count = store.collection(name).count()
            store.delete(name)
            warn(f"deleted {name}, {count:,} items")
            _tell_summaries([one.summary() for one in _chosen(store, None)], as_json)
        elif compare is not None and name is not None:
            found = comparing.compare(store.collection(name), store.collection(compare))
            _tell_comparison(found, as_json)
        elif switch is not None and name is not None:
            store.switch(name, switch)
            warn(f"{name} and {switch} have changed places")
            both = [store.collection(each).summary() for each in (name, switch)]
            _tell_summaries(both, as_json)
        elif quantisation is not None and name is not None:
            collection = store.collection(name)
            collection.quantise(quantisation)
            collection.publish()
            _tell_summaries([collection.summary()], as_json)
        elif failed:
            _tell_failed(_chosen(store, name), as_json)
        else:
            _tell_summaries([one.summary() for one in _chosen(store, name)], as_json)


def _tell_comparison(found: Comparison, as_json: bool) -> None:
    if as_json:
        print_json(found.as_json())
        return
    table = titled("collection", "in both", "in it alone", "recall of its index")
    for name, only, recall in zip(found.names, found.only, found.recall, strict=True):
        table.add_row(name, f"{found.common:,}", f"{only:,}", json.dumps(recall))
    out.print(table)
    if found.overlap is None:
        out.print("they have too few items in common to compare neighbours")
    else:
        out.print(
            f"of the {found.k} nearest, {found.overlap:.1%} are the same in both "
            f"({found.asked:,} items asked)"
        )


def _tell_failed(chosen: Sequence[Collection], as_json: bool) -> None:
    found = [
        (collection.name, source)
        for collection in chosen
        for source in collection.sources().values()
        if source.failure is not None
    ]
    if as_json:
        print_json(
            {
                "failed": [
                    {"collection": name, "path": s.path, "reason": s.failure, "code": s.code}
                    for name, s in found
                ]
            }
        )
        return
    for name, source in found:
        click.echo(f"{name}: {source.path}: {source.failure}")
    if not found:
        warn("nothing failed")


def _tell_summaries(summaries: Sequence[Summary], as_json: bool) -> None:
    if as_json:
        print_json({"collections": [_summary(one) for one in summaries]})
        return
    table = titled("collection", "model", "items", "images", "texts", "failed")
    for one in summaries:
        numbers = (one.items, one.images, one.texts, one.failed)
        table.add_row(one.name, one.space.model, *(f"{number:,}" for number in numbers))
    out.print(table)


@click.command()
@collection_option
@command_options
def stats(settings: Settings, as_json: bool, name: str | None) -> None:
    """Say what the collections hold and how much room it takes."""
    with open_store(settings, must_exist=True) as store:
        found = [_summary(one.summary()) for one in _chosen(store, name)]
    size = sum(file.stat().st_size for file in settings.data.rglob("*") if file.is_file())
    if as_json:
        print_json({"collections": list(found), "data": str(settings.data), "bytes": size})
        return
    for one in found:
        table = Table(title=str(one["name"]), show_header=False, title_justify="left")
        for key, value in one.items():
            table.add_row(key, _words(value))
        out.print(table)
    out.print(f"{settings.data}: {size / 1e6:,.1f} MB")


@click.command()
@collection_option
@command_options
def verify(settings: Settings, as_json: bool, name: str | None) -> None:
    """Compare files, catalog and index; name every difference and exit 1 if there is one."""
    with open_store(settings, must_exist=True) as store:
        found = [
            (collection.name, difference)
            for collection in _chosen(store, name)
            for difference in (*collection.verify(), *differences(collection))
        ]
    if as_json:
        listed: list[JSON] = [{"collection": n, "difference": text} for n, text in found]
        print_json({"ok": not found, "differences": listed})
    else:
        for collection_name, difference in found:
            click.echo(f"{collection_name}: {difference}")
        if not found:
            out.print("all is well")
    if found:
        raise click.exceptions.Exit(FAILED)


@click.command()
@collection_option
@command_options
def repair(settings: Settings, as_json: bool, name: str | None) -> None:
    """Make the index anew from the catalog. Files that changed are for 'nearfield index'."""
    with open_store(settings, must_exist=True) as store:
        chosen = _chosen(store, name)
        for collection in chosen:
            collection.repair()
        left = [(one.name, difference) for one in chosen for difference in one.verify()]
    if as_json:
        listed: list[JSON] = [{"collection": n, "difference": text} for n, text in left]
        print_json({"repaired": [one.name for one in chosen], "differences": listed})
    else:
        out.print(f"made anew: {', '.join(one.name for one in chosen) or 'nothing'}")
        for collection_name, difference in left:
            click.echo(f"{collection_name}: {difference}")
    if left:
        raise click.exceptions.Exit(FAILED)


@click.command()
@collection_option
@click.option(
    "--out",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to this file: .jsonl or .parquet.",
)
@click.option("--vectors", is_flag=True, help="Write the vectors as well.")
@command_options
def export(
    settings: Settings, as_json: bool, name: str | None, path: Path | None, vectors: bool
) -> None:
    """Write a collection as a manifest: JSON Lines on standard output, or FILE.

    FILE ends in .jsonl or .parquet. With --vectors it can be indexed again as it is.
    """
    if as_json and path is None:
        raise click.UsageError("--json goes with --out; standard output is JSON Lines already")
    with open_store(settings, must_exist=True) as store:
        collection = store.collection(name or settings.collection)
        if path is None:
            exports.write_lines(collection, sys.stdout, with_vectors=vectors)
            return
        count = exports.write_file(collection, path, with_vectors=vectors)
    if as_json:
        print_json({"collection": collection.name, "file": str(path), "items": count})
    else:
        out.print(f"{count:,} items written to {path}", soft_wrap=True)


def _chosen(store: Store, name: str | None) -> list[Collection]:
    names = [name] if name is not None else list(store.spaces())
    return [store.collection(each) for each in names]


def _summary(one: Summary) -> dict[str, JSON]:
    return {
        "name": one.name,
        "model": one.space.model,
        "dim": one.space.dim,
        "items": one.items,
        "images": one.images,
        "texts": one.texts,
        "failed": one.failed,
        "sequence": one.sequence,
        "index": dict(one.index),
    }


def _words(value: JSON) -> str:
    """A value as a table shows it; what is null was not measured, or is not there."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(inner)}" for name, inner in value.items())
    return "–" if value is None else str(value)


def titled(*names: str) -> Table:
    """A table of these columns: the first is a name, the others are numbers."""
    table = Table()
    for number, name in enumerate(names):
        table.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    return table
