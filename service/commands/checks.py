"""`duplicates` and `classify` at a prompt. Imports what a command needs when it runs."""

from __future__ import annotations

from collections.abc import Sequence

import click

from latent.items import JSON
from latent.settings import Settings
from latent.terminal import command_options, console, out, print_json

STRONG = ("identical", "same_picture", "same_text", "near_copy", "alike", "paraphrase")


@click.command()
@click.option(
    "--tier",
    type=click.Choice(STRONG),
    default="near_copy",
    show_default=True,
    help="Down to which tier things are copies.",
)
@click.option("--collection", metavar="NAME", help="Which collection.")
@command_options
def duplicates(settings: Settings, as_json: bool, *, tier: str, collection: str | None) -> None:
    """Find all groups of copies in a collection, and say which of each to keep."""
    from latent.wiring import open_store
    from service.checks.duplicates import duplicates as find
    from service.checks.tiers import Tier
    from service.commands.check_tables import groups_table, item_json

    with open_store(settings, must_exist=True) as store, console.status("comparing") as status:
        chosen = store.collection(collection or settings.collection)
        found = find(
            chosen,
            settings,
            Tier(tier),
            progress=lambda step: status.update(f"comparing {step}"),
        )
    if as_json:
        groups: list[JSON] = [
            {
                "tier": group.tier.value,
                "keep": item_json(group.keep),
                "extra": [item_json(item) for item in group.extra],
            }
            for group in found.groups
        ]
        print_json(
            {
                "collection": chosen.name,
                "tier": tier,
                "items": found.items,
                "count": len(groups),
                "extra": found.extra,
                "unknown": found.unknown,
                "calibrated": found.is_calibrated,
                "groups": groups,
            }
        )
        return
    if found.groups:
        out.print(groups_table(found.groups))
    console.print(
        f"{len(found.groups)} groups, {found.extra} items more than needed, of {found.items}"
    )
    if found.unknown:
        console.print(
            f"{found.unknown} pictures have no hash and were compared by bytes and cosine alone; "
            "index them into a new collection"
        )


@click.command()
@click.argument("things", nargs=-1, required=True)
@click.option("--labels", required=True, metavar="A,B,…", help="What to choose from, with commas.")
@click.option(
    "--template",
    "templates",
    multiple=True,
    metavar="TEXT",
    help="A sentence with {} in the place of the label.",
)
@click.option("--model", metavar="NAME", help="Which model decides.")
@command_options
def classify(
    settings: Settings,
    as_json: bool,
    *,
    things: Sequence[str],
    labels: str,
    templates: Sequence[str],
    model: str | None,
) -> None:
    """Choose one of the labels for each file or text, or none of them."""
    from latent.models import registry
    from service.checks.classify import classify as decide
    from service.checks.classify import labels_of
    from service.commands import prompted
    from service.commands.check_tables import verdicts_table

    given = [label.strip() for label in labels.split(",")]
    labels_of(given, templates or None, settings)  # refused before a model is loaded
    embedder = registry.load(model or settings.model, settings)
    named = [prompted.thing(settings, thing) for thing in things]
    verdicts = decide(embedder, named, given, settings, templates=templates or None)
    if not as_json:
        out.print(verdicts_table(things, given, verdicts))
        return
    results: list[JSON] = [
        {
            "thing": thing,
            "label": one.label,
            "none": one.none,
            "probabilities": dict(zip(given, one.probabilities, strict=True)),
        }
        for thing, one in zip(things, verdicts, strict=True)
    ]
    calibrated = registry.cuts(embedder.space, settings).is_fitted
    print_json({"model": embedder.space.model, "calibrated": calibrated, "results": results})
