"""What lies along a direction, at a prompt: `axis`.

Imports what it needs when it runs. Knows nothing about how items are found.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from latent.items import JSON, Modality
from latent.settings import Settings
from latent.terminal import command_options, out, print_json
from service.commands.options import narrowing_options


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="How many at each.")
@click.option(
    "--has", multiple=True, metavar="NAME=CHANCE", help="Only what so likely has a concept."
)
@click.option("--area", metavar="JSON", help="Only this part of the map: its corners, [[x, y], …].")
@narrowing_options
@command_options
def axis(
    settings: Settings,
    as_json: bool,
    *,
    a: str,
    b: str,
    k: int,
    has: Sequence[str],
    area: str | None,
    where: str | None,
    modality: str | None,
    collection: str | None,
) -> None:
    """List what lies furthest along the direction from A to B at both ends, and words there."""
    from latent.wiring import open_store
    from service import filters
    from service.commands import prompted
    from service.commands.concepts import least_of
    from service.commands.tables import hit_json, hits_table
    from service.explore import insight
    from service.explore.narrowing import narrowed
    from service.explore.surveys import Surveys

    with open_store(settings, must_exist=True) as store:
        surveys, of = Surveys(store), store.collection(collection or settings.collection)
        corners, chances = filters.read_corners(area), least_of(has)
        found = insight.axis(
            of,
            prompted.placed(store, of, [prompted.part(settings, end) for end in (a, b)]).rows,
            surveys.vocabulary(of),
            k,
            where=narrowed(surveys, of, filters.read(where), least=chances, area=corners),
            modality=Modality(modality) if modality else None,
        )
        told: dict[str, JSON] = {"collection": of.name, "model": of.space.model}
    ends = ((a, found.start, found.start_words), (b, found.end, found.end_words))
    if as_json:
        for name, (_, hits, words) in zip(("start", "end"), ends, strict=True):
            told[name] = [hit_json(hit) for hit in hits]
            told[f"{name}_words"] = [{"word": word, "weight": weight} for word, weight in words]
        print_json(told)
        return
    for end, hits, words in ends:
        out.print(f"towards {end!r}: {', '.join(word for word, _ in words)}", markup=False)
        out.print(hits_table(hits))
