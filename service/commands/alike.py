"""`similar` and `check` at a prompt: how alike things are, and whether a collection has such a one.

Imports what a command needs when it runs. Knows nothing about how things are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from latent.items import JSON, Modality
from latent.settings import Settings
from latent.terminal import command_options, console, out, print_json
from service.commands.options import narrowing_options

if TYPE_CHECKING:
    from service.checks.matching import Wanted

F = TypeVar("F", bound=Callable[..., object])

TIERS = (
    "identical",
    "same_picture",
    "same_text",
    "near_copy",
    "alike",
    "paraphrase",
    "related",
    "unrelated",
)


def matching_options(command: F) -> F:
    """Add the options that say what counts as a match."""
    for option in (
        click.option(
            "--min-relevance", type=click.FloatRange(0, 1), help="Least relevance of a match."
        ),
        click.option("--least", type=click.Choice(TIERS), help="Least tier of a match."),
        click.option("--threshold", type=click.FloatRange(-1, 1), help="Least cosine of a match."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("things", nargs=-1, required=True)
@click.option("--model", metavar="NAME", help="Which model compares them.")
@matching_options
@command_options
def similar(
    settings: Settings,
    as_json: bool,
    *,
    things: Sequence[str],
    model: str | None,
    threshold: float | None,
    least: str | None,
    min_relevance: float | None,
) -> None:
    """Compare two or more files or texts: cosine, relevance and tier of each pair."""
    from latent.models import registry
    from service.checks.pairs import compared
    from service.commands import prompted
    from service.commands.check_tables import pairs_table
    from service.commands.tables import scores_table

    if len(things) < 2:
        raise click.UsageError("name at least two files or texts")
    wanted = _wanted(threshold, least, min_relevance)
    embedder = registry.load(model or settings.model, settings)
    named = [prompted.thing(settings, given) for given in things]
    pairs = compared(embedder, named, settings, wanted)
    if not as_json:
        out.print(scores_table(things, pairs.scores))
        out.print(pairs_table(pairs))
        return
    matches: JSON = None if pairs.matches is None else [list(row) for row in pairs.matches]
    print_json(
        {
            "model": embedder.space.model,
            "things": list(things),
            "scores": [list(row) for row in pairs.scores],
            "relevances": [list(row) for row in pairs.relevances],
            "tiers": [[tier.value for tier in row] for row in pairs.tiers],
            "calibrated": pairs.is_calibrated,
            **({} if matches is None else {"matches": matches}),
        }
    )


@click.command()
@click.argument("thing")
@click.option("-k", type=int, default=10, show_default=True, help="How many matches at most.")
@narrowing_options
@matching_options
@command_options
def check(
    settings: Settings,
    as_json: bool,
    *,
    thing: str,
    k: int,
    where: str | None,
    modality: str | None,
    collection: str | None,
    threshold: float | None,
    least: str | None,
    min_relevance: float | None,
) -> None:
    """Is something like THING in a collection already? How alike is it?"""
    from latent.wiring import open_store
    from service import filters
    from service.checks.checks import check as seen
    from service.commands import prompted
    from service.commands.check_tables import matches_json, matches_table
    from service.query import Question

    wanted = _wanted(threshold, least, min_relevance)
    question = Question(
        [prompted.part(settings, thing)],
        k,
        filters.read(where),
        Modality(modality) if modality else None,
        min_relevance=min_relevance,
    )
    with open_store(settings, must_exist=True) as store:
        name = collection or settings.collection
        found = seen(store, name, question)
        space = store.collection(name).space
    matches = [one for one in found if one.is_match(wanted)][:k]
    if as_json:
        print_json(matches_json(name, space, found, matches, settings))
    elif matches:
        out.print(matches_table(matches))
    else:
        console.print("nothing like it is there")


def _wanted(threshold: float | None, least: str | None, min_relevance: float | None) -> Wanted:
    from service.checks.matching import Wanted
    from service.checks.tiers import Tier

    return Wanted(threshold, Tier(least) if least else None, min_relevance)
