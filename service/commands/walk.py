"""A walk at a prompt: `walk`.

Imports what it needs when it runs. Knows nothing about how neighbours are found.
"""

from __future__ import annotations

import click

from latent.items import Modality
from latent.settings import Settings
from latent.terminal import command_options, out, print_json
from service.commands.options import narrowing_options


@click.command()
@click.argument("start")
@click.argument("end")
@click.option("--steps", type=int, default=7, show_default=True, help="How many, ends among them.")
@narrowing_options
@command_options
def walk(
    settings: Settings,
    as_json: bool,
    *,
    start: str,
    end: str,
    steps: int,
    where: str | None,
    modality: str | None,
    collection: str | None,
) -> None:
    """Walk from START to END by what is near the way between them."""
    from latent.wiring import open_store
    from service import filters
    from service.commands import prompted
    from service.commands.tables import walk_json, walk_table
    from service.query import QueryEngine, Walk

    asked = Walk(
        prompted.part(settings, start),
        prompted.part(settings, end),
        steps,
        filters.read(where),
        Modality(modality) if modality else None,
    )
    with open_store(settings, must_exist=True) as store:
        walked = QueryEngine(store).walk(collection or settings.collection, asked)
    if as_json:
        print_json(walk_json(walked))
    else:
        out.print(walk_table(walked))
