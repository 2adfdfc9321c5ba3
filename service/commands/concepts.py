"""`concepts` at a prompt. Imports what a command needs when it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from latent.items import JSON
from latent.settings import Settings
from latent.terminal import command_options, out, print_json

if TYPE_CHECKING:
    from latent.collection import Collection
    from service.engine.parts import Part
    from service.explore.concepts import Concept


@click.group()
def concepts() -> None:
    """What items marked yes have and items marked no have not."""


@concepts.command("list")
@click.option("--collection", metavar="NAME", help="Which collection.")
@command_options
def list_concepts(settings: Settings, as_json: bool, *, collection: str | None) -> None:
    """List the concepts of a collection, and how each did on examples it had not seen."""
    from service.explore.concepts import all_of

    with _opened(settings, collection) as found:
        known = all_of(found)
    if as_json:
        listed: list[JSON] = [_json(one) for one in known]
        print_json({"concepts": listed})
        return
    for one in known:
        out.print(_line(one))


@concepts.command("learn")
@click.argument("name")
@click.option("--yes", multiple=True, metavar="ID", help="An item that has it; two at least.")
@click.option("--no", multiple=True, metavar="ID", help="An item that has it not; two at least.")
@click.option("--collection", metavar="NAME", help="Which collection.")
@command_options
def learn_concept(
    settings: Settings,
    as_json: bool,
    *,
    name: str,
    yes: Sequence[str],
    no: Sequence[str],
    collection: str | None,
) -> None:
    """Learn the concept NAME of items that have it and items that have not."""
    from service.explore.concepts import learn

    with _opened(settings, collection) as found:
        made = learn(found, name, yes, no)
    if as_json:
        print_json(_json(made))
    else:
        out.print(_line(made))


@concepts.command("items")
@click.argument("name")
@click.option("-k", type=click.IntRange(1), default=10, show_default=True, help="How many.")
@click.option("--collection", metavar="NAME", help="Which collection.")
@command_options
def concept_items(
    settings: Settings, as_json: bool, *, name: str, k: int, collection: str | None
) -> None:
    """List the items that most likely have the concept NAME."""
    from service.explore.concepts import load

    with _opened(settings, collection) as found:
        concept = load(found, name)
        hits = found.nearest(concept.direction, k)
    chances = [float(concept.chances(hit.item.vector[None])[0]) for hit in hits]
    if as_json:
        listed: list[JSON] = [
            {"id": hit.item.id, "uri": hit.item.uri, "chance": round(chance, 4)}
            for hit, chance in zip(hits, chances, strict=True)
        ]
        print_json({"concept": name, "items": listed})
        return
    for hit, chance in zip(hits, chances, strict=True):
        out.print(f"{chance:.3f}  {hit.item.id}  {hit.item.uri}", soft_wrap=True)


@concepts.command("drop")
@click.argument("name")
@click.option("--collection", metavar="NAME", help="Which collection.")
@command_options
def drop_concept(settings: Settings, as_json: bool, *, name: str, collection: str | None) -> None:
    """Forget the concept NAME; its examples stay."""
    from service.explore.concepts import drop

    with _opened(settings, collection) as found:
        drop(found, name)
    if as_json:
        print_json({"deleted": name})


def part(name: str) -> Part:
    """A concept as a part of a question; `-NAME` leads away from it."""
    from service.engine.parts import Learned, Part

    return Part(Learned(name.removeprefix("-")), -1.0 if name.startswith("-") else 1.0)


def least_of(words: Sequence[str]) -> dict[str, float]:
    """How likely each concept must be, of words such as `winter=0.8`; without a number 0.5."""
    found = {}
    for word in words:
        name, _, chance = word.partition("=")
        try:
            found[name] = float(chance) if chance else 0.5
        except ValueError as error:
            raise click.UsageError(
                f"--has takes NAME=CHANCE, as in snow=0.8, not {word!r}"
            ) from error
    return found


@contextmanager
def _opened(settings: Settings, name: str | None) -> Iterator[Collection]:
    from latent.wiring import open_store

    with open_store(settings, must_exist=True) as store:
        yield store.collection(name or settings.collection)


def _line(concept: Concept) -> str:
    found = concept.quality
    told = f"AUC {found.auc:.2f} of {found.examples} examples, in {found.folds} folds"
    return f"{concept.name}: {told}" + ("" if found.is_reliable else "; not to be relied on yet")


def _json(concept: Concept) -> dict[str, JSON]:
    found = concept.quality
    return {
        "name": concept.name,
        "yes": list(concept.yes),
        "no": list(concept.no),
        "auc": found.auc,
        "accuracy": found.accuracy,
        "folds": found.folds,
        "examples": found.examples,
        "is_reliable": found.is_reliable,
    }
