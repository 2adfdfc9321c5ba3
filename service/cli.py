"""The questions at a prompt: `search`, `similar`, `serve`, `models`.

Imports what a command needs when it runs, so that `--help` costs nothing and only `serve` loads
the web framework. Knows nothing about how answers are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from latent.errors import ImageTooLargeError, SourceMissingError
from latent.items import JSON, Modality
from latent.models.catalogue import JOBS
from latent.settings import Settings
from latent.terminal import command_options, console, out, print_json, warn

if TYPE_CHECKING:
    from service.parts import Part, Thing


@click.command()
@click.argument("words", required=False)
@click.option(
    "--image", "images", type=click.Path(path_type=Path), multiple=True, help="A picture."
)
@click.option("--like", "ids", multiple=True, metavar="ID", help="An item of the collection.")
@click.option("--filter", "where", metavar="JSON", help="""Metadata, as in '{"camera": "X"}'.""")
@click.option("--modality", type=click.Choice([one.value for one in Modality]), help="Only these.")
@click.option("-k", type=int, default=10, show_default=True, help="How many hits.")
@click.option("--collection", metavar="NAME", help="Which collection.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Also write the hits as a picture.")
@command_options
def search(
    settings: Settings,
    as_json: bool,
    *,
    words: str | None,
    images: Sequence[Path],
    ids: Sequence[str],
    where: str | None,
    modality: str | None,
    k: int,
    collection: str | None,
    sheet: Path | None,
) -> None:
    """Find what is near WORDS, a picture, or an item; several of them are mixed."""
    from latent.wiring import open_store
    from service import filters
    from service.query import QueryEngine, Question
    from service.tables import answer_json, hits_table

    parts = _parts(settings, words, images, ids)
    only = Modality(modality) if modality else None
    with open_store(settings, must_exist=True) as store:
        question = Question(parts, k, filters.read(where), only)
        answer = QueryEngine(store).search(collection or settings.collection, question)
    if sheet is not None:
        from latent.decode import Limits
        from service.sheet import contact_sheet, write_sheet

        title = words or ", ".join([*(path.name for path in images), *ids])
        write_sheet(contact_sheet(title, answer.hits, Limits.of(settings)), sheet)
    if as_json:
        print_json(answer_json(answer))
    elif answer.hits:
        out.print(hits_table(answer.hits))
    else:
        console.print("nothing matches")


@click.command()
@click.argument("things", nargs=-1, required=True)
@click.option("--model", metavar="NAME", help="Which model compares them.")
@command_options
def similar(settings: Settings, as_json: bool, things: Sequence[str], model: str | None) -> None:
    """Compare two or more files or texts: the cosine of each pair."""
    import numpy as np

    from latent.models import registry
    from service.placing import place_now
    from service.tables import scores_table
    from service.timing import Timings

    if len(things) < 2:
        raise click.UsageError("name at least two files or texts")
    embedder = registry.load(model or settings.model, settings)
    placed = place_now(embedder, [_thing(settings, given) for given in things], settings, Timings())
    rows = np.stack(placed).astype(np.float64)
    scores = np.clip(rows @ rows.T, -1.0, 1.0).tolist()
    if as_json:
        print_json({"model": embedder.space.model, "things": list(things), "scores": scores})
    else:
        out.print(scores_table(things, scores))


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
@command_options
def serve(settings: Settings, as_json: bool, app: str, host: str | None, port: int | None) -> None:
    """Answer over HTTP: search (everything) or similarity (stateless)."""
    from service.server import listen, make_app, run

    given = {"host": host, "port": port}
    changed = {name: value for name, value in given.items() if value is not None}
    settings = settings.model_copy(update=changed)
    with listen(settings) as (listener, url):
        made = make_app(settings, app)
        if as_json:
            print_json({"app": app, "url": url, "docs": f"{url}/docs"})
        else:
            click.echo(f"nearfield {app} listens on {url} (reference at {url}/docs)")
        run(made, listener)


@click.group()
def models() -> None:
    """Which models there are."""


@models.command("list")
@click.option("--job", type=click.Choice(list(JOBS)), help="Only models that are good for this.")
@command_options
def list_models(settings: Settings, as_json: bool, job: str | None) -> None:
    """Known good models by what they are for, and the forms that names of others take."""
    from latent.models import registry
    from service.tables import card_json, cards_text, forms_table

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
    from service.tables import card_json, card_links, card_table

    card = registry.describe(name, settings)
    if as_json:
        print_json(card_json(card))
        return
    out.print(card_table(card))
    if links := card_links(card):
        out.print(links, soft_wrap=True)


commands: list[click.Command] = [search, similar, serve, models]


def _parts(
    settings: Settings, words: str | None, images: Sequence[Path], ids: Sequence[str]
) -> list[Part]:
    from service.parts import Like, Part, Text

    parts = [Part(Text(words))] if words is not None else []
    parts += [Part(_picture(settings, path)) for path in images]
    parts += [Part(Like(item_id)) for item_id in ids]
    if not parts:
        raise click.UsageError("say what to look for: words, --image or --like")
    return parts


def _thing(settings: Settings, given: str) -> Thing:
    """The file of that name if there is one, else the words themselves."""
    from latent import documents
    from service.parts import Text

    path = Path(given)
    if not _is_file(path):
        return Text(given)
    suffix = path.suffix.lower()
    if suffix not in documents.SUFFIXES:
        return _picture(settings, path)
    return Text(documents.document(path.read_bytes(), name=given, suffix=suffix).text)


def _picture(settings: Settings, path: Path) -> Thing:
    from service.parts import Picture

    if not _is_file(path):
        raise SourceMissingError(f"there is no picture {path}")
    if path.stat().st_size > settings.max_image_bytes:
        raise ImageTooLargeError(f"{path} has more than {settings.max_image_bytes} bytes")
    return Picture(path.read_bytes(), path.name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # words may be too long for a name, or hold a NUL
        return False
