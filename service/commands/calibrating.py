"""The command `models calibrate`: relevance learnt from somebody's own captioned photos.

Imports what it needs when it runs.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from latent.items import JSON
from latent.settings import Settings
from latent.terminal import command_options, out, print_json

if TYPE_CHECKING:
    from latent.models.calibrating.own import Quality
    from service.engine.calibrating import Calibrated


@click.command("calibrate")
@click.option("--collection", metavar="NAME", help="Which collection.")
@click.option("--forget", is_flag=True, help="Let go of what was learnt here for its model.")
@command_options
def calibrate_model(
    settings: Settings, as_json: bool, *, collection: str | None, forget: bool
) -> None:
    """Learn how sure a score is from a collection's photos that have captions."""
    from latent.models import kept_calibrations
    from latent.wiring import open_store
    from service.engine.calibrating import calibrate

    with open_store(settings, must_exist=True) as store:
        found = store.collection(collection or settings.collection)
        if forget:
            was_there = kept_calibrations.forget(found.space, settings)
            if as_json:
                print_json({"collection": found.name, "forgotten": was_there})
            else:
                out.print("forgotten" if was_there else "nothing had been learnt here")
            return
        made = calibrate(store, found)
    if as_json:
        print_json(_json(made))
        return
    learnt = made.learnt
    out.print(
        f"{made.photos} photos, {learnt.captions} different captions; on those not fitted on",
        soft_wrap=True,
    )
    out.print(_line("now", learnt.quality), soft_wrap=True)
    if learnt.before is not None:
        out.print(_line("before", learnt.before), soft_wrap=True)
    out.print(f"kept in {made.kept_in}; --forget lets go of it", soft_wrap=True)


def _line(name: str, quality: Quality) -> str:
    return (
        f"  {name + ':':8}answer or none: area {quality.auroc:.3f};"
        f" none told so {quality.told:.0%}, captions keep their photo {quality.kept:.0%}"
    )


def _json(made: Calibrated) -> dict[str, JSON]:
    learnt = made.learnt
    return {
        "collection": made.collection,
        "model": made.model,
        "photos": made.photos,
        "captions": learnt.captions,
        "quality": asdict(learnt.quality),
        "before": asdict(learnt.before) if learnt.before else None,
        "kept_in": str(made.kept_in),
    }
