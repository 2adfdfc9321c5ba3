"""`map`, `groups` and `explain` at a prompt. Imports what a command needs when it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from latent.items import JSON, Modality
from latent.settings import Settings
from latent.terminal import command_options, console, out, print_json

if TYPE_CHECKING:
    from service.explore.surveys import Survey

METHODS = ("tsne", "pca")


@click.command("map")
@click.option("--out", "path", type=click.Path(path_type=Path), help="Draw it into this picture.")
@click.option("--method", type=click.Choice(METHODS), help="How it is drawn, if it is built.")
@click.option("--rebuild", is_flag=True, help="Build it anew, groups too.")
@click.option("--collection", metavar="NAME", help="Which collection.")
@command_options
def draw_map(
    settings: Settings,
    as_json: bool,
    *,
    path: Path | None,
    method: str | None,
    rebuild: bool,
    collection: str | None,
) -> None:
    """Build the map of a collection if there is none, and say how good it is."""
    from service.commands.map_picture import drawn
    from service.commands.sheet import write_sheet
    from service.map_answers import AboutAnswer

    with _surveyed(settings, collection, method, rebuild=rebuild) as survey:
        about = AboutAnswer.of(survey).model_dump(mode="json")
        if path is not None:
            write_sheet(drawn(survey), path)
    if as_json:
        print_json({**about, "out": None if path is None else str(path)})
        return
    for name, value in about.items():
        out.print(f"{name:16} {'–' if value is None else value}")


@click.command()
@click.option("--rebuild", is_flag=True, help="Build them anew, the map too.")
@click.option("--collection", metavar="NAME", help="Which collection.")
@command_options
def groups(settings: Settings, as_json: bool, *, rebuild: bool, collection: str | None) -> None:
    """List the groups of a collection in two levels, and what is like nothing else."""
    from service.map_answers import groups_of, outliers_of

    with _surveyed(settings, collection, None, rebuild=rebuild) as survey:
        found, strange = groups_of(survey), outliers_of(survey)
    if as_json:
        listed: list[JSON] = [one.model_dump(mode="json") for one in found]
        outliers: list[JSON] = [one.model_dump(mode="json") for one in strange]
        print_json({"groups": listed, "outliers": outliers})
        return
    for top in found:
        if top.parent is None:
            out.print(f"{top.items:7}  {', '.join(top.words) or f'group {top.number}'}")
            for one in found:
                if one.parent == top.number:
                    name = ", ".join(one.words) or f"group {one.number}"
                    out.print(f"{one.items:14}  {name}")
    out.print(f"{len(strange)} items are like nothing else")


@click.command()
@click.argument("words")
@click.argument("item_id", metavar="ID")
@click.option("--collection", metavar="NAME", help="Which collection.")
@command_options
def explain(
    settings: Settings, as_json: bool, *, words: str, item_id: str, collection: str | None
) -> None:
    """Say why the item ID matches WORDS: what in a photo, or which words, speak for it."""
    from latent.wiring import open_store
    from service.commands import prompted
    from service.engine import phrases
    from service.engine.nouns import in_sentences, understood
    from service.explore import insight
    from service.explore.why import squared

    said = phrases.parse(words)
    with open_store(settings, must_exist=True) as store:
        found = store.collection(collection or settings.collection)
        parts = in_sentences(said, found.space, settings)
        (item,) = found.get([item_id])
        asked = prompted.placed(store, found, parts)
        embedder = store.embedder_for(found)
        reason = insight.why(found, item, (asked.named.parts, asked.rows), embedder, settings)
    gave: list[JSON] = []
    if reason.found is not None:
        gave = [round(float(one), 5) for one in reason.found.gave]
    faithfulness = reason.found.faithfulness if reason.found else None
    if as_json:
        print_json(
            {
                "id": item.id,
                "score": reason.score,
                "nearer_than": reason.nearer_than,
                "parts": list(reason.shares),
                "gave": gave,
                "words": [(item.text or "")[one.start : one.end] for one in reason.pieces],
                "faithfulness": faithfulness,
                "is_faithful": reason.found is not None and not reason.found.is_low,
                "missing": reason.missing,
                "understood_as": {noun: [*one] for noun, one in understood(parts).items()},
            }
        )
        return
    out.print(f"score {reason.score:.3f}")
    if reason.nearer_than is not None:
        kind = "photos" if reason.item.modality is Modality.IMAGE else "texts"
        farther = min(99, int(100 * reason.nearer_than))  # a sample never tells of all
        out.print(f"nearer to it than {farther} of 100 {kind} in the collection")
    for one in sorted(reason.pieces, key=lambda piece: -piece.gave):
        out.print(f"{one.gave:+.3f}  {(item.text or '')[one.start : one.end]}")
    if reason.found is not None and not reason.pieces:
        for line in squared(reason.found):
            out.print(" ".join(f"{100 * one:+5.1f}" for one in line))
        console.print("hundredths of the score that each piece of the photo gives")
    if reason.missing:
        console.print(reason.missing)
    elif reason.found is not None and reason.found.is_low:
        console.print("the deletion test does not bear this out: do not rely on it")


@contextmanager
def _surveyed(
    settings: Settings, name: str | None, method: str | None, *, rebuild: bool
) -> Iterator[Survey]:
    """The map and groups of a collection, built if need be."""
    from latent.wiring import open_store
    from service.explore.projecting import Method
    from service.explore.surveys import Surveys

    with open_store(settings, must_exist=True) as store:
        collection = store.collection(name or settings.collection)
        surveys = Surveys(store)
        found = None if rebuild or method else surveys.of(collection)
        if found is None:
            with console.status("building the map") as status:

                def tell(step: str, done: float) -> None:
                    status.update(f"building the map: {step}, {done:.0%}")

                wanted = Method(method) if method else None
                found = surveys.build(collection, wanted, progress=tell)
        yield found
