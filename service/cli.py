"""The questions at a prompt: `search`, `serve`, `models`; more of them are in `commands`.

Imports what a command needs when it runs, so that `--help` costs nothing and only `serve` loads
the web framework. Knows nothing about how answers are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from latent.items import JSON, Modality
from latent.models.catalogue import JOBS
from latent.settings import Settings
from latent.terminal import FAILED, command_options, console, out, print_json, warn
from service.commands.alike import check, similar
from service.commands.axis import axis
from service.commands.calibrating import calibrate_model
from service.commands.checks import classify, duplicates
from service.commands.concepts import concepts
from service.commands.explore import draw_map, explain, groups
from service.commands.keys import keys
from service.commands.options import narrowing_options
from service.commands.walk import walk

if TYPE_CHECKING:
    from service.engine.parts import Part


@click.command()
@click.argument("words", required=False)
@click.option(
    "--image", "images", type=click.Path(path_type=Path), multiple=True, help="A picture."
)
@click.option("--like", "ids", multiple=True, metavar="ID", help="An item of the collection.")
@click.option("--concept", "learnt", multiple=True, metavar="NAME", help="A concept, as a part.")
@click.option(
    "--has", multiple=True, metavar="NAME=CHANCE", help="Only what so likely has a concept."
)
@click.option(
    "--with-concept", "told", multiple=True, metavar="NAME", help="How likely hits have a concept."
)
@click.option("--area", metavar="JSON", help="Only this part of the map: its corners, [[x, y], …].")
@narrowing_options
@click.option("-k", type=int, default=10, show_default=True, help="How many hits.")
@click.option(
    "--min-relevance",
    type=click.FloatRange(0, 1),
    help="Leave out hits that are less surely what is meant; 0 leaves none out.",
)
@click.option("--cursor", metavar="TEXT", help="Hits behind those of an answer: its cursor.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Also write the hits as a picture.")
@click.option("--explain", is_flag=True, help="Also say how the hits were found.")
@click.option(
    "--analogy",
    nargs=3,
    metavar="A B C",
    help="What is to C as B is to A? Each: a file, an item id:ID, concept:NAME, or words.",
)
@click.option(
    "--mode",
    type=click.Choice(["vector", "keyword", "hybrid"]),
    default="vector",
    show_default=True,
    help="What is compared: places in the space, words, or both.",
)
@click.option("--diversity", type=float, help="From 0 to 1: how much hits should differ.")
@click.option("--group-by", metavar="FIELD", help="Only the best hit of each group.")
@click.option("--sort-by", metavar="FIELD", help="Sort the best hits, as in 'taken_at:desc'.")
@click.option("--pool", type=int, help="How many of the best hits are grouped, sorted and so on.")
@command_options
def search(
    settings: Settings,
    as_json: bool,
    *,
    words: str | None,
    images: Sequence[Path],
    ids: Sequence[str],
    learnt: Sequence[str],
    has: Sequence[str],
    told: Sequence[str],
    area: str | None,
    where: str | None,
    modality: str | None,
    k: int,
    collection: str | None,
    min_relevance: float | None,
    cursor: str | None,
    sheet: Path | None,
    explain: bool,
    analogy: tuple[str, str, str] | None,
    mode: str,
    diversity: float | None,
    group_by: str | None,
    sort_by: str | None,
    pool: int | None,
) -> None:
    """Find what is near WORDS, a picture, an item or a concept; several of them are mixed."""
    from latent.wiring import open_store
    from service import filters
    from service.commands import concepts as learned
    from service.commands.tables import answer_json, explain_table, hits_table, nothing_found
    from service.query import Mode, QueryEngine, Question

    if analogy and (words is not None or images or ids or learnt):
        raise click.UsageError("--analogy is a question of its own, without words, --image, --like")
    others = [learned.part(name) for name in learnt]
    parts = _analogy(settings, analogy) if analogy else _parts(settings, words, images, ids, others)
    only = Modality(modality) if modality else None
    with open_store(settings, must_exist=True) as store:
        question = Question(
            parts,
            k,
            filters.read(where),
            only,
            cursor,
            explain=explain,
            is_analogy=analogy is not None,
            mode=Mode(mode),
            diversity=diversity,
            group_by=group_by,
            sort_by=sort_by,
            pool=pool,
            min_relevance=min_relevance,
            concepts=learned.least_of(has),
            with_concepts=told,
            area=filters.read_corners(area),
        )
        name = collection or settings.collection
        answer = QueryEngine(store).search(name, question)
        candidates = (
            1 if answer.hits else store.collection(name).count(where=question.where, modality=only)
        )
    if sheet is not None:
        from latent.media.decode import Limits
        from service.commands.sheet import contact_sheet, write_sheet

        named = [*(path.name for path in images), *ids, *(analogy or ())]
        title = words or ", ".join(named)
        write_sheet(contact_sheet(title, answer.hits, Limits.of(settings)), sheet)
    if answer.explain is not None and not as_json:
        console.print(explain_table(answer.explain))
    if as_json:
        print_json(answer_json(answer))
    elif answer.hits:
        out.print(hits_table(answer.hits))
    else:
        console.print(nothing_found(question, settings, candidates))


@click.command()
@click.option(
    "--app",
    type=click.Choice(["search", "similarity"]),
    default="search",
    show_default=True,
    help="Which service.",
)
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0: any free one.")
@click.option(
    "--workers", type=click.IntRange(1), help="Processes that serve; they share port and threads."
)
@click.option(
    "--without-keys",
    is_flag=True,
    default=None,
    help="Let everybody ask everything, whatever keys there are.",
)
@command_options
def serve(
    settings: Settings,
    as_json: bool,
    *,
    app: str,
    host: str | None,
    port: int | None,
    workers: int | None,
    without_keys: bool | None,
) -> None:
    """Answer over HTTP: search (everything) or similarity (stateless)."""
    from service.entrance import crew
    from service.entrance.server import listen, make_app, run
    from service.guard.guard import require_keys

    given = {"host": host, "port": port, "workers": workers, "without_keys": without_keys}
    changed = {name: value for name, value in given.items() if value is not None}
    settings = settings.model_copy(update=changed)
    require_keys(settings)
    with listen(settings) as (listener, url):
        made = make_app(settings, app)
        if as_json:
            print_json({"app": app, "url": url, "docs": f"{url}/docs"})
        else:
            click.echo(f"nearfield {app} listens on {url} (reference at {url}/docs)")
        if settings.workers == 1:
            run(made, listener)
        else:
            crew.serve(settings, app, listener)


@click.group()
def models() -> None:
    """Which models there are."""


@models.command("list")
@click.option("--job", type=click.Choice(list(JOBS)), help="Only models that are good for this.")
@command_options
def list_models(settings: Settings, as_json: bool, job: str | None) -> None:
    """Known good models by what they are for, and the forms that names of others take."""
    from latent.models import registry
    from service.commands.tables import card_json, cards_text, forms_table

    cards = registry.listed(settings, on_broken=warn)
    if job:
        cards = [card for card in cards if job in card.jobs]
    if as_json:
        forms: list[JSON] = [
            {"form": form.form, "kind": form.kind, "about": form.about} for form in registry.FORMS
        ]
        listed: list[JSON] = [card_json(card) for card in cards]
        print_json({"bundled": list(registry.BUNDLED), "models": listed, "forms": forms})
        return
    out.print(cards_text(cards, [job] if job else JOBS), soft_wrap=True)
    if not job:
        out.print("\nNames take these forms:")
        out.print(forms_table(registry.FORMS))


@models.command("show")
@click.argument("name")
@command_options
def show_model(settings: Settings, as_json: bool, name: str) -> None:
    """What there is to know of a model; one of the catalogue is not loaded for it."""
    from latent.models import registry
    from service.commands.tables import card_json, card_links, card_table

    card = registry.describe(name, settings)
    if as_json:
        print_json(card_json(card))
        return
    out.print(card_table(card))
    if links := card_links(card):
        out.print(links, soft_wrap=True)


@models.command("compile")
@click.argument("name")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    help="Where to; by default into the data folder.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "int8"]),
    default="auto",
    show_default=True,
    help="What it computes in.",
)
@click.option(
    "--photos", type=click.Path(path_type=Path), help="A folder of photos to measure parity on."
)
@click.option("--replace", is_flag=True, help="Let it take the place of one that is there.")
@command_options
def compile_model(
    settings: Settings,
    as_json: bool,
    *,
    name: str,
    folder: Path | None,
    precision: Literal["auto", "float32", "int8"],
    photos: Path | None,
    replace: bool,
) -> None:
    """Make a model that needs no torch of NAME, if it places things where NAME does."""
    from latent.models import compiling, registry
    from service.commands.compiling import (
        outcome,
        photos_below,
        photos_of_collections,
        report_json,
        report_table,
        telling,
    )

    some = photos_below(photos) if photos else photos_of_collections(settings)
    with telling() as progress:
        report = compiling.compile_model(
            name,
            folder or settings.data / registry.COMPILED / compiling.name_of(name),
            settings=settings,
            precision=precision,
            photos=some,
            replace=replace,
            progress=progress,
        )
    if as_json:
        print_json(report_json(report, settings))
    else:
        out.print(report_table(report))
        out.print(outcome(report, settings), soft_wrap=True)
    if report.kept is None:
        raise click.exceptions.Exit(FAILED)


models.add_command(calibrate_model)

commands: list[click.Command] = [
    search,
    walk,
    similar,
    check,
    duplicates,
    draw_map,
    groups,
    explain,
    axis,
    concepts,
    classify,
    serve,
    keys,
    models,
]


def _parts(
    settings: Settings,
    words: str | None,
    images: Sequence[Path],
    ids: Sequence[str],
    others: Sequence[Part],
) -> list[Part]:
    from service.commands import prompted
    from service.engine import phrases
    from service.engine.parts import Like, Part

    parts = list(phrases.parse(words)) if words is not None else []
    parts += [Part(prompted.picture(settings, path)) for path in images]
    parts += [Part(Like(item_id)) for item_id in ids]
    parts += others
    if not parts:
        raise click.UsageError(
            "say what to look for: words, --image, --like, --concept or --analogy"
        )
    return parts


def _analogy(settings: Settings, things: Sequence[str]) -> list[Part]:
    from service.commands import prompted
    from service.engine import parts

    first, second, third = (prompted.part(settings, given) for given in things)
    return list(parts.analogy(first, second, third))
